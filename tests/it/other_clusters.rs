//! Dangers 15 and 38: what another cluster on the same bucket needs, by its document of references.

use serde_json::{Value, json};

use crate::support::kube::ALICE;
use crate::support::purge::{BUCKET, Folder, Live, ago, deletes, keeps_to, protections, workflow};
use crate::support::{Ran, plugin};
use jiff::SignedDuration;

const OLD: SignedDuration = SignedDuration::from_hours(24 * 30);

/// A document of another cluster, made now, with one referrer.
fn references(referrer: Value) -> Value {
    json!({
        "apiVersion": "argo-gc/v1", "kind": "References", "generatedAt": ago(SignedDuration::ZERO),
        "cluster": { "uid": "other", "server": "https://other", "context": "other" },
        "workflows": [], "guarded": { "workflows": [], "folders": [] },
        "referrers": [referrer],
    })
}

/// A document in a file that vanishes with the folder.
struct Document {
    directory: tempfile::TempDir,
}

impl Document {
    fn new(document: &Value) -> Self {
        let it = Self { directory: tempfile::tempdir().unwrap() };
        it.write(&document.to_string());
        it
    }

    fn write(&self, text: &str) {
        std::fs::write(self.path(), text).unwrap();
    }

    fn path(&self) -> String {
        self.directory.path().join("other.json").display().to_string()
    }
}

/// A purged workflow with three artifacts, and three orphans beside it.
fn folder() -> Folder {
    let mut folder = Folder::new();
    let keys = ["argo/train/train-1/a.tgz", "argo/train/train-1/b.tgz", "argo/train/train-1/c.tgz"];
    folder.add(workflow("ml", "train", &keys));
    keys.iter().for_each(|key| folder.put(key));
    for name in ["one", "two", "three"] {
        folder.put_at(BUCKET, &format!("argo/{name}/{name}-1/a.tgz"), OLD);
    }
    folder
}

const PURGE: [&str; 5] = ["-n", "ml", "--all", "--repository", "gs://ml-artifacts"];

/// What is purged beside another cluster.
fn purged(folder: &Folder, document: &Value) -> Vec<String> {
    let document = Document::new(document);
    let also = document.path();
    let words: Vec<&str> = PURGE.iter().copied().chain(["--also", &also]).collect();
    deletes(&folder.plan(&words))
}

