//! Who may widen what a purge deletes: played attacks of somebody who may write one namespace, each with the honest case
//! beside it.

use jiff::SignedDuration;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::gcs::Gcs;
use crate::support::kube::{ADMIN, ALICE, ApiServer, CONTROLLER};
use crate::support::purge::{BUCKET, Folder, Ran, ago, deletes, pod, protections, within_the_run, workflow};

const OWN: &str = "argo/train/train-1/model.tgz";
const SECRET: &str = "salaries.csv";
const LONG_AGO: SignedDuration = SignedDuration::from_hours(24 * 300);

/// A cluster with Argo's controller and an honest workflow of `ml`, and somebody else's bucket.
struct World {
    server: ApiServer,
    gcs: Gcs,
    state: TempDir,
}

impl World {
    fn start() -> Self {
        Self::with_format("argo/{{workflow.name}}/{{pod.name}}")
    }

    fn with_format(format: &str) -> Self {
        let (server, gcs) = (ApiServer::start(), Gcs::start());
        server.apply(CONTROLLER.replace("argo/{{workflow.name}}/{{pod.name}}", format).as_str());
        gcs.bucket(BUCKET);
        gcs.bucket("payroll");
        let world = Self { server, gcs, state: TempDir::new().unwrap() };
        world.put("payroll", SECRET, within_the_run());
        world
    }

    fn honest(self) -> Self {
        self.server.apply(workflow("ml", "train", &[OWN]));
        self.put(BUCKET, OWN, within_the_run());
        self
    }

    fn put(&self, bucket: &str, key: &str, age: SignedDuration) {
        self.gcs.put(bucket, key, key);
        self.gcs.created(bucket, key, &ago(age));
    }

    fn run_as(&self, user: &str, arguments: &str) -> Ran {
        let words = ["argo-gc"].into_iter().chain(arguments.split_whitespace());
        let mut command = self.server.kubectl_as(user, words);
        command.env("STORAGE_EMULATOR_HOST", self.gcs.url()).env("XDG_STATE_HOME", self.state.path());
        Ran::of(command)
    }

    fn run(&self, arguments: &str) -> Ran {
        self.run_as(ADMIN, arguments)
    }

    /// The plan of a purge with these arguments: what is deleted, and the protections of what is kept.
    fn plan(&self, arguments: &str) -> (Vec<String>, Vec<String>) {
        let plan = self.run(&format!("purge {arguments} --dry-run -o json")).ends_with(0).json();
        (deletes(&plan), protections(&plan))
    }

    fn has(&self, bucket: &str, key: &str) -> bool {
        self.gcs.keys(bucket).iter().any(|there| there == key)
    }
}

/// A workflow that names somebody else's object as its own.
fn thief(namespace: &str, bucket: &str, key: &str) -> Value {
    let mut thief = workflow(namespace, "thief", &[key]);
    pod(&mut thief)["outputs"]["artifacts"][0]["gcs"] = json!({ "bucket": bucket, "key": key });
    thief
}

/// A Deployment with a controller's image that runs nothing, and a ConfigMap for it.
fn impostor(namespace: &str, replicas: u32, config: &str) -> String {
    format!(
        "
apiVersion: apps/v1
kind: Deployment
metadata: {{ name: workflow-controller, namespace: {namespace} }}
spec:
  replicas: {replicas}
  selector: {{ matchLabels: {{ app: c }} }}
  template:
    metadata: {{ labels: {{ app: c }} }}
    spec: {{ containers: [{{ name: c, image: 'registry.example/any/workflow-controller:v3.3.0' }}] }}
---
apiVersion: v1
kind: ConfigMap
metadata: {{ name: workflow-controller-configmap, namespace: {namespace} }}
data:
  artifactRepository: |
    gcs: {{ bucket: payroll, keyFormat: '{{{{workflow.name}}}}/{{{{pod.name}}}}' }}
{config}---
apiVersion: v1
kind: ConfigMap
metadata: {{ name: artifact-repositories, namespace: {namespace} }}
data:
  any: 'gcs: {{ bucket: payroll }}'
"
    )
}

