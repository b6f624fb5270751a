//! What `purge --engine argo` and `manifest` print, run by a real controller to its end.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::argo::{ArgoServer, Knows};
use crate::support::kube::ADMIN;
use crate::support::plugin;
use crate::support::purge::{Ran, deletes};
use crate::support::real_argo::controller::Settings;
use crate::support::real_argo::runner::Fate;
use crate::support::real_argo::{BUCKET, RealArgo, path};

/// Where the pods of these runs are.
const RUNS: &str = "argo-gc";

const IMAGE: &str = "example/argo-gc:1";

/// A real Argo, the account of `manifest` in a namespace, and a bucket for plans.
struct World {
    argo: RealArgo,
    folder: TempDir,
}

/// A plan of what a namespace's workflows left behind, and the Workflow that carries it out.
#[derive(Clone)]
struct Handed {
    plan: String,
    keys: BTreeSet<String>,
    manifest: String,
}

impl World {
    fn start() -> Self {
        let argo = RealArgo::start(&Settings::default());
        argo.gcs.bucket("plans");
        argo.namespace(RUNS);
        let folder = TempDir::new().unwrap();
        let world = Self { argo, folder };
        let objects = world.manifest("cronworkflow", &[]);
        let rights: Vec<Value> =
            objects.into_iter().filter(|object| object["kind"] != "CronWorkflow").collect();
        world.argo.create(json!(rights));
        world
    }

    fn manifest(&self, kind: &str, more: &[&str]) -> Vec<Value> {
        let words = ["manifest", kind, "--image", IMAGE, "--mode", "purge", "-n", RUNS];
        let text = Ran::of(plugin(words.iter().chain(more))).ends_with(0).out;
        serde_saphyr::from_multiple(&text).unwrap()
    }

    /// Workflows of inline steps with two objects each, which nobody collects.
    fn runs(&self, namespace: &str, count: usize) {
        self.argo.namespace(namespace);
        let out = |name: &str| json!({ "name": name, "path": format!("/tmp/{name}") });
        let body = json!({
            "container": { "image": "test", "command": ["produce"] },
            "outputs": { "artifacts": [out("a"), out("b")] },
        });
        let name = |at: usize| format!("run-{at}");
        let all: Vec<Value> = (0..count)
            .map(|at| {
                json!({
                    "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow",
                    "metadata": { "name": name(at), "namespace": namespace },
                    "spec": { "entrypoint": "main", "artifactGC": { "strategy": "OnWorkflowDeletion" },
                              "templates": [{ "name": "main", "steps": [[{ "name": "s", "inline": body }]] }] },
                })
            })
            .collect();
        self.argo.create(json!(all));
        for at in 0..count {
            let over = self.over(namespace, &name(at));
            assert_eq!(over["status"]["phase"], "Succeeded", "{over:#}");
        }
    }

