//! Dangers 31, 33 and 39: what has not the shape of Argo's keys, or may be of Kubeflow Pipelines, is never offered.

use serde_json::{Value, json};

use crate::support::Ran;
use crate::support::purge::{BUCKET, Folder, deletes, protections, workflow};
use jiff::SignedDuration;

const OLD: SignedDuration = SignedDuration::from_hours(24 * 30);

const RUN: &str = "1c0ffee0-0000-4000-8000-00805f9b34fb";

/// A folder whose controller writes keys of this format.
fn folder(format: &str) -> Folder {
    let mut folder = Folder::new();
    folder.add(json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "workflow-controller", "namespace": "argo" },
        "spec": { "template": { "spec": { "containers": [
            { "name": "c", "image": "quay.io/argoproj/workflow-controller:v4.1.2" },
        ] } } },
    }));
    let repository = format!("gcs:\n  bucket: {BUCKET}\n  keyFormat: '{format}'\n");
    folder.add(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "workflow-controller-configmap", "namespace": "argo" },
        "data": { "artifactRepository": repository },
    }));
    folder
}

/// Looks for orphans in the whole bucket; gives the keys of the plan too.
fn orphans(folder: &Folder, more: &[&str]) -> (Ran, Vec<String>) {
    let directory = tempfile::tempdir().unwrap();
    let plan = directory.path().join("plan.json").display().to_string();
    let words = ["--repository", "gs://ml-artifacts", "--exclusive", "--plan-out", &plan, "-o", "json"];
    let words: Vec<&str> = words.iter().chain(more).copied().collect();
    let ran = folder.run("orphans", &words).ends_with(0);
    let plan: Value = serde_json::from_str(&std::fs::read_to_string(&plan).unwrap()).unwrap();
    (ran, deletes(&plan))
}

fn put(folder: &Folder, keys: &[&str]) {
    keys.iter().for_each(|key| folder.put_at(BUCKET, key, OLD));
}

#[test]
fn danger_31_backups_data_and_models_are_foreign_and_never_offered() {
    let folder = folder("{{workflow.name}}/{{pod.name}}");
    let foreign = ["backups/db.sql", "data/train.csv", "models/v1/weights.bin", "top.txt"];
    put(&folder, &foreign);
    put(&folder, &["gone/gone-main-7/a.tgz", "gone/gone/main.log"]);
    let (ran, deletes) = orphans(&folder, &[]);
    assert_eq!(deletes, ["gone/gone-main-7/a.tgz", "gone/gone/main.log"]);
    let place = &ran.json()["repositories"][0];
    assert_eq!(place["foreign"]["objects"], 4, "{place:#}");
    assert_eq!(place["foreign"]["folders"].as_array().unwrap().len(), 4, "{place:#}");
    assert!(ran.err.contains("kept its objects on purpose"), "{}", ran.err);
    folder
        .transcript()
        .note(
            "orphans --repository gs://ml-artifacts --exclusive",
            &folder.run("orphans", &["--repository", "gs://ml-artifacts", "--exclusive"]),
        )
        .assert("orphans_foreign");
}

/// Of many foreign objects some of each folder are named, with how many more there are.
#[test]
fn foreign_keys_are_named_in_wide_tables_and_documents() {
    let folder = folder("{{workflow.name}}/{{pod.name}}");
    let many: Vec<String> = (0..7).map(|n| format!("data/{n}.csv")).collect();
    put(&folder, &many.iter().map(String::as_str).collect::<Vec<_>>());
    put(&folder, &["top.txt"]);
    let listed = |format: &str| {
        folder.run("orphans", &["--repository", "gs://ml-artifacts", "-o", format]).ends_with(0)
    };
    let folders = &listed("json").json()["repositories"][0]["foreign"]["folders"];
    assert_eq!(folders[0]["keys"], json!(["data/0.csv", "data/1.csv", "data/2.csv"]), "{folders:#}");
    assert_eq!(folders[1]["keys"], json!(["top.txt"]), "{folders:#}");
    let wide = listed("wide").out;
    for line in
        ["  gs://ml-artifacts/data/2.csv\n", "  and 4 more in data/\n", "  gs://ml-artifacts/top.txt\n"]
    {
        assert!(wide.contains(line), "{line}: {wide}");
    }
    assert!(!listed("table").out.contains("2.csv"));
}

#[test]
fn danger_39_a_namespace_is_not_taken_for_a_workflow() {
    let format = "{{workflow.namespace}}/{{workflow.name}}/{{pod.name}}";
    let mut folder = folder(format);
    folder.add(workflow("ml", "train", &["ml/train/train-1/a.tgz"]));
    put(&folder, &["ml/train/train-1/a.tgz", "ml/train/train-2/lost.tgz", "ml/gone/gone-1/a.tgz"]);
    let (ran, deletes) = orphans(&folder, &[]);
    assert_eq!(deletes, ["ml/gone/gone-1/a.tgz"]);
    let place = &ran.json()["repositories"][0];
    assert_eq!((&place["referenced"], &place["unrecorded"]), (&json!(1), &json!(1)), "{place:#}");
    let orphan = &place["orphans"][0];
    assert_eq!((&orphan["namespace"], &orphan["name"]), (&json!("ml"), &json!("gone")));
}

