//! What comes after the plan: while the question waits, and while deletes go on.

use std::ffi::OsString;
use std::fs;
use std::io::{Read, Write};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use argo_gc::cli::streams::Streams;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::api_proxy::ApiProxy;
use crate::support::kube::{ADMIN, BOB};
use crate::support::purge::{Live, Ran, ago, pod, within_the_run};

/// Within this time a change stops the deletes that it concerns.
const SOON: Duration = Duration::from_secs(1);

/// The keys `train/00.tgz` and so on.
fn keys(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("train/{at:02}.tgz")).collect()
}

/// A workflow with so many objects.
fn with_objects(namespace: &'static str, count: usize) -> Live {
    let keys = keys(count);
    Live::with(namespace, "train", &keys.iter().map(String::as_str).collect::<Vec<_>>())
}

/// A running workflow that reads an object.
fn reader(live: &Live, key: &str) -> Value {
    let mut reader = live.workflow("reader", &[]);
    pod(&mut reader)["inputs"] = json!({ "artifacts": [{ "name": "in", "gcs": { "key": key } }] });
    running(&mut reader);
    reader
}

fn running(workflow: &mut Value) {
    workflow["status"]["phase"] = json!("Running");
    workflow["status"]["finishedAt"] = Value::Null;
    workflow["metadata"]["labels"]["workflows.argoproj.io/completed"] = json!("false");
}

/// Brings an object into the server while the object of a key is about to be deleted, and waits.
fn during(live: &Live, key: &str, object: Value, wait: Duration) {
    let server = live.server;
    live.gcs.before_delete(live.namespace, key, move |_| {
        server.apply(object);
        thread::sleep(wait);
    });
}

/// Deletes one object after the other.
const ONE_BY_ONE: [&str; 4] = ["train", "--yes", "--concurrency", "1"];

/// Standard input that does something before it answers.
struct Answer {
    before: Option<Box<dyn FnOnce() + Send>>,
    rest: std::io::Cursor<String>,
}

impl Read for Answer {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if let Some(before) = self.before.take() {
            before();
        }
        self.rest.read(buffer)
    }
}

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Purges as a user at a terminal who answers the question after something has happened.
fn asked(live: &Live, user: &str, arguments: &[&str], before: impl FnOnce() + Send + 'static) -> Ran {
    let (out, err) = (Written::default(), Written::default());
    let rest = std::io::Cursor::new(format!("{}\n", live.namespace));
    let mut streams = Streams {
        out: Box::new(out.clone()),
        err: Box::new(err.clone()),
        input: Box::new(Answer { before: Some(Box::new(before)), rest }),
        out_is_terminal: false,
        err_is_terminal: false,
        in_is_terminal: true,
        progress: Default::default(),
        stop: Arc::default(),
        log: Box::new(|_| ()),
        width: None,
        err_width: None,
        no_color: true,
    };
    let repository = format!("gs://{}", live.namespace);
    let kubeconfig = live.server.kubeconfig_for(user).display().to_string();
    let (url, journal) = (live.gcs.url(), live.file("journal.jsonl"));
    let words = ["kubectl argo-gc", "purge", "--kubeconfig", &kubeconfig, "--gcs-endpoint", &url];
    let more = ["--journal", &journal];
    let selected = ["-n", live.namespace, "--repository", &repository, "train"];
    let selected: &[&str] = if arguments.contains(&"--plan") { &[] } else { &selected };
    let words = words.iter().chain(&more).chain(selected).chain(arguments);
    let words: Vec<OsString> = words.map(OsString::from).collect();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let code = runtime.block_on(argo_gc::cli::app::run(words, &mut streams, Timestamp::now()));
    drop(streams);
    let text = |written: Written| String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    Ran { code: Some(code.into()), out: text(out), err: text(err) }
}

