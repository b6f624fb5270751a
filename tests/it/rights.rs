//! The roles of docs/rbac.yaml are what the plugin uses: no request is refused, no right goes unused.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::faulty_storage::{asked_as, empty};
use crate::support::fixture::Fixture;
use crate::support::gcs::{Gcs, soft_delete_for_a_week};
use crate::support::kube::{ALICE, ApiServer, BOB, CONTROLLER};
use crate::support::plugin;
use crate::support::purge::{BUCKET, Ran, ago, in_minio_with, minio_secret, within_the_run, workflow};

const RBAC: &str = "rbac.authorization.k8s.io";
const KEY: &str = "argo/train-x7k2p/1/model.tgz";

/// Every verb that asks the cluster for anything, so that it asks for all it can.
const READS: [&str; 11] = [
    "doctor -A",
    "lint -A",
    "inspect -A -o json",
    "inspect -A --endangered -o json",
    "inspect -n ml train-x7k2p",
    "inspect -n ml --older 1d",
    "inspect -n kube-node-lease",
    "orphans --repository gs://ml-artifacts/argo --exclusive --older 1h",
    "references -A",
    "explain gs://ml-artifacts/argo/train-x7k2p/1/model.tgz",
    "purge -n ml --older 1d --dry-run=client",
];
/// Verbs that ask the cluster for nothing.
const OFFLINE: [&str; 6] = ["completion", "diff", "fix", "help", "manifest", "version"];
/// Verbs that only change something; the role of a purge is enough for them.
const WRITES: [&str; 1] = ["undo"];

/// A right: the resource as RBAC names it (`workflows.argoproj.io`, `pods`), and the verb.
type Right = (String, String);

fn document(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name)).unwrap()
}

fn right(group: &str, resource: &str, verb: &str) -> Right {
    let resource = if group.is_empty() { resource.to_owned() } else { format!("{resource}.{group}") };
    (resource, verb.to_owned())
}