#[test]
fn danger_39_a_uid_in_the_key_is_a_workflows() {
    let mut folder = folder("{{workflow.uid}}/{{pod.name}}");
    let mut train = workflow("ml", "train", &[]);
    train["metadata"]["uid"] = json!(RUN);
    folder.add(train);
    let gone = RUN.replace('1', "2");
    let keys = [format!("{RUN}/train-1/a.tgz"), format!("{gone}/train-1/a.tgz")];
    put(&folder, &[&keys[0], &keys[1], "train/x/a.tgz"]);
    assert_eq!(orphans(&folder, &[]).1, [keys[1].clone()]);
}

#[test]
fn danger_39_a_format_that_tells_no_workflow_offers_nothing_and_says_why() {
    for format in ["{{workflow.name}}", "{{workflow.namespace}}/{{workflow.name}}", "logs/{{pod.name}}"] {
        let folder = folder(format);
        put(&folder, &["backups/db.sql", "ml/gone/a.tgz", "logs/gone-1/main.log"]);
        let (ran, deletes) = orphans(&folder, &[]);
        assert_eq!(deletes, [""; 0], "{format}");
        assert!(ran.err.contains("no key of the format") && ran.err.contains(format), "{}", ran.err);
    }
}

#[test]
fn a_format_that_nothing_is_configured_with_any_more_is_named() {
    let folder = folder("{{workflow.name}}/{{pod.name}}");
    put(&folder, &["old/ml/gone/gone-1/a.tgz"]);
    assert_eq!(orphans(&folder, &[]).1, [""; 0]);
    let format = "old/{{workflow.namespace}}/{{workflow.name}}/{{pod.name}}";
    assert_eq!(orphans(&folder, &["--key-format", format]).1, ["old/ml/gone/gone-1/a.tgz"]);
    let words = ["--repository", "gs://ml-artifacts", "--key-format", "old/{{workflow.name}}"];
    let ran = folder.run("orphans", &words).ends_with(2);
    assert!(
        ran.err.contains("it needs {{workflow.uid}}, or {{workflow.name}} and {{pod.name}}"),
        "{}",
        ran.err
    );
}

#[test]
fn danger_39_uploads_have_a_namespace_and_an_id() {
    let folder = folder("{{workflow.name}}/{{pod.name}}");
    let upload = format!("uploads/ml/{RUN}/file");
    put(&folder, &[&upload, "uploads/ml/notes/file", "uploads/file"]);
    assert_eq!(orphans(&folder, &[]).1, [upload]);
}

/// A workflow that Kubeflow's API server made.
fn run_of_kubeflow(name: &str, keys: &[&str]) -> Value {
    let mut workflow = workflow("ml", name, keys);
    workflow["metadata"]["labels"]["pipeline/runid"] = json!(RUN);
    workflow
}

#[test]
fn danger_39_what_kubeflow_wrote_or_may_hand_out_again_is_no_orphan() {
    let format = "private-artifacts/{{workflow.namespace}}/{{workflow.name}}/{{workflow.creationTimestamp.Y}}/\
                  {{workflow.creationTimestamp.m}}/{{workflow.creationTimestamp.d}}/{{pod.name}}";
    let mut folder = folder(format);
    folder.add(run_of_kubeflow("train", &[]));
    put(
        &folder,
        &[
            &format!("v2/artifacts/pipe/{RUN}/model"),
            &format!("v2/artifacts/pipe/{}/model", RUN.replace('1', "2")),
            &format!("pipelines/{RUN}"),
            "private-artifacts/ml/gone/2026/11/28/gone-7/a.tgz",
            // Of a run that exists, though the key is of the default format.
            &format!("gone/gone-7/{RUN}/a.tgz"),
            "gone/gone-7/b.tgz",
        ],
    );
    let (ran, deletes) = orphans(&folder, &[]);
    assert_eq!(deletes, ["gone/gone-7/b.tgz"]);
    let place = &ran.json()["repositories"][0];
    assert_eq!((&place["guarded"], &place["kubeflow"]), (&json!(3), &json!(2)), "{place:#}");
}

#[test]
fn danger_07_a_run_of_kubeflow_is_purged_by_name_only() {
    let mut folder = folder("{{workflow.name}}/{{pod.name}}");
    let launched = format!("v2/artifacts/pipe/{RUN}/model");
    folder.add(run_of_kubeflow("train", &["train/train-1/a.tgz"]));
    folder.add(workflow("ml", "other", &[&launched, "other/other-1/a.tgz"]));
    folder.put("train/train-1/a.tgz");
    folder.put("other/other-1/a.tgz");
    folder.put(&launched);
    let all = ["-n", "ml", "--all", "--repository", "gs://ml-artifacts"];
    let plan = folder.plan(&all);
    assert_eq!(deletes(&plan), ["other/other-1/a.tgz"]);
    assert_eq!(protections(&plan), ["kubeflow"]);
    assert!(plan.to_string().contains("naming the workflow allows it"), "{plan:#}");
    let named = ["-n", "ml", "train", "other", "--repository", "gs://ml-artifacts"];
    assert_eq!(deletes(&folder.plan(&named)), ["other/other-1/a.tgz", "train/train-1/a.tgz", &launched]);
}
