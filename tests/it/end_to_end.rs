//! The whole story: inline templates leak, inspect shows it, purge ends it, undo tells the truth.

use serde_json::json;

use crate::support::gcs::soft_delete_for_a_week;
use crate::support::kube::{ADMIN, ApiServer, CONTROLLER};
use crate::support::purge::{BUCKET, Ran, ago, within_the_run, workflow};

#[test]
#[ignore = "tests/run brings what it needs"]
fn inspect_purge_release_inspect_undo_on_apiserver_and_fake_gcs() {
    let (server, gcs) = (ApiServer::start(), crate::support::gcs::Gcs::start());
    gcs.bucket_with(BUCKET, soft_delete_for_a_week());
    server.apply(CONTROLLER);
    let leaking =
        workflow("ml", "train-x7k2p", &["argo/train-x7k2p/1/model.tgz", "argo/train-x7k2p/1/main.log"]);
    let mut hanging = workflow("ml", "train-h4ng5", &["argo/train-h4ng5/1/model.tgz"]);
    hanging["metadata"]["finalizers"] = json!(["workflows.argoproj.io/artifact-gc"]);
    hanging["metadata"]["deletionTimestamp"] = json!(ago(within_the_run()));
    hanging["status"]["artifactGCStatus"] = json!({ "strategiesProcessed": { "OnWorkflowDeletion": true } });
    server.apply(json!({ "apiVersion": "v1", "kind": "List", "items": [leaking, hanging] }));
    let keys =
        ["argo/train-h4ng5/1/model.tgz", "argo/train-x7k2p/1/main.log", "argo/train-x7k2p/1/model.tgz"];
    for key in keys.iter().copied().chain(["argo/train-x7k2p-notes.txt", "other/file"]) {
        gcs.put(BUCKET, key, key);
        gcs.created(BUCKET, key, &ago(within_the_run()));
    }
    let state = tempfile::tempdir().unwrap();
    let argo_gc = |arguments: &str| {
        let mut command =
            server.kubectl_as(ADMIN, ["argo-gc"].into_iter().chain(arguments.split_whitespace()));
        command.env("STORAGE_EMULATOR_HOST", gcs.url()).env("XDG_STATE_HOME", state.path());
        Ran::of(command)
    };

    let shown = argo_gc("inspect -A").ends_with(0).out;
    assert!(shown.contains("2 of 2 workflows leave artifacts behind"), "{shown}");
    assert!(shown.contains("inline-only") && shown.contains("inline-poison"), "{shown}");

    let planned = argo_gc("purge -A --older 1d --release-finalizer --dry-run").ends_with(0);
    assert!(planned.out.contains("To delete: 3 objects"), "{}{}", planned.out, planned.err);
    assert!(planned.out.contains("then released"), "{}", planned.out);
    assert!(
        planned.err.contains("Copy what you need before you agree, such as with: gcloud storage cp"),
        "{}",
        planned.err
    );
    assert!(gcs.deletes().is_empty());

    let ran = argo_gc("purge -A --older 1d --release-finalizer --yes").ends_with(0);
    assert!(ran.out.contains("Deleted 3 objects"), "{}", ran.out);
    assert!(ran.out.contains("billed until the bucket removes them for good"), "{}", ran.out);
    assert!(ran.out.contains("Released 1 finalizer"), "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("kept, and billed, for 7 days"), "{}", ran.err);
    assert_eq!(gcs.keys(BUCKET), ["argo/train-x7k2p-notes.txt", "other/file"]);
    assert!(gcs.unpinned().is_empty());
    let deleted: Vec<String> = gcs.deletes().into_iter().filter_map(|entry| entry.key).collect();
    assert!(deleted.iter().all(|key| keys.contains(&key.as_str())), "{deleted:?}");

    // Deletion waited for the finalizer alone.
    let gone = server.get("/apis/argoproj.io/v1alpha1/namespaces/ml/workflows/train-h4ng5");
    assert!(gone.is_err(), "{gone:?}");
    let shown = argo_gc("inspect -A").ends_with(0).out;
    assert!(shown.contains("1 workflow leaves no artifact behind: 2 collected"), "{shown}");

    let journal = std::fs::read_dir(state.path().join("argo-gc")).unwrap().next().unwrap().unwrap().path();
    let undone = argo_gc(&format!("undo {}", journal.display())).ends_with(0);
    assert!(undone.out.contains("Brought back 3 of 3 objects"), "{}", undone.out);
    assert_eq!(gcs.bytes(BUCKET, keys[0]).unwrap(), keys[0].as_bytes());
}