fn role(namespace: &str, rules: &Value, subject: &Value) -> Value {
    let group = "rbac.authorization.k8s.io";
    let metadata = json!({ "name": "given", "namespace": namespace });
    json!([
        { "apiVersion": format!("{group}/v1"), "kind": "Role", "metadata": metadata, "rules": rules },
        { "apiVersion": format!("{group}/v1"), "kind": "RoleBinding", "metadata": metadata,
          "subjects": [subject], "roleRef": { "apiGroup": group, "kind": "Role", "name": "given" } },
    ])
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_33_a_deployment_that_only_looks_like_a_controller_counts_nowhere_on_apiserver_and_fake_gcs() {
    let world = World::start().honest();
    let verdicts = world.run("inspect -A -o json").ends_with(0).json()["workflows"].clone();
    world.server.apply(&impostor("evil", 0, "  persistence: 'archive: true'\n  instanceID: any\n"));
    // It changes nobody's verdict, and is told of.
    let shown = world.run("inspect -A -o json").ends_with(0);
    assert_eq!(shown.json()["workflows"], verdicts);
    let note = "Note: left out evil/workflow-controller: it looks like a controller, and its service account may not \
                manage workflows; --controller-namespace evil lets it count";
    assert!(shown.err.contains(note), "{}", shown.err);
    assert!(world.run("doctor -A").ends_with(0).err.contains(note));

    world.server.apply(thief("evil", "payroll", SECRET));
    assert_eq!(world.plan("-A --older 1d"), (vec![OWN.to_owned()], vec!["foreign-location".to_owned()]));
    let ran = world.run("purge -A --older 1d --yes").ends_with(0);
    assert!(ran.out.contains("Deleted 1 object") && ran.err.contains(note), "{ran:#?}");
    assert!(world.has("payroll", SECRET) && !world.has(BUCKET, OWN));
    // Whoever names it means it.
    let (deleted, _) = world.plan("-A --older 1d --controller-namespace evil --accept-unread archive");
    assert_eq!(deleted, [SECRET]);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_33_a_controller_of_one_namespace_counts_there_only_on_apiserver_and_fake_gcs() {
    let world = World::start().honest();
    world.server.apply(&impostor("evil", 1, "  persistence: 'archive: true'\n"));
    let rules = json!([{ "apiGroups": ["argoproj.io"], "resources": ["workflows"], "verbs": ["*"] }]);
    let account = json!({ "kind": "ServiceAccount", "name": "default", "namespace": "evil" });
    world.server.apply(role("evil", &rules, &account));
    world.server.apply(thief("evil", "payroll", SECRET));
    let note = "Note: 2 controllers count: argo/workflow-controller, evil/workflow-controller (in namespace evil only)";
    let start = std::time::Instant::now();
    // The authorizer hears of roles through a watch.
    while !world.run("inspect -A").ends_with(0).err.contains(note) {
        assert!(start.elapsed() < std::time::Duration::from_secs(120), "it is not told of");
    }
    // Its archive stops no purge of another namespace.
    assert_eq!(world.plan("-n ml --older 1d").0, [OWN]);
    // It is asked for where its workflows are, and its repository allows nothing: nobody named its namespace.
    let ran = world.run("purge -A --older 1d --yes").ends_with(5);
    assert!(ran.err.contains("archive: the controller archives workflows"), "{}", ran.err);
    let ran = world.run("purge -A --older 1d --accept-unread archive --yes").ends_with(0);
    assert!(ran.err.contains(note) && ran.out.contains("Deleted 1 object"), "{ran:#?}");
    assert!(world.has("payroll", SECRET) && !world.has(BUCKET, OWN));
    // Whoever names the namespace means its repositories.
    assert_eq!(world.plan("-n evil --older 1d --accept-unread archive").0, [SECRET]);
    // A workflow's name chooses the workflow, and several namespaces choose workflows; neither names repositories.
    for chosen in ["evil/thief", "workflow.argoproj.io/evil/thief", "-n ml,evil --all"] {
        let (deletes, protections) = world.plan(&format!("{chosen} --accept-unread archive"));
        assert!(deletes.is_empty(), "{chosen}: {deletes:?}");
        assert!(
            protections.iter().any(|protection| protection == "foreign-location"),
            "{chosen}: {protections:?}"
        );
    }
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_33_a_controller_that_can_not_be_reviewed_allows_nothing_until_it_is_named_on_apiserver_and_fake_gcs()
 {
    let world = World::start().honest();
    let group = "rbac.authorization.k8s.io";
    let rules = json!([{ "apiGroups": ["", "apps", "argoproj.io"], "resources": ["*"], "verbs": ["*"] }]);
    world.server.apply(json!([
        { "apiVersion": format!("{group}/v1"), "kind": "ClusterRole", "metadata": { "name": "most" }, "rules": rules },
        { "apiVersion": format!("{group}/v1"), "kind": "ClusterRoleBinding", "metadata": { "name": "most" },
          "subjects": [{ "kind": "User", "name": ALICE, "apiGroup": group }],
          "roleRef": { "apiGroup": group, "kind": "ClusterRole", "name": "most" } },
    ]));
    let purge = |more: &str| world.run_as(ALICE, &format!("purge -n ml --older 1d --dry-run -o json {more}"));
    let start = std::time::Instant::now();
    while purge("").err.contains("cannot read deployments") || purge("").code == Some(1) {
        assert!(start.elapsed() < std::time::Duration::from_secs(120), "{:#?}", purge(""));
    }
    let ran = purge("").ends_with(5);
    let warning = "Warning: cannot read access reviews of controllers (forbidden); argo/workflow-controller may not be \
                   allowed to manage workflows, so its settings and repositories do not count; \
                   --controller-namespace argo says that they do";
    assert!(ran.err.contains(warning) && ran.err.contains("--accept-unread archive"), "{}", ran.err);
    let plan = purge("--accept-unread archive").ends_with(0).json();
    assert_eq!((deletes(&plan), protections(&plan)), (Vec::new(), vec!["foreign-location".to_owned()]));
    let ran = purge("--controller-namespace argo").ends_with(0);
    assert!(!ran.err.contains("access reviews") && deletes(&ran.json()) == [OWN], "{ran:#?}");
    // A name without any controller is no naming.
    let ran = purge("--controller-namespace agro --accept-unread archive").ends_with(0);
    assert!(
        ran.err.contains("cannot read controllers in \"agro\"") && deletes(&ran.json()).is_empty(),
        "{ran:#?}"
    );
    purge("--controller-namespace a/b").ends_with(2);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_34_a_run_is_not_older_than_its_workflow_on_apiserver_and_fake_gcs() {
    let world = World::start().honest();
    let old = "argo/thief/thief-1/backup.tgz";
    world.put(BUCKET, old, LONG_AGO);
    let mut thief = thief("evil", BUCKET, old);
    thief["status"]["startedAt"] = json!("2001-01-01T00:00:00Z");
    thief["status"]["finishedAt"] = json!(ago(SignedDuration::from_hours(24 * 200)));
    // Made just now, whatever its status says.
    thief["metadata"]["creationTimestamp"] = Value::Null;
    world.server.apply(thief.clone());
    assert_eq!(world.plan("-A --older 1d"), (vec![OWN.to_owned()], Vec::new()));
    assert_eq!(world.plan("-n evil --all"), (Vec::new(), vec!["just-finished".to_owned()]));
    assert_eq!(world.plan("-n evil --all --grace 0s"), (Vec::new(), vec!["older-than-run".to_owned()]));
    world.run("purge -A --grace 0s --yes").ends_with(0);
    assert!(world.has(BUCKET, old) && !world.has(BUCKET, OWN));
    // Made two days ago, the forged start still does not reach what is older.
    thief["metadata"]["creationTimestamp"] = json!(ago(SignedDuration::from_hours(50)));
    world.server.apply(thief);
    assert_eq!(world.plan("-n evil --all"), (Vec::new(), vec!["older-than-run".to_owned()]));
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_29_a_key_that_the_format_gives_to_another_namespace_stays_on_apiserver_and_fake_gcs() {
    let world = World::with_format("argo/{{workflow.namespace}}/{{workflow.name}}/{{pod.name}}");
    let (key, folder, own) = ("argo/ml/train/train-1/model.tgz", "argo/ml", "argo/evil/thief/thief-1/x.tgz");
    // The victim's record is gone, so nothing refers to its object any more.
    for key in [key, own] {
        world.put(BUCKET, key, within_the_run());
    }
    let mut thief = workflow("evil", "thief", &[key, folder, own]);
    pod(&mut thief)["outputs"]["artifacts"][1]["archive"] = json!({ "none": {} });
    world.server.apply(thief);
    assert_eq!(world.plan("-A --older 1d"), (vec![own.to_owned()], vec!["foreign-key".to_owned()]));
    let ran = world.run("purge -A --older 1d --yes").ends_with(0);
    assert!(ran.out.contains("Deleted 1 object"), "{ran:#?}");
    assert!(
        ran.out.contains(
            "the key format is argo/{{workflow.namespace}}/{{workflow.name}}/{{pod.name}}; --repository with the \
             object's folder allows it"
        ),
        "{ran:#?}"
    );
    assert!(world.has(BUCKET, key) && !world.has(BUCKET, own));
    // The whole bucket is no folder of the key's.
    let wide = format!("-A --older 1d --repository gs://{BUCKET}");
    assert_eq!(world.plan(&wide), (Vec::new(), vec!["foreign-key".to_owned()]));
    let (deleted, _) = world.plan(&format!("{wide}/argo/ml"));
    assert_eq!(deleted, [key]);
}

/// A folder with a controller whose repository is [`BUCKET`].
fn rehearsal() -> Folder {
    let mut folder = Folder::new();
    for object in CONTROLLER.split("---\n") {
        folder.add(serde_saphyr::from_str(object).unwrap());
    }
    folder
}

/// `purge` on a folder without the `--repository` that its helper gives.
fn rehearse(folder: &Folder, arguments: &[&str]) -> Ran {
    let given = folder.command("inspect", arguments);
    let words = given.get_args().map(|word| word.to_str().unwrap().to_owned());
    let words: Vec<String> = words.skip(1).collect();
    let mut command = crate::support::plugin(["purge"]);
    command.args(words).env("XDG_STATE_HOME", folder.bucket("..").join("state"));
    command.env_remove("STORAGE_EMULATOR_HOST");
    Ran::of(command)
}

#[test]
fn danger_29_a_rehearsal_allows_what_the_real_run_will() {
    let mut folder = rehearsal();
    std::fs::create_dir_all(folder.bucket("payroll")).unwrap();
    folder.put(OWN);
    folder.put_at("payroll", SECRET, within_the_run());
    folder.add(workflow("ml", "train", &[OWN])).add(thief("evil", "payroll", SECRET));
    let plan = rehearse(&folder, &["-A", "--dry-run", "-o", "json"]).ends_with(0).json();
    assert_eq!(
        (deletes(&plan), protections(&plan)),
        (vec![OWN.to_owned()], vec!["foreign-location".to_owned()])
    );
    let widened = ["-A", "--dry-run", "-o", "json", "--repository", "gs://payroll"];
    let plan = rehearse(&folder, &widened).ends_with(0).json();
    assert_eq!(deletes(&plan), [OWN, SECRET]);
    // A namespace's own repositories count once it is named.
    folder.add(json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "artifact-repositories", "namespace": "evil" },
        "data": { "any": "gcs: { bucket: payroll }" },
    }));
    let planned = |scope: &[&str]| {
        let words: Vec<&str> = scope.iter().copied().chain(["--dry-run", "-o", "json"]).collect();
        deletes(&rehearse(&folder, &words).ends_with(0).json())
    };
    assert_eq!(planned(&["-A"]), [OWN]);
    assert_eq!(planned(&["-n", "evil", "--all"]), [SECRET]);
    assert_eq!(planned(&["-A", "--controller-namespace", "other"]), [""; 0]);
}

#[test]
fn danger_20_a_dry_run_says_that_there_is_no_way_back() {
    let mut folder = rehearsal();
    folder.put(OWN);
    folder.add(workflow("ml", "train", &[OWN]));
    for dry_run in ["--dry-run", "--dry-run=server"] {
        let ran = rehearse(&folder, &["-A", dry_run]).ends_with(0);
        let sentence = format!(
            "gs://{BUCKET}: no soft delete and no versioning, so what is deleted can't be brought back"
        );
        assert!(ran.err.contains(&sentence), "{dry_run}: {}", ran.err);
    }
}

#[test]
#[cfg(unix)]
fn no_link_leads_a_rehearsal_out_of_its_directory() {
    use std::os::unix::fs::symlink;
    let outside = TempDir::new().unwrap();
    let precious = outside.path().join("train-1/model.tgz");
    std::fs::create_dir_all(precious.parent().unwrap()).unwrap();
    std::fs::write(&precious, "precious").unwrap();
    let time = std::time::SystemTime::now() - std::time::Duration::from_secs(49 * 3600);
    std::fs::File::options().write(true).open(&precious).unwrap().set_modified(time).unwrap();

    let refused = |folder: &Folder| {
        let ran = rehearse(folder, &["-A", "--yes"]).ends_with(1);
        assert!(ran.err.contains("a link leads out of the directory"), "{}", ran.err);
        assert!(precious.is_file());
    };
    // A folder within a bucket; the artifact is a file, and then a directory, in which another link is met.
    for artifact in [OWN, "argo/train"] {
        let mut folder = rehearsal();
        let mut run = workflow("ml", "train", &[artifact]);
        pod(&mut run)["outputs"]["artifacts"][0]["archive"] = json!({ "none": {} });
        folder.add(run);
        std::fs::create_dir_all(folder.bucket(BUCKET).join("argo")).unwrap();
        symlink(outside.path(), folder.bucket(BUCKET).join("argo/train")).unwrap();
        refused(&folder);
    }
    // The bucket itself.
    let mut folder = rehearsal();
    folder.add(workflow("ml", "train", &["train-1/model.tgz"]));
    std::fs::remove_dir_all(folder.bucket(BUCKET)).unwrap();
    symlink(outside.path(), folder.bucket(BUCKET)).unwrap();
    let ran = rehearse(&folder, &["-A", "--yes", "--repository", &format!("gs://{BUCKET}")]).ends_with(1);
    assert!(ran.err.contains("a link leads out of the directory") && precious.is_file(), "{}", ran.err);

    // A link that stays within is one more name, and the directory itself may be one.
    let mut folder = rehearsal();
    folder.add(workflow("ml", "train", &[OWN]));
    folder.put_at("other", "train-1/model.tgz", within_the_run());
    std::fs::create_dir_all(folder.bucket(BUCKET).join("argo")).unwrap();
    symlink(folder.bucket("other"), folder.bucket(BUCKET).join("argo/train")).unwrap();
    let ran = rehearse(&folder, &["-A", "--yes"]).ends_with(0);
    assert!(ran.out.contains("Deleted 1 object"), "{ran:#?}");
}