/// A role that may do everything but watch.
fn without_watch(live: &Live) {
    live.server.apply(
        "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: all-but-watch }
rules: [{ apiGroups: ['*'], resources: ['*'], verbs: [get, list, create, patch] }]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: all-but-watch }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: all-but-watch }
subjects: [{ apiGroup: rbac.authorization.k8s.io, kind: User, name: bob }]
",
    );
    let path = format!("/apis/argoproj.io/v1alpha1/namespaces/{}/workflows", live.namespace);
    for _ in 0..600 {
        let list = live.server.kubectl_as(BOB, ["get", "--raw", &path]).output().unwrap();
        if list.status.success() {
            return;
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("the grant did not come about");
}

fn kept(ran: &Ran, key: &str) -> bool {
    ran.err.contains(&format!("{key}: something else still refers to the object: by workflow"))
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_37_an_input_submitted_while_the_question_waits_is_kept_on_apiserver_and_fake_gcs() {
    let live = with_objects("watch-question", 3);
    let (server, reader) = (live.server, reader(&live, "train/01.tgz"));
    let ran = asked(&live, ADMIN, &[], move || {
        server.apply(reader);
        thread::sleep(SOON);
    });
    let ran = ran.ends_with(4);
    assert!(kept(&ran, "train/01.tgz"), "{}", ran.err);
    assert!(ran.out.contains("Deleted 2 objects"), "{}", ran.out);
    assert!(ran.out.contains("Kept 1 object because of what appeared or changed"), "{}", ran.out);
    assert!(!ran.err.contains("Warning: cannot watch"), "{}", ran.err);
    assert_eq!(live.gcs.keys(live.namespace), ["train/01.tgz"]);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_37_an_input_submitted_during_the_deletes_is_kept_on_apiserver_and_fake_gcs() {
    let live = with_objects("watch-input", 40);
    during(&live, "train/00.tgz", reader(&live, "train/30.tgz"), SOON);
    let ran = live.purge(&ONE_BY_ONE).ends_with(4);
    assert!(kept(&ran, "train/30.tgz"), "{}", ran.err);
    assert_eq!(live.gcs.keys(live.namespace), ["train/30.tgz"]);
    // The delete was never sent.
    assert!(live.gcs.deletes().iter().all(|delete| delete.key.as_deref() != Some("train/30.tgz")));
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_37_each_kind_that_may_refer_stops_the_deletes_it_concerns_on_apiserver_and_fake_gcs() {
    let live = with_objects("watch-kinds", 8);
    let input = |key: &str| {
        let place = json!({ "bucket": live.namespace, "key": key });
        json!({ "artifacts": [{ "name": "in", "gcs": place }] })
    };
    let object = |kind: &str, name: &str, spec: Value| {
        json!({ "apiVersion": "argoproj.io/v1alpha1", "kind": kind,
            "metadata": { "name": name, "namespace": live.namespace }, "spec": spec })
    };
    let templates = |key: &str| json!({ "templates": [{ "name": "main", "inputs": input(key) }] });
    let cache = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "cache", "namespace": live.namespace,
            "labels": { "workflows.argoproj.io/configmap-type": "Cache" } },
        "data": { "key": json!({ "outputs": input("train/01.tgz") }).to_string() },
    });
    let cron = json!({ "schedules": ["0 0 1 1 *"], "workflowSpec": { "arguments": input("train/03.tgz") } });
    let objects = [
        cache,
        object("WorkflowTemplate", "wt", templates("train/02.tgz")),
        object("CronWorkflow", "cron", cron),
    ];
    let server = live.server;
    live.gcs.before_delete(live.namespace, "train/00.tgz", move |_| {
        for object in objects {
            server.apply(object);
        }
        thread::sleep(SOON);
    });
    let ran = live.purge(&ONE_BY_ONE).ends_with(4);
    assert_eq!(
        live.gcs.keys(live.namespace),
        ["train/01.tgz", "train/02.tgz", "train/03.tgz"],
        "{}",
        ran.err
    );
    for word in ["by cache ", "by workflow template ", "by cron workflow "] {
        assert!(ran.err.contains(word), "{word}: {}", ran.err);
    }
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_37_after_a_retry_during_the_deletes_nothing_is_deleted_on_apiserver_and_fake_gcs() {
    let live = with_objects("watch-retry", 40);
    let names = keys(40);
    let mut retried = live.workflow("train", &names.iter().map(String::as_str).collect::<Vec<_>>());
    running(&mut retried);
    during(&live, "train/00.tgz", retried, SOON);
    let ran = live.purge(&ONE_BY_ONE).ends_with(4);
    assert_eq!(live.gcs.keys(live.namespace), names[1..], "{}", ran.err);
    assert!(ran.err.contains("it is Running again"), "{}", ran.err);
    assert_eq!(live.gcs.deletes().len(), 1);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_37_a_keep_label_on_namespace_or_template_stops_the_rest_on_apiserver_and_fake_gcs() {
    let label = json!({ "argo-gc/keep": "true" });
    let live = with_objects("watch-pinned", 5);
    let namespace = json!({ "apiVersion": "v1", "kind": "Namespace",
        "metadata": { "name": live.namespace, "labels": label } });
    during(&live, "train/01.tgz", namespace, SOON);
    let ran = live.purge(&ONE_BY_ONE).ends_with(4);
    assert_eq!(live.gcs.keys(live.namespace), keys(5)[2..], "{}", ran.err);
    assert!(ran.err.contains("on the namespace, since the plan was made"), "{}", ran.err);

    let live = with_objects("watch-template", 5);
    let template = |labels: &Value| {
        json!({ "apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowTemplate", "spec": {},
            "metadata": { "name": "wt", "namespace": live.namespace, "labels": labels } })
    };
    let names = keys(5);
    let mut made = live.workflow("train", &names.iter().map(String::as_str).collect::<Vec<_>>());
    made["metadata"]["labels"]["workflows.argoproj.io/workflow-template"] = json!("wt");
    live.server.apply(made);
    live.server.apply(template(&json!({})));
    during(&live, "train/01.tgz", template(&label), SOON);
    let ran = live.purge(&ONE_BY_ONE).ends_with(4);
    assert_eq!(live.gcs.keys(live.namespace), names[2..], "{}", ran.err);
    assert!(ran.err.contains("on the template, since the plan was made"), "{}", ran.err);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_24_a_keep_label_after_the_last_delete_keeps_the_finalizer_on_apiserver_and_fake_gcs() {
    const FINALIZER: &str = "workflows.argoproj.io/artifact-gc";
    let live = Live::start("watch-finalizer");
    live.gcs.bucket(live.namespace);
    let mut stuck = live.workflow("train", &["train/00.tgz"]);
    stuck["metadata"]["finalizers"] = json!([FINALIZER]);
    stuck["spec"]["templates"][0]["outputs"] = json!({ "artifacts": [{ "name": "x", "path": "/x" }] });
    stuck["status"]["artifactGCStatus"] = json!({ "strategiesProcessed": { "OnWorkflowDeletion": true } });
    stuck["metadata"]["deletionTimestamp"] = json!(ago(within_the_run()));
    live.server.apply(stuck);
    live.put("train/00.tgz");
    let namespace = json!({ "apiVersion": "v1", "kind": "Namespace",
        "metadata": { "name": live.namespace, "labels": { "argo-gc/keep": "true" } } });
    during(&live, "train/00.tgz", namespace, SOON);
    let ran = live.purge(&["train", "--yes", "--release-finalizer"]).ends_with(4);
    assert!(ran.err.contains("the finalizer is kept: it was pinned on the namespace"), "{}", ran.err);
    assert_eq!(live.get("train")["metadata"]["finalizers"], json!([FINALIZER]));
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_37_a_saved_plan_is_guarded_alike_on_apiserver_and_fake_gcs() {
    let live = with_objects("watch-saved", 5);
    let plan = live.file("plan.json");
    live.purge(&["train", "--plan-out", &plan]).ends_with(0);
    let (server, reader) = (live.server, reader(&live, "train/01.tgz"));
    let ran = asked(&live, ADMIN, &["--plan", &plan], move || {
        server.apply(reader);
        thread::sleep(SOON);
    });
    let ran = ran.ends_with(4);
    assert!(kept(&ran, "train/01.tgz"), "{}", ran.err);
    assert_eq!(live.gcs.keys(live.namespace), ["train/01.tgz"]);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_37_what_may_not_be_watched_is_read_again_on_apiserver_and_fake_gcs() {
    let live = with_objects("watch-forbidden", 5);
    without_watch(&live);
    // After the question at once, and while deletes go on every 15 seconds at least.
    let (server, first) = (live.server, reader(&live, "train/01.tgz"));
    let mut second = reader(&live, "train/04.tgz");
    second["metadata"]["name"] = json!("second");
    during(&live, "train/00.tgz", second, Duration::from_secs(15));
    let ran = asked(&live, BOB, &["--concurrency", "1"], move || drop(server.apply(first)));
    let ran = ran.ends_with(4);
    let warning = "Warning: cannot watch workflows, configmaps, ";
    assert_eq!(ran.err.matches(warning).count(), 1, "{}", ran.err);
    assert!(ran.err.contains("(forbidden); a list is read again at least every 15 seconds"), "{}", ran.err);
    assert_eq!(live.gcs.keys(live.namespace), ["train/01.tgz", "train/04.tgz"], "{}", ran.err);
}

/// Purges through a proxy that a test breaks while the first object is deleted.
fn through(live: &Live, proxy: &ApiProxy) -> Ran {
    let path = live.file("kubeconfig");
    fs::write(&path, proxy.config().to_string()).unwrap();
    let mut command = live.command("purge", &ONE_BY_ONE);
    command.env("KUBECONFIG", path);
    Ran::of(command)
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_37_a_watch_that_breaks_is_made_up_for_by_reading_on_apiserver_and_fake_gcs() {
    let live = with_objects("watch-broken", 5);
    let proxy = Arc::new(ApiProxy::before(live.server));
    let (server, breaking, reader) = (live.server, Arc::clone(&proxy), reader(&live, "train/03.tgz"));
    live.gcs.before_delete(live.namespace, "train/00.tgz", move |_| {
        breaking.cut_watches();
        server.apply(reader);
        thread::sleep(Duration::from_secs(5));
    });
    let ran = through(&live, &proxy).ends_with(4);
    assert_eq!(live.gcs.keys(live.namespace), ["train/03.tgz"], "{}", ran.err);
    assert_eq!(ran.err.matches("Warning: cannot watch ").count(), 1, "{}", ran.err);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_37_deletes_wait_while_nothing_is_heard_of_the_cluster_on_apiserver_and_fake_gcs() {
    let live = with_objects("watch-silent", 5);
    let proxy = Arc::new(ApiProxy::before(live.server));
    let (server, breaking, reader) = (live.server, Arc::clone(&proxy), reader(&live, "train/03.tgz"));
    live.gcs.before_delete(live.namespace, "train/00.tgz", move |_| {
        breaking.silence_watches();
        server.apply(reader);
        // What was heard last counts for so long.
        thread::sleep(Duration::from_secs(16));
    });
    let ran = through(&live, &proxy).ends_with(4);
    assert_eq!(live.gcs.keys(live.namespace), ["train/03.tgz"], "{}", ran.err);
    assert!(kept(&ran, "train/03.tgz"), "{}", ran.err);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_37_a_workflow_that_takes_the_name_of_orphans_keeps_them_on_apiserver_and_fake_gcs() {
    let live = Live::start("watch-orphans");
    live.gcs.bucket(live.namespace);
    let keys = ["argo/lost/lost-1/a.tgz", "argo/lost/lost-1/b.tgz", "argo/lost/lost-1/c.tgz"];
    keys.iter().for_each(|key| live.put(key));
    let plan = live.file("plan.json");
    let mut command = live.command("orphans", &["--repository", "gs://watch-orphans/argo", "--exclusive"]);
    command.args(["--older", "1h", "--plan-out", &plan]);
    Ran::of(command).ends_with(0);
    let mut lost = live.workflow("lost", &[]);
    running(&mut lost);
    during(&live, keys[0], lost, SOON);
    let ran = live.purge(&["--plan", &plan, "--yes", "--concurrency", "1"]).ends_with(4);
    assert_eq!(live.gcs.keys(live.namespace), keys[1..], "{}", ran.err);
    assert!(ran.err.contains("lost is pinned, or not finished"), "{}", ran.err);
}