/// The names of orphans beside another cluster.
fn orphaned(folder: &Folder, document: &Value) -> Vec<String> {
    let document = Document::new(document);
    let words =
        ["--repository", "gs://ml-artifacts/argo", "--exclusive", "-o", "json", "--also", &document.path()];
    let found = folder.run("orphans", &words).ends_with(0).json();
    assert_eq!(found["offered"], true, "{found:#}");
    let orphans = found["repositories"][0]["orphans"].as_array().unwrap();
    let mut names: Vec<String> = orphans.iter().map(|o| o["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[test]
fn danger_38_inputs_outputs_and_words_of_another_cluster_keep_what_they_name() {
    let folder = folder();
    let nothing = references(json!({ "name": "workflow x/idle" }));
    assert_eq!(purged(&folder, &nothing).len(), 3);
    assert_eq!(orphaned(&folder, &nothing), ["one", "three", "two"]);
    for key in ["train/train-1/a.tgz", "one/one-1/a.tgz"] {
        let key = format!("argo/{key}");
        for referrer in [
            json!({ "name": "workflow x/reader", "uses": [{ "bucket": BUCKET, "key": key, "read": true }] }),
            json!({ "name": "workflow x/writer", "uses": [{ "bucket": BUCKET, "key": key }] }),
            json!({ "name": "sensor x/s", "uses": [{ "bucket": BUCKET, "key": key, "read": true, "mentioned": true }] }),
            json!({ "name": "cache x/c", "uses": [{ "key": key }] }),
            json!({ "name": "cron workflow x/c", "words": [format!("--in=gs://{BUCKET}/{key}#17")] }),
            json!({ "name": "cron workflow x/c", "words": ["train", key] }),
        ] {
            let document = references(referrer);
            assert!(!purged(&folder, &document).contains(&key), "{document:#}");
            let one = key.contains("one").then_some("one");
            assert_eq!(
                orphaned(&folder, &document).contains(&"one".to_owned()),
                one.is_none(),
                "{document:#}"
            );
        }
    }
}

#[test]
fn danger_38_workflows_of_another_cluster_exist_and_guard_what_they_may_still_write() {
    let folder = folder();
    let mut document = references(json!({ "name": "workflow x/idle" }));
    document["workflows"] = json!(["one"]);
    document["guarded"] = json!({ "workflows": ["two"], "folders": [] });
    assert_eq!(orphaned(&folder, &document), ["three"]);
    document["guarded"] = json!({ "workflows": ["train"], "folders": [] });
    assert_eq!(purged(&folder, &document), [""; 0]);
    // What was written since the document was made may be recorded there by now.
    document["guarded"] = json!({ "workflows": [], "folders": [] });
    document["generatedAt"] = json!(ago(OLD - SignedDuration::from_hours(24)));
    let also = Document::new(&document);
    let words = [
        "--repository",
        "gs://ml-artifacts/argo",
        "-o",
        "json",
        "--also",
        &also.path(),
        "--also-max-age",
        "40d",
    ];
    let found = folder.run("orphans", &words).ends_with(0).json();
    assert_eq!(found["repositories"][0]["orphans"], json!([]), "{found:#}");
}

#[test]
fn danger_38_a_document_that_is_old_to_come_or_none_is_refused() {
    let folder = folder();
    let document = Document::new(&Value::Null);
    let also = document.path();
    let fails = |text: &str, code: i32, why: &str| {
        document.write(text);
        for verb in ["purge", "orphans"] {
            let words: Vec<&str> = match verb {
                "purge" => PURGE.iter().copied().chain(["--yes", "--also", &also]).collect(),
                _ => vec!["--repository", "gs://ml-artifacts/argo", "--also", &also],
            };
            let ran = folder.run(verb, &words).ends_with(code);
            assert!(ran.err.contains(why), "{verb} {}", ran.err);
        }
    };
    let mut whole = references(json!({ "name": "x" }));
    whole["generatedAt"] = json!(ago(SignedDuration::from_hours(25)));
    fails(&whole.to_string(), 5, "which is too long ago");
    whole["generatedAt"] = json!(ago(SignedDuration::from_hours(-2)));
    fails(&whole.to_string(), 5, "which is in the future");
    let text = references(json!({ "name": "x" })).to_string();
    fails(&text[..text.len() - 2], 1, "this is no complete document of references");
    fails(
        &text.replace("References", "Inspection"),
        1,
        "this is a document of kind Inspection, not References",
    );
    let inspection = folder.run("inspect", &["-o", "json"]).ends_with(0).out;
    // A real one has other fields.
    fails(&inspection, 1, "this is a document of kind Inspection, not References");
    assert!(folder.has("argo/train/train-1/a.tgz"));
}

#[test]
fn danger_38_a_plan_made_beside_another_cluster_is_carried_out_beside_it_only() {
    let folder = folder();
    let document = Document::new(&references(json!({ "name": "workflow x/idle" })));
    let (also, plan) = (document.path(), document.directory.path().join("plan.json").display().to_string());
    let words: Vec<&str> = PURGE.iter().copied().chain(["--also", &also, "--plan-out", &plan]).collect();
    let saved = folder.purge(&words).ends_with(0);
    // What is printed to go on with has all that it needs.
    assert!(saved.err.contains(&format!("--also={also} --also-max-age=86400s")), "{}", saved.err);
    let root = folder.bucket(BUCKET).parent().unwrap().to_owned();
    let apply = |more: &[&str]| {
        let mut command = plugin(["purge", "--plan", &plan, "--yes"]);
        command.arg("--store-root").arg(&root).args(more);
        command.env("XDG_STATE_HOME", document.directory.path()).env_remove("STORAGE_EMULATOR_HOST");
        Ran::of(command)
    };
    let ran = apply(&[]).ends_with(5);
    assert!(
        ran.err.contains("the plan was made with the references of the cluster https://other"),
        "{}",
        ran.err
    );
    // By now it reads one of the objects.
    let read = json!({ "bucket": BUCKET, "key": "argo/train/train-1/b.tgz", "read": true });
    document.write(&references(json!({ "name": "workflow x/new", "uses": [read] })).to_string());
    let ran = apply(&["--also", &also]).ends_with(4);
    assert!(ran.out.contains("Deleted 2 objects"), "{}{}", ran.out, ran.err);
    assert!(folder.has("argo/train/train-1/b.tgz") && !folder.has("argo/train/train-1/a.tgz"));
}

fn told(live: &Live, user: &str) -> Ran {
    let mut command = live.server.kubectl_as(user, ["argo-gc", "references", "-A"]);
    command.env("STORAGE_EMULATOR_HOST", live.gcs.url());
    Ran::of(command)
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_38_what_a_cluster_tells_keeps_its_inputs_in_another_on_apiserver_and_fake_gcs() {
    let live = Live::with("told", "told-train", &["argo/told-train/told-train-1/a.tgz"]);
    let mut running = live.workflow("told-reader", &[]);
    running["status"]["phase"] = json!("Running");
    running["metadata"]["labels"]["workflows.argoproj.io/completed"] = json!("false");
    running["spec"]["arguments"] = json!({
        "artifacts": [{ "name": "in", "gcs": { "bucket": BUCKET, "key": "argo/one/one-1/a.tgz" } }],
        "parameters": [{ "name": "key", "value": "argo/train/train-1/c.tgz" }],
    });
    live.server.apply(running);
    live.server.apply(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {
            "name": "told-cache", "namespace": live.namespace,
            "labels": { "workflows.argoproj.io/configmap-type": "Cache" },
        },
        "data": { "entry": json!({ "outputs": { "artifacts": [
            { "name": "out", "gcs": { "bucket": BUCKET, "key": "argo/train/train-1/b.tgz" } },
        ] } }).to_string() },
    }));
    let ran = told(&live, "admin").ends_with(0);
    let document = ran.json();
    keeps_to("references.v1.json", &document);
    let has = |list: &str, name: &str| document[list].as_array().unwrap().contains(&json!(name));
    assert!(has("workflows", "told-train") && has("workflows", "told-reader"), "{document:#}");
    assert!(document["guarded"]["workflows"].as_array().unwrap().contains(&json!("told-reader")));

    // In another cluster, here one of files.
    let folder = folder();
    assert_eq!(purged(&folder, &document), ["argo/train/train-1/a.tgz"]);
    assert_eq!(orphaned(&folder, &document), ["three", "two"]);
    // In the cluster itself they are no other's.
    let also = Document::new(&document);
    let ran = live.purge(&["told-train", "--also", &also.path(), "--dry-run"]).ends_with(5);
    assert!(ran.err.contains("are of this very cluster"), "{}", ran.err);
    // Who can't read everything tells nothing.
    let ran = told(&live, ALICE);
    assert!(ran.code != Some(0) && ran.out.is_empty(), "{ran:#?}");
}

#[test]
fn references_are_of_a_whole_cluster() {
    let ran = Ran::of(plugin(["references"])).ends_with(2);
    assert!(ran.err.contains("--all-namespaces"), "{}", ran.err);
    Ran::of(plugin(["references", "-A", "-n", "ml"])).ends_with(2);
}

#[test]
fn a_kept_object_names_the_cluster_that_needs_it() {
    let folder = folder();
    let read = json!({ "bucket": BUCKET, "key": "argo/train/train-1/", "read": true });
    let document = Document::new(&references(json!({ "name": "workflow x/new", "uses": [read] })));
    let words: Vec<&str> = PURGE.to_vec();
    let also = document.path();
    let words: Vec<&str> = words.into_iter().chain(["--also", &also]).collect();
    let plan = folder.plan(&words);
    assert_eq!(protections(&plan), ["referenced"]);
    assert!(plan.to_string().contains("by workflow x/new of the cluster https://other"), "{plan:#}");
}
