//! `orphans`: what no record refers to, and when it may be deleted.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::Ran;
use crate::support::kube::ALICE;
use crate::support::purge::{BUCKET, Folder, Live, ago, deletes, workflow};

const OLD: SignedDuration = SignedDuration::from_hours(24 * 30);

/// One workflow with its object, and beside it what nobody refers to.
fn folder() -> Folder {
    let mut folder = Folder::new();
    folder.add(workflow("ml", "train", &["argo/train/1/a.tgz"]));
    for key in [
        "argo/train/1/a.tgz",
        "argo/train/lost/a.tgz",
        "argo/gone/1/a.tgz",
        "argo/uploads/ml/u/f",
        "argon/x/y",
    ] {
        folder.put_at(BUCKET, key, OLD);
    }
    folder.put_at(BUCKET, "argo/gone/1/new.tgz", SignedDuration::from_hours(1));
    folder
}

fn found(document: &Value) -> Vec<(String, String, u64)> {
    let repositories = document["repositories"].as_array().unwrap();
    let orphans = repositories.iter().flat_map(|repository| repository["orphans"].as_array().unwrap());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut found: Vec<_> =
        orphans.map(|o| (text(&o["name"]), text(&o["cause"]), o["objects"].as_u64().unwrap())).collect();
    found.sort();
    found
}

#[test]
fn what_no_record_refers_to_is_shown_by_the_name_in_its_key() {
    let ran = folder().run("orphans", &["--repository", "gs://ml-artifacts/argo", "-o", "json"]).ends_with(0);
    let row = |name: &str, cause: &str| (name.to_owned(), cause.to_owned(), 1);
    let want =
        [row("gone", "workflow-gone"), row("train", "unrecorded"), row("uploads/ml", "abandoned-upload")];
    assert_eq!(found(&ran.json()), want);
    assert_eq!(ran.json()["repositories"][0]["young"], 1);
    assert_eq!(ran.json()["offered"], false);
}

#[test]
fn danger_15_nothing_is_offered_until_the_prefix_is_declared_exclusive() {
    let folder = folder();
    let plan = tempfile::tempdir().unwrap();
    let plan = plan.path().join("plan.json").display().to_string();
    let repository = ["--repository", "gs://ml-artifacts/argo"];
    let with =
        |more: &[&str]| repository.iter().chain(more).map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let run = |more: &[&str]| {
        let words = with(more);
        folder.run("orphans", &words.iter().map(String::as_str).collect::<Vec<_>>())
    };
    assert!(run(&[]).ends_with(0).err.contains("--exclusive says that none does"));
    run(&["--plan-out", &plan]).ends_with(2);
    assert!(!std::path::Path::new(&plan).exists());
}

#[test]
fn danger_15_inspections_of_other_clusters_count() {
    let folder = folder();
    let mut other = Folder::new();
    other.add(workflow("x", "gone", &["argo/gone/1/a.tgz"]));
    let inspection = other.run("inspect", &["-o", "json"]).ends_with(0).out;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("other.json");
    std::fs::write(&file, inspection).unwrap();
    let also = file.display().to_string();
    let ran =
        folder.run("orphans", &["--repository", "gs://ml-artifacts/argo", "--also", &also, "-o", "json"]);
    let names: Vec<String> = found(&ran.ends_with(0).json()).into_iter().map(|(name, ..)| name).collect();
    assert_eq!(names, ["train", "uploads/ml"]);
    std::fs::write(&file, "{}").unwrap();
    let ran =
        folder.run("orphans", &["--repository", "gs://ml-artifacts/argo", "--also", &also]).ends_with(1);
    assert!(ran.err.contains("this is no inspection"), "{}", ran.err);
}

fn orphans(live: &Live, user: &str, arguments: &[&str]) -> Ran {
    let mut command = live.server.kubectl_as(user, ["argo-gc", "orphans"]);
    command.args(["--repository", &format!("gs://{}/argo", live.namespace)]).args(arguments);
    Ran::of({
        command.env("STORAGE_EMULATOR_HOST", live.gcs.url());
        command
    })
}

#[test]
fn orphans_go_by_the_same_plan_pins_and_journal() {
    let Some(live) = Live::with("orphans-live", "train", &["argo/train/1/a.tgz"]) else { return };
    let old = ["argo/gone/1/a.tgz", "argo/gone/1/b.tgz", "argo/train/lost/a.tgz", "elsewhere/x/y"];
    for key in old {
        live.gcs.put(live.namespace, key, key);
        live.gcs.created(live.namespace, key, &ago(OLD));
    }
    let plan = live.file("plan.json");
    orphans(&live, "admin", &["--exclusive", "--plan-out", &plan]).ends_with(0);
    let document: Value = serde_json::from_str(&std::fs::read_to_string(&plan).unwrap()).unwrap();
    assert_eq!(deletes(&document), old[..3]);
    // One of them is referred to by the time the plan is applied.
    let mut reader = live.workflow("reader", &[]);
    crate::support::purge::pod(&mut reader)["inputs"] =
        json!({ "artifacts": [{ "name": "in", "gcs": { "key": "argo/gone/1/b.tgz" } }] });
    live.server.apply(reader);
    let ran = live.purge(&["--plan", &plan, "--yes"]).ends_with(0);
    assert!(ran.out.contains("Deleted 2 objects"), "{}{}", ran.out, ran.err);
    assert_eq!(live.gcs.keys(live.namespace), ["argo/gone/1/b.tgz", "argo/train/1/a.tgz", "elsewhere/x/y"]);
    live.was_careful(&old[..3]);
}

#[test]
fn danger_16_who_can_not_read_every_record_is_offered_nothing() {
    let Some(live) = Live::with("orphans-alice", "train", &["argo/train/1/a.tgz"]) else { return };
    live.server.apply(
        "
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: { name: all, namespace: default }
rules: [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: all, namespace: default }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: all }
subjects: [{ apiGroup: rbac.authorization.k8s.io, kind: User, name: alice }]
",
    );
    let granted = (0..200).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        live.server.kubectl_as(ALICE, ["get", "wf", "-n", "default"]).output().unwrap().status.success()
    });
    assert!(granted);
    let plan = live.file("plan.json");
    let ran = orphans(&live, ALICE, &["--exclusive", "--plan-out", &plan]).ends_with(5);
    assert!(ran.err.contains("Nothing is offered for deletion"), "{}", ran.err);
    assert!(!std::path::Path::new(&plan).exists());
}