    fn over(&self, namespace: &str, name: &str) -> Value {
        let start = Instant::now();
        loop {
            let workflow = self.argo.workflow(namespace, name).unwrap_or_default();
            if workflow["metadata"]["labels"]["workflows.argoproj.io/completed"] == "true" {
                return workflow;
            }
            let log = || self.argo.controller.log_of(name);
            assert!(start.elapsed() < Duration::from_secs(180), "{:#}\n{}", workflow["status"], log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn hand_over(&self, namespace: &str, shards: u32) -> Handed {
        let plan = self.folder.path().join(format!("{namespace}.json")).display().to_string();
        self.argo
            .argo_gc(&["purge", "-n", namespace, "--all", "--grace", "0s", "--plan-out", &plan])
            .ends_with(0);
        let text = std::fs::read_to_string(&plan).unwrap();
        let keys = deletes(&serde_json::from_str(&text).unwrap()).into_iter().collect();
        self.argo.gcs.put("plans", namespace, text);
        let manifest = self.printed(namespace, &plan, shards);
        Handed { plan, keys, manifest }
    }

    /// The Workflow that carries a saved plan out.
    fn printed(&self, namespace: &str, plan: &str, shards: u32) -> String {
        let (location, shards) = (format!("gs://plans/{namespace}"), shards.to_string());
        let words = ["purge", "--plan", plan, "--engine", "argo", "--plan-location", &location];
        self.argo.argo_gc(&[&words[..], &["--shards", &shards, "--image", IMAGE]].concat()).ends_with(0).out
    }

    fn submit(&self, handed: &Handed) -> String {
        let line = ["create", "-n", RUNS, "-o", "name", "-f", "-"];
        let name = Ran::with_input(self.argo.server.kubectl(line), handed.manifest.as_str()).ends_with(0).out;
        name.trim().rsplit('/').next().unwrap().to_owned()
    }

    /// Runs the Workflow to its end; its phase, and the message of its last pod.
    fn carry_out(&self, handed: &Handed) -> (String, String, Value) {
        let over = self.over(RUNS, &self.submit(handed));
        let (phase, message) = (text(&over["status"]["phase"]), message(&over, "sum"));
        (phase, message, over)
    }

    /// The first shard that has something to delete, and how much.
    fn busy_shard(&self, handed: &Handed, of: u32) -> (String, BTreeSet<String>) {
        let mut shards = (1..=of).map(|number| {
            let shard = format!("{number}/{of}");
            let words = ["purge", "--plan", &handed.plan, "--shard", &shard, "--dry-run", "-o", "json"];
            let shown = self.argo.argo_gc(&words).ends_with(0).json();
            (number.to_string(), deletes(&shown).into_iter().collect::<BTreeSet<String>>())
        });
        shards.find(|(_, keys)| !keys.is_empty()).unwrap()
    }

    fn left(&self, namespace: &str) -> BTreeSet<String> {
        self.argo.keys(&format!("{namespace}/")).into_iter().collect()
    }

    /// Nothing was deleted without a pin, and nothing outside these plans.
    fn was_careful(&self, plans: &[&Handed]) {
        assert!(self.argo.gcs.unpinned().is_empty(), "{:?}", self.argo.gcs.unpinned());
        for delete in self.argo.gcs.deletes() {
            let key = delete.key.unwrap_or_default();
            assert!(plans.iter().any(|handed| handed.keys.contains(&key)), "{key} is of no plan");
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The messages of the pods of a template, each once.
fn message(workflow: &Value, template: &str) -> String {
    let nodes = workflow["status"]["nodes"]
        .as_object()
        .unwrap_or_else(|| panic!("{:#}", workflow["status"]))
        .values();
    let of = nodes.filter(|node| node["templateName"] == template && node["type"] == "Pod");
    let messages: BTreeSet<String> = of.map(|node| text(&node["message"])).collect();
    messages.into_iter().filter(|message| !message.is_empty()).collect::<Vec<_>>().join(" | ")
}

/// How many pods a template had.
fn pods(workflow: &Value, template: &str) -> usize {
    let nodes = workflow["status"]["nodes"].as_object().unwrap().values();
    nodes.filter(|node| node["templateName"] == template && node["type"] == "Pod").count()
}

/// The shard whose pod this is.
fn shard(pod: &Value) -> Option<String> {
    let args = pod["spec"]["containers"].as_array()?.iter().find(|container| container["name"] == "main")?;
    let mut words = args["args"].as_array()?.iter().filter_map(Value::as_str);
    words
        .find_map(|word| word.strip_prefix("--shard="))
        .map(|word| word.split('/').next().unwrap().to_owned())
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn shards_on_the_cluster_end_as_they_should_on_argo_and_unshare() {
    let world = World::start();
    let cluster = &world.argo.cluster;

    // One shard.
    world.runs("one", 2);
    let one = world.hand_over("one", 1);
    assert_eq!(one.keys, world.left("one"));
    let (phase, words, over) = world.carry_out(&one);
    assert_eq!((phase.as_str(), words.as_str()), ("Succeeded", ""), "{:#}", over["status"]);
    assert_eq!(world.left("one"), BTreeSet::new());
    // Again, in more shards than run at a time: all is gone.
    let again = Handed { manifest: world.printed("one", &one.plan, 10), ..one.clone() };
    let (phase, _, over) = world.carry_out(&again);
    assert_eq!((phase.as_str(), pods(&over, "purge")), ("Succeeded", 10), "{:#}", over["status"]);

    // Eight shards. One is killed as often as it is tried, another one is lost with its node once.
    world.runs("eight", 12);
    let eight = world.hand_over("eight", 8);
    assert_eq!((eight.keys.len(), &eight.keys), (24, &world.left("eight")));
    let (killed, its) = world.busy_shard(&eight, 8);
    let lost = Mutex::new(BTreeSet::new());
    cluster.decide(RUNS, {
        let killed = killed.clone();
        move |pod| match shard(pod) {
            Some(shard) if shard == killed => Fate::Kill(Duration::ZERO),
            Some(shard) if lost.lock().unwrap().is_empty() => {
                lost.lock().unwrap().insert(shard);
                Fate::Evict
            }
            _ => Fate::Run,
        }
    });
    let (phase, words, over) = world.carry_out(&eight);
    assert_eq!(phase, "Failed", "{:#}", over["status"]);
    let wanted = format!(
        "main: Error (exit code 4): 1 of 8 shards failed ({killed}): nothing is known of {} of 24 objects. To go on, \
         create the workflow again: it skips what is gone",
        its.len()
    );
    assert_eq!(words, wanted);
    assert_eq!(world.left("eight"), its);
    cluster.decide(RUNS, |_| Fate::Run);
    let (phase, _, over) = world.carry_out(&eight);
    assert_eq!((phase.as_str(), world.left("eight")), ("Succeeded", BTreeSet::new()), "{:#}", over["status"]);
    // The journals are kept, for undo, and name everything.
    let journals = world.argo.keys(&format!("{RUNS}/"));
    let journals = journals.iter().filter_map(|key| world.argo.gcs.bytes(BUCKET, key));
    let journals: String = journals.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect();
    for key in one.keys.union(&eight.keys) {
        let mut lines = journals.lines().filter(|line| line.contains(r#""line":"result""#));
        assert!(lines.any(|line| line.contains(key)), "{key} is in no journal");
    }
    world.was_careful(&[&one, &eight]);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_shard_that_is_refused_stopped_or_leaves_something_fails_its_workflow_on_argo_and_unshare() {
    let world = World::start();
    let cluster = &world.argo.cluster;
    world.runs("ml", 3);
    let handed = world.hand_over("ml", 2);

    // Stopped before its shards began. Argo takes a loop that may fail for a success.
    cluster.decide(RUNS, |_| Fate::Hold);
    let name = world.submit(&handed);
    let start = Instant::now();
    while world.argo.workflow(RUNS, &name).unwrap_or_default()["status"]["nodes"]
        .as_object()
        .map_or(0, |nodes| nodes.len())
        < 6
    {
        let workflow = world.argo.workflow(RUNS, &name).unwrap_or_default();
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "{:#}\n{}",
            workflow["status"],
            world.argo.controller.log_of(&name)
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    let patch = json!({ "spec": { "shutdown": "Terminate" } }).to_string();
    Ran::of(world.argo.server.kubectl([
        "patch",
        "workflow",
        &name,
        "-n",
        RUNS,
        "--type=merge",
        "-p",
        &patch,
    ]))
    .ends_with(0);
    let over = world.over(RUNS, &name);
    assert_eq!(over["status"]["phase"], "Failed", "{:#}", over["status"]);
    cluster.decide(RUNS, |_| Fate::Run);

    // Refused: what else refers to the objects can't be read.
    let role = format!("/apis/rbac.authorization.k8s.io/v1/clusterroles/{RUNS}:argo-gc");
    let role = world.argo.server.get(&role).unwrap();
    let mut less = role.clone();
    less["rules"]
        .as_array_mut()
        .unwrap()
        .retain(|rule| !rule["resources"].to_string().contains("cronworkflows"));
    world.argo.create(json!([bare(less)]));
    let (phase, words, over) = world.carry_out(&handed);
    assert_eq!(phase, "Failed", "{:#}", over["status"]);
    assert!(
        words.starts_with(
            "main: Error (exit code 4): 2 of 2 shards failed (1, 2): nothing is known of 6 of 6 objects"
        ),
        "{words}"
    );
    let own = message(&over, "purge");
    assert!(own.contains("(exit code 5): shard 1/2: error: it is unknown what else refers to"), "{own}");
    assert_eq!(world.left("ml"), handed.keys);
    world.argo.create(json!([bare(role)]));
    // The authorizer hears of roles through a watch.
    let may = ["auth", "can-i", "list", "cronworkflows.argoproj.io", "-A", "--as"];
    let account = format!("system:serviceaccount:{RUNS}:argo-gc");
    let start = Instant::now();
    while Ran::of(world.argo.server.kubectl(may.iter().copied().chain([account.as_str()]))).out.trim()
        != "yes"
    {
        assert!(start.elapsed() < Duration::from_secs(60));
    }

    // One is held at the last moment.
    let held = handed.keys.first().unwrap().clone();
    world.argo.gcs.before_delete(BUCKET, &held.clone(), {
        let held = held.clone();
        move |gcs| gcs.hold(BUCKET, &held)
    });
    let (phase, words, over) = world.carry_out(&handed);
    assert_eq!(phase, "Failed", "{:#}", over["status"]);
    assert!(
        words.starts_with("main: Error (exit code 4): 1 of 2 shards failed (")
            && words.contains("): 1 of 6 objects are left. To go on"),
        "{words}"
    );
    assert!(message(&over, "purge").contains(" (exit code 4): shard "), "{}", message(&over, "purge"));
    assert_eq!(world.left("ml"), BTreeSet::from([held]));
    world.was_careful(&[&handed]);
}

/// What only an Argo server can read is read by the pods, too, with a token that is in no manifest.
#[test]
#[ignore = "tests/run brings what it needs"]
fn shards_ask_the_argo_server_with_the_token_of_a_secret_on_argo_and_unshare() {
    let world = World::start();
    world.runs("kept", 2);
    // Another controller of the cluster keeps an archive.
    let labels = json!({ "app": "workflow-controller" });
    let image = "quay.io/argoproj/workflow-controller:v4.0.5";
    let template = json!({ "metadata": { "labels": labels }, "spec": {
        "serviceAccountName": "argo", "containers": [{ "name": "workflow-controller", "image": image }],
    }});
    let meta = |name: &str| json!({ "name": name, "namespace": "archiving" });
    world.argo.create(json!([
        { "apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta("argo") },
        { "apiVersion": "v1", "kind": "ConfigMap", "metadata": meta("workflow-controller-configmap"),
          "data": { "persistence": "archive: true\npostgresql: { host: postgres }\n" } },
        { "apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta("workflow-controller"),
          "spec": { "selector": { "matchLabels": labels }, "template": template } },
        { "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "argo-token", "namespace": RUNS },
          "stringData": { "token": "s3cret" } },
    ]));
    world.argo.server.let_manage("archiving");
    let live = ["run-0", "run-1"].map(|name| world.argo.workflow("kept", name).unwrap()).to_vec();
    let argo = ArgoServer::start(Knows { token: Some("s3cret".into()), live, ..Knows::default() });
    let plan = world.folder.path().join("plan.json").display().to_string();
    let run = |words: &[&str]| {
        let mut command = world.argo.server.kubectl_as(ADMIN, ["argo-gc", "purge"]);
        command.args(words).env("STORAGE_EMULATOR_HOST", world.argo.gcs.url());
        command.env("ARGO_SERVER", argo.url()).env("ARGO_TOKEN", "s3cret");
        Ran::of(command)
    };
    let make = ["-n", "kept", "--all", "--grace", "0s", "--plan-out", &plan];
    world.argo.argo_gc(&[&["purge"], &make[..]].concat()).ends_with(5);
    run(&make).ends_with(0);
    let text = std::fs::read_to_string(&plan).unwrap();
    let keys = deletes(&serde_json::from_str(&text).unwrap()).into_iter().collect();
    world.argo.gcs.put("plans", "kept", text);
    let words = ["--plan", &plan, "--engine", "argo", "--plan-location", "gs://plans/kept", "--shards", "2"];
    let words = [&words[..], &["--image", IMAGE, "--argo-token-secret", "argo-token"]].concat();
    let manifest = run(&words).ends_with(0).out;
    assert!(!manifest.contains("s3cret"), "{manifest}");
    let (handed, asked) = (Handed { plan: plan.clone(), keys, manifest }, argo.requests().len());
    // The server knows the new workflow as well as the cluster does.
    world.argo.cluster.decide(RUNS, |_| Fate::Hold);
    let name = world.submit(&handed);
    let new = world.argo.workflow(RUNS, &name).unwrap();
    argo.change(|knows| knows.live.push(new));
    world.argo.cluster.decide(RUNS, |_| Fate::Run);
    let over = world.over(RUNS, &name);
    assert_eq!(over["status"]["phase"], "Succeeded", "{:#}", over["status"]);
    assert_eq!(world.left("kept"), BTreeSet::new());
    let by_pods = argo.requests().split_off(asked);
    assert!(by_pods.iter().any(|seen| seen.path.ends_with("/archived-workflows")), "{}", by_pods.len());
    assert!(by_pods.iter().all(|seen| seen.header("authorization") == ["Bearer s3cret"]));
    world.was_careful(&[&handed]);
}

/// As it may be applied again.
fn bare(role: Value) -> Value {
    json!({
        "apiVersion": role["apiVersion"], "kind": role["kind"], "rules": role["rules"],
        "metadata": { "name": role["metadata"]["name"] },
    })
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn scheduled_runs_fail_if_something_is_left_on_argo_and_unshare() {
    let world = World::start();
    world.runs("cron", 2);
    let keys = world.left("cron");
    let again = keys.first().unwrap().clone();
    // Written again at the last moment, so it is another object.
    let overwrite = |key: String| {
        world.argo.gcs.before_delete(BUCKET, &key.clone(), move |gcs| {
            gcs.put(BUCKET, &key, "again");
        });
    };
    let policy = world.folder.path().join("policy.yaml");
    std::fs::write(&policy, "apiVersion: argo-gc/v1\nkind: RetentionPolicy\n").unwrap();
    let policy = policy.display().to_string();
    let more = ["--policy", &policy, "--schedule", "@every 2s", "--", "--grace", "0s"];

    // Argo's own schedule, which fires by itself.
    overwrite(again.clone());
    world.argo.create(json!(world.manifest("cronworkflow", &more)));
    let list = path(RUNS, "");
    let start = Instant::now();
    let over = loop {
        let all = world.argo.server.get(list.trim_end_matches('/')).unwrap();
        let over = all["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(|workflow| workflow["metadata"]["labels"]["workflows.argoproj.io/completed"] == "true");
        if let Some(over) = over {
            break over.clone();
        }
        assert!(start.elapsed() < Duration::from_secs(120), "{all:#}\n{}", world.argo.controller.log());
        std::thread::sleep(Duration::from_millis(100));
    };
    assert_eq!(over["status"]["phase"], "Failed", "{:#}", over["status"]);
    // The node is the workflow's only one, so its message is the workflow's.
    assert_eq!(over["status"]["message"], "main: Error (exit code 4): 3 of 4 objects are gone");
    assert_eq!(world.left("cron"), BTreeSet::from([again.clone()]));
    Ran::of(world.argo.server.kubectl(["delete", "cronworkflow", "argo-gc", "-n", RUNS])).ends_with(0);

    // Kubernetes' schedule: the pod that its Job would make.
    let objects = world.manifest("cronjob", &more);
    let job = objects.iter().find(|object| object["kind"] == "CronJob").unwrap();
    let pod = |name: &str| {
        world.argo.create(json!([{
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name, "namespace": RUNS },
            "spec": job["spec"]["jobTemplate"]["spec"]["template"]["spec"],
        }]));
        let path = format!("/api/v1/namespaces/{RUNS}/pods/{name}");
        let start = Instant::now();
        loop {
            let pod = world.argo.server.get(&path).unwrap();
            let ended = pod["status"]["containerStatuses"][0]["state"]["terminated"].clone();
            if ended.is_object() {
                return (text(&pod["status"]["phase"]), text(&ended["message"]));
            }
            assert!(start.elapsed() < Duration::from_secs(60), "{:#}", pod["status"]);
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    overwrite(again.clone());
    assert_eq!(pod("leaves-one"), ("Failed".to_owned(), "0 of 1 object is gone".to_owned()));
    assert_eq!(pod("whole"), ("Succeeded".to_owned(), "1 of 1 object is gone".to_owned()));
    assert_eq!(world.left("cron"), BTreeSet::new());
}