/// The rights of a role, each by itself.
fn rights(role: &Value) -> BTreeSet<Right> {
    let texts = |rule: &Value, field: &str| -> Vec<String> {
        let texts = rule[field].as_array().unwrap();
        texts.iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let mut rights = BTreeSet::new();
    for rule in role["rules"].as_array().unwrap() {
        for group in texts(rule, "apiGroups") {
            for resource in texts(rule, "resources") {
                for verb in texts(rule, "verbs") {
                    assert!(rights.insert(right(&group, &resource, &verb)), "twice: {resource} {verb}");
                }
            }
        }
    }
    rights
}

/// The role with just these rights.
fn with_rights(role: &Value, rights: &BTreeSet<Right>) -> Value {
    let rules: Vec<Value> = rights
        .iter()
        .map(|(resource, verb)| {
            let (resource, group) = resource.split_once('.').unwrap_or((resource, ""));
            json!({ "apiGroups": [group], "resources": [resource], "verbs": [verb] })
        })
        .collect();
    let mut role = role.clone();
    role["rules"] = rules.into();
    role
}

/// A cluster with a controller, a leaking workflow whose object is there, and a failed GC pod.
struct World {
    server: ApiServer,
    gcs: Gcs,
    state: TempDir,
}

impl World {
    fn start() -> Self {
        let (server, gcs) = (ApiServer::audited(), Gcs::start());
        server.apply(CONTROLLER);
        let failed = Fixture::all().into_iter().find(|f| f.path.ends_with("gc-rbac/hit.yaml")).unwrap();
        server.apply(&failed.text);
        gcs.bucket_with(BUCKET, soft_delete_for_a_week());
        let world = Self { server, gcs, state: TempDir::new().unwrap() };
        world.leak();
        world
    }

    /// Puts the leaking workflow and its object there, again.
    fn leak(&self) {
        self.server.apply(workflow("ml", "train-x7k2p", &[KEY]));
        self.gcs.put(BUCKET, KEY, "model");
        self.gcs.created(BUCKET, KEY, &ago(within_the_run()));
    }

    fn argo_gc(&self, user: &str, arguments: &str) -> Ran {
        let words = ["argo-gc"].into_iter().chain(arguments.split_whitespace());
        let mut command: Command = self.server.kubectl_as(user, words);
        command.env("STORAGE_EMULATOR_HOST", self.gcs.url()).env("XDG_STATE_HOME", self.state.path());
        Ran::of(command)
    }

    /// Everything that only reads.
    fn read(&self, user: &str) -> Vec<Ran> {
        READS.iter().map(|line| self.argo_gc(user, line)).collect()
    }

    /// A purge from begin to end.
    fn write(&self, user: &str) -> Ran {
        self.leak();
        self.argo_gc(user, "purge -n ml train-x7k2p --yes --release-finalizer")
    }

    /// Binds a user to a role, and waits until the server knows.
    fn bind(&self, user: &str, role: &Value, namespace: Option<&str>) {
        let kind = role["kind"].as_str().unwrap();
        let name = &role["metadata"]["name"];
        let mut metadata = json!({ "name": format!("{user}-{}", name.as_str().unwrap()) });
        if let Some(namespace) = namespace {
            metadata["namespace"] = namespace.into();
        }
        self.server.apply(json!({
            "apiVersion": format!("{RBAC}/v1"), "kind": format!("{kind}Binding"), "metadata": metadata,
            "roleRef": { "apiGroup": RBAC, "kind": kind, "name": name },
            "subjects": [{ "apiGroup": RBAC, "kind": "User", "name": user }],
        }));
        for right in rights(role) {
            self.until(user, &right, namespace, true);
        }
    }

    /// The authorizer hears of roles through a watch.
    #[track_caller]
    fn until(&self, user: &str, (resource, verb): &Right, namespace: Option<&str>, allowed: bool) {
        let (resource, group) = resource.split_once('.').unwrap_or((resource, ""));
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
            "spec": { "user": user, "resourceAttributes": {
                "namespace": namespace.unwrap_or_default(), "verb": verb, "group": group, "resource": resource,
            }},
        });
        let file = self.state.path().join("review.json");
        std::fs::write(&file, review.to_string()).unwrap();
        let reviews = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
        let file = file.display().to_string();
        let start = Instant::now();
        while Ran::of(self.server.kubectl(["create", "--raw", reviews, "-f", &file])).json()["status"]["allowed"]
            != allowed
        {
            assert!(start.elapsed() < Duration::from_secs(180), "{user} {verb} {resource}: not {allowed}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// What a user asked the API server for, and whether it was refused. What every user may do
    /// (`system:basic-user`, `system:discovery`) is left out.
    fn asked(&self, user: &str) -> (BTreeSet<Right>, Vec<Value>) {
        let events = self.server.audit().into_iter().filter(|event| event["user"]["username"] == user);
        let events: Vec<Value> = events.filter(|event| event["objectRef"]["resource"].is_string()).collect();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let refused =
            events.iter().filter(|event| event["annotations"]["authorization.k8s.io/decision"] != "allow");
        let refused = refused.cloned().collect();
        let rights = events.iter().map(|event| {
            let object = &event["objectRef"];
            assert!(object["subresource"].is_null(), "{event}");
            right(&text(&object["apiGroup"]), &text(&object["resource"]), &text(&event["verb"]))
        });
        (rights.filter(|(resource, _)| !resource.starts_with("selfsubject")).collect(), refused)
    }
}

/// Whether a run says that something is missing.
fn complains(ran: &Ran) -> bool {
    ran.code != Some(0) || ran.err.contains("forbidden") || ran.err.contains("Forbidden")
}

#[test]
fn no_verb_is_left_out_here() {
    let listed = Ran::of(plugin(["__complete", ""])).out;
    let verbs =
        listed.lines().filter(|line| !line.starts_with(':')).map(|line| line.split('\t').next().unwrap());
    let reads = |verb: &str| READS.iter().any(|line| line.split(' ').next() == Some(verb));
    let missing: Vec<&str> =
        verbs.filter(|verb| !reads(verb) && !OFFLINE.contains(verb) && !WRITES.contains(verb)).collect();
    assert!(
        missing.is_empty(),
        "{missing:?}: add them to READS, WRITES or OFFLINE, and their rights to docs/rbac.yaml"
    );
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn the_two_roles_are_what_is_asked_for_no_more_and_no_less_on_apiserver_and_fake_gcs() {
    let world = World::start();
    let [inspect, purge] = &world.server.apply(&document("rbac.yaml"))[..] else { panic!("two roles") };
    assert_eq!(inspect["metadata"]["name"], "argo-gc-inspect");
    assert_eq!(purge["metadata"]["name"], "argo-gc-purge");
    assert!(rights(inspect).is_subset(&rights(purge)));

    world.bind(ALICE, inspect, None);
    for ran in world.read(ALICE) {
        assert!(!complains(&ran) && !ran.err.contains("cannot read"), "{ran:#?}");
    }
    let words = ["argo-gc", "__complete", "inspect", "-n", "ml", ""];
    assert!(Ran::of(world.server.kubectl_as(ALICE, words)).out.contains("train-x7k2p"));
    let (asked, refused) = world.asked(ALICE);
    assert_eq!(asked, rights(inspect));
    assert_eq!(refused, [Value::Null; 0]);

    // What reads can't write, and says so before anything is deleted.
    let ran = world.write(ALICE).ends_with(5);
    assert!(ran.err.contains("you may not patch workflows in \"ml\""), "{}", ran.err);
    assert!(world.gcs.deletes().is_empty());

    world.bind(BOB, purge, None);
    world.read(BOB).iter().for_each(|ran| assert!(!complains(ran), "{ran:#?}"));
    let ran = world.write(BOB).ends_with(0);
    assert!(ran.out.contains("Deleted 1 object") && !ran.err.contains("cannot read"), "{ran:#?}");
    let journal = ran.err.lines().find_map(|line| line.strip_prefix("Journal: ")).unwrap();
    let ran = world.argo_gc(BOB, &format!("undo {journal}")).ends_with(0);
    assert!(ran.out.contains("1 artifact is no longer recorded as deleted"), "{ran:#?}");
    let (asked, refused) = world.asked(BOB);
    assert_eq!(asked, rights(purge));
    assert_eq!(refused, [Value::Null; 0]);
}

/// Permissions whose absence is not reported, as docs/rbac.md says.
const QUIET: [(&str, &str); 2] = [("events", "create"), ("namespaces", "get")];

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_right_that_is_taken_away_is_missed_aloud_on_apiserver_and_fake_gcs() {
    let world = World::start();
    let [_, purge] = &world.server.apply(&document("rbac.yaml"))[..] else { panic!("two roles") };
    world.bind(BOB, purge, None);
    let all = rights(purge);
    let mut silent = Vec::new();
    for taken in &all {
        let mut less = all.clone();
        less.remove(taken);
        world.server.apply(with_rights(purge, &less));
        world.until(BOB, taken, None, false);
        let mut runs = world.read(BOB);
        runs.push(world.write(BOB));
        if !runs.iter().any(complains) {
            silent.push(taken.clone());
        }
        world.server.apply(purge.clone());
        world.until(BOB, taken, None, true);
    }
    let quiet = QUIET.map(|(resource, verb)| (resource.to_owned(), verb.to_owned()));
    assert_eq!(silent, quiet);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn secrets_are_read_only_with_the_flag_and_a_right_of_their_own_on_apiserver_and_fake_gcs() {
    let world = World::start();
    let [_, purge] = &world.server.apply(&document("rbac.yaml"))[..] else { panic!("two roles") };
    world.bind(BOB, purge, None);
    world.server.apply(minio_secret("ml", "minio-cred", "AKSECRET"));
    world.server.apply(in_minio_with("ml", "models", "minio-cred"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let storage = runtime.block_on(empty());
    let flags = format!("--endpoint-override minio:9000={} -o json", storage.url());
    let argo_gc = |line: &str| {
        let line = format!("argo-gc {line} {flags}");
        let mut command: Command = world.server.kubectl_as(BOB, line.split_whitespace());
        command.env("AWS_ACCESS_KEY_ID", "AKAMBIENT").env("AWS_SECRET_ACCESS_KEY", "hunter2-ambient");
        command.env("STORAGE_EMULATOR_HOST", world.gcs.url()).env("XDG_STATE_HOME", world.state.path());
        let ran = Ran::of(command);
        assert!(!format!("{}{}", ran.out, ran.err).contains("hunter2"), "{ran:#?}");
        ran
    };
    let reads = [
        "inspect -n ml models --check",
        "purge -n ml models --repository s3://models@minio:9000 --dry-run=client",
    ];
    // Who asked storage, and how often.
    let asked_as = |key: &str| {
        let asked = std::mem::take(&mut *storage.asked.lock().unwrap());
        let credential = format!("Credential={key}/");
        asked_as(&asked, "models", |asked| asked.authorization.contains(&credential))
    };
    let secrets: Right = ("secrets".to_owned(), "get".to_owned());

    for line in reads {
        argo_gc(line).ends_with(0);
        let (all, ambient) = asked_as("AKAMBIENT");
        assert!(all > 0 && all == ambient, "{all} {ambient}");
    }
    assert!(!world.asked(BOB).0.contains(&secrets), "a Secret was read without the flag");

    // The right to purge is not the right to Secrets; then nothing is asked, as nobody else either.
    for line in reads {
        let ran = argo_gc(&format!("{line} --use-workflow-secrets")).ends_with(0);
        assert!(ran.out.contains("Secret ml/minio-cred") && ran.out.contains("docs/rbac.md"), "{ran:#?}");
        assert_eq!(asked_as("AKAMBIENT"), (0, 0));
    }
    let (asked, refused) = world.asked(BOB);
    assert!(asked.contains(&secrets) && !refused.is_empty());

    let mut role = serde_saphyr::from_str::<Value>(&document("rbac-secrets.yaml")).unwrap();
    role["metadata"]["namespace"] = "ml".into();
    world.server.apply(role.clone());
    assert_eq!(rights(&role), BTreeSet::from([secrets]));
    world.bind(BOB, &role, Some("ml"));
    for line in reads {
        let ran = argo_gc(&format!("{line} --use-workflow-secrets")).ends_with(0);
        assert!(!ran.out.contains("is not asked for"), "{ran:#?}");
        let (all, own) = asked_as("AKSECRET");
        assert!(all > 0 && all == own, "{all} {own}");
    }
}

/// The first column of the table in docs/rbac.md whose header has this.
fn first_column(page: &str, header: &str) -> BTreeSet<String> {
    let rows = page.lines().skip_while(|line| !line.starts_with(&format!("| {header} |"))).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    rows.map(|row| row.split('`').nth(1).unwrap().to_owned()).collect()
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_role_of_one_namespace_lacks_what_the_page_says_on_apiserver_and_fake_gcs() {
    let world = World::start();
    let mut role = serde_saphyr::from_str::<Value>(&document("rbac-namespace.yaml")).unwrap();
    // Where a GC pod has failed, so that its account would be reviewed.
    let namespace = "gc-gc-rbac";
    role["metadata"]["namespace"] = namespace.into();
    world.server.apply(role.clone());
    world.bind(ALICE, &role, Some(namespace));
    world.server.apply(workflow(namespace, "train-x7k2p", &[KEY]));
    let shown = world.argo_gc(ALICE, &format!("inspect -n {namespace} -o json")).ends_with(0);
    let gaps: BTreeSet<String> = shown.json()["gaps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|gap| gap["what"].as_str().unwrap().to_owned())
        .collect();
    let page = document("rbac.md");
    assert_eq!(gaps, first_column(&page, "not readable"));

    let purge = format!("purge -n {namespace} train-x7k2p --repository gs://{BUCKET} --yes");
    let ran = world.argo_gc(ALICE, &purge).ends_with(5);
    assert!(ran.err.contains("--accept-unread"), "{}", ran.err);
    let (_, after) = page.split_once("A purge needs `--accept-unread`").unwrap();
    let sources: Vec<&str> = after.split(')').next().unwrap().split('`').skip(1).step_by(2).collect();
    let ran = world.argo_gc(ALICE, &format!("{purge} --accept-unread {}", sources.join(","))).ends_with(0);
    assert!(ran.out.contains("Deleted 1 object"), "{}", ran.out);

    // Each right is asked for here as well, where a controller is beside the workflows.
    world.server.apply(CONTROLLER.replace("namespace: argo", &format!("namespace: {namespace}")).as_str());
    world.argo_gc(ALICE, &format!("inspect -n {namespace} train-x7k2p"));
    let (asked, _) = world.asked(ALICE);
    let idle: Vec<Right> = rights(&role).difference(&asked).cloned().collect();
    assert_eq!(idle, [] as [Right; 0]);
}

/// The permissions of a role that docs/rbac.md makes.
fn permissions(page: &str, role: &str) -> Vec<String> {
    let line =
        page.lines().find(|line| line.starts_with(&format!("gcloud iam roles create {role} "))).unwrap();
    let (_, permissions) = line.split_once("--permissions=").unwrap();
    permissions.split(',').map(str::to_owned).collect()
}

/// What a logged request to storage needs, by Google's documentation of the method.
fn needs(method: &str, target: &str) -> &'static [&'static str] {
    let path = target.split('?').next().unwrap();
    match (method, path.split_once("/o/"), path.ends_with("/o")) {
        ("GET", None, true) => &["storage.objects.list"],
        ("GET", None, false) if path.ends_with("/iam/testPermissions") => &[],
        ("GET", None, false) => &["storage.buckets.get"],
        ("GET", Some(_), _) => &["storage.objects.get"],
        ("PATCH", Some(_), _) => &["storage.objects.update"],
        ("DELETE", Some(_), _) => &["storage.objects.delete"],
        ("POST", Some((_, rest)), _) if rest.ends_with("/restore") => {
            &["storage.objects.create", "storage.objects.restore"]
        }
        ("POST", Some((_, rest)), _) if rest.contains("/rewriteTo/") || rest.contains("/copyTo/") => {
            &["storage.objects.create", "storage.objects.get"]
        }
        _ => panic!("{method} {target}"),
    }
}

/// A role's permissions suffice for some work, are all used by it, and each is missed aloud.
fn hold(world: &World, role: &str, unused: &[&str], prepare: &dyn Fn(), work: &dyn Fn() -> Vec<Ran>) {
    let listed = permissions(&document("rbac.md"), role);
    let run = |granted: &[&str]| {
        world.gcs.permissions(BUCKET, &EVERYTHING);
        prepare();
        world.gcs.permissions(BUCKET, granted);
        world.gcs.clear_log();
        work()
    };
    let listed: Vec<&str> = listed.iter().map(String::as_str).collect();
    for ran in run(&listed) {
        assert!(!complains(&ran), "{role}: {ran:#?}");
    }
    let log = world.gcs.log();
    let asked: BTreeSet<&str> =
        log.iter().flat_map(|entry| needs(&entry.method, &entry.target)).copied().collect();
    let used: BTreeSet<&str> = listed.iter().copied().filter(|right| !unused.contains(right)).collect();
    assert_eq!(asked, used, "{role}");
    for taken in used {
        let less: Vec<&str> = listed.iter().copied().filter(|right| *right != taken).collect();
        let runs = run(&less);
        assert!(runs.iter().any(|ran| ran.err.contains(taken)), "{role} without {taken}: {runs:#?}");
    }
}

const EVERYTHING: [&str; 7] = [
    "storage.buckets.get",
    "storage.objects.create",
    "storage.objects.delete",
    "storage.objects.get",
    "storage.objects.list",
    "storage.objects.restore",
    "storage.objects.update",
];

#[test]
#[ignore = "tests/run brings what it needs"]
fn the_roles_on_a_bucket_are_what_is_asked_for_too_on_apiserver_and_fake_gcs() {
    let world = World::start();
    // One artifact is looked up, the other, a directory, is listed.
    let mut directory = workflow("ml", "plots-q4z9m", &["argo/plots-q4z9m/1/plots"]);
    directory["status"]["nodes"]["plots-q4z9m-1"]["outputs"]["artifacts"][0]["archive"] =
        json!({ "none": {} });
    let leak = || {
        world.leak();
        world.server.apply(directory.clone());
        let key = "argo/plots-q4z9m/1/plots/loss.png";
        world.gcs.put(BUCKET, key, "png");
        world.gcs.created(BUCKET, key, &ago(within_the_run()));
    };
    let argo_gc = |line: &str| world.argo_gc("admin", line);
    let inspect = ["inspect -n ml --check", "orphans --repository gs://ml-artifacts/argo"];
    hold(&world, "argoGcInspect", &[], &leak, &|| inspect.map(argo_gc).into());
    let purge = "purge -n ml --all --yes";
    hold(&world, "argoGcPurge", &[], &leak, &|| vec![argo_gc(purge)]);
    // One object is due, the other is marked.
    let marked = || {
        leak();
        let key = "argo/plots-q4z9m/1/plots/loss.png";
        world.gcs.mark(BUCKET, key, &ago(jiff::SignedDuration::from_hours(30)));
    };
    let quarantine = "purge -n ml --all --yes --quarantine 1d";
    hold(&world, "argoGcQuarantine", &[], &marked, &|| vec![argo_gc(quarantine)]);
    let journals = || {
        let journals = std::fs::read_dir(world.state.path().join("argo-gc")).unwrap();
        journals.map(|entry| entry.unwrap().path()).collect::<BTreeSet<_>>()
    };
    let deleted = || {
        leak();
        argo_gc(purge).ends_with(0);
    };
    // Only noncurrent versions are copied, and only what may not have been deleted is looked at.
    let unused = ["storage.objects.get"];
    hold(&world, "argoGcUndo", &unused, &deleted, &|| {
        vec![argo_gc(&format!("undo {}", journals().last().unwrap().display()))]
    });
}
