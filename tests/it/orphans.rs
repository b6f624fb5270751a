//! `orphans`: what no record refers to, and when it may be deleted.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::Ran;
use crate::support::kube::ALICE;
use crate::support::purge::{BUCKET, Folder, Live, ago, deletes, keeps_to, workflow};

/// A file uploaded in Argo's UI.
const UPLOAD: &str = "argo/uploads/ml/0a1b2c3d-0000-4000-8000-00805f9b34fb/f";

const OLD: SignedDuration = SignedDuration::from_hours(24 * 30);

/// One workflow with its object, and beside it what nobody refers to.
fn folder() -> Folder {
    let mut folder = Folder::new();
    folder.add(workflow("ml", "train", &["argo/train/1/a.tgz"]));
    for key in
        ["argo/train/1/a.tgz", "argo/train/train-7/a.tgz", "argo/gone/gone-1/a.tgz", UPLOAD, "argon/x/y"]
    {
        folder.put_at(BUCKET, key, OLD);
    }
    folder.put_at(BUCKET, "argo/gone/gone-1/new.tgz", SignedDuration::from_hours(1));
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
    let want = [row("gone", "workflow-gone"), row("uploads/ml", "abandoned-upload")];
    assert_eq!(found(&ran.json()), want);
    let place = &ran.json()["repositories"][0];
    assert_eq!((&place["young"], &place["unrecorded"]), (&json!(1), &json!(1)));
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
    let mut transcript = folder.transcript();
    transcript.note("orphans --repository gs://ml-artifacts/argo", &run(&[]).ends_with(0));
    run(&["--plan-out", &plan]).ends_with(2);
    transcript.assert("orphans_not_exclusive");
    assert!(!std::path::Path::new(&plan).exists());
}

fn names(folder: &Folder, more: &[&str]) -> Vec<String> {
    let arguments = ["--repository", "gs://ml-artifacts/argo", "-o", "json"];
    let arguments: Vec<&str> = arguments.iter().chain(more).copied().collect();
    let document = folder.run("orphans", &arguments).ends_with(0).json();
    found(&document).into_iter().map(|(name, ..)| name).collect()
}

#[test]
fn danger_3_nothing_of_an_unfinished_or_pinned_workflow_is_an_orphan() {
    let names = |change: &dyn Fn(&mut Value)| {
        let mut train = workflow("ml", "train", &["argo/train/1/a.tgz"]);
        change(&mut train);
        let mut folder = Folder::new();
        folder.add(train);
        for key in ["argo/train/train-7/a.tgz", "argo/2026/2026-main-7/a.tgz", "argo/gone/gone-1/a.tgz"] {
            folder.put_at(BUCKET, key, OLD);
        }
        names(&folder, &[])
    };
    assert_eq!(names(&|_| {}), ["2026", "gone"]);
    for phase in ["", "Pending", "Running", "Paused"] {
        assert_eq!(names(&|train| train["status"]["phase"] = json!(phase)), ["2026", "gone"], "{phase}");
    }
    let completed = "workflows.argoproj.io/completed";
    assert_eq!(names(&|train| train["metadata"]["labels"][completed] = json!("false")), ["2026", "gone"]);
    assert_eq!(names(&|train| train["metadata"]["labels"]["argo-gc/keep"] = json!("true")), ["2026", "gone"]);
}

#[test]
fn danger_8_an_address_of_a_folder_keeps_what_lies_in_it() {
    let mut folder = folder();
    assert_eq!(names(&folder, &[]), ["gone", "uploads/ml"]);
    folder.add(json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "CronWorkflow",
        "metadata": { "name": "nightly", "namespace": "ml" },
        "spec": { "workflowSpec": { "arguments": { "parameters": [
            { "name": "all", "value": "gs://ml-artifacts/argo" },
            { "name": "model", "value": "gs://ml-artifacts/argo/gone/gone-1/" },
        ] } } },
    }));
    assert_eq!(names(&folder, &[]), ["uploads/ml"]);
}

#[test]
fn what_pods_reported_counts_though_no_node_records_it() {
    let mut folder = folder();
    folder.add(json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowTaskResult",
        "metadata": {
            "name": "train-9", "namespace": "ml", "labels": { "workflows.argoproj.io/workflow": "train" },
        },
        "outputs": { "artifacts": [{ "name": "out", "gcs": { "key": "argo/gone/gone-1/a.tgz" } }] },
    }));
    assert_eq!(names(&folder, &[]), ["uploads/ml"]);
}

#[test]
fn an_object_is_not_planned_twice_for_prefixes_that_overlap() {
    let folder = folder();
    for other in ["gs://ml-artifacts", "gs://ml-artifacts/argo/", "gs://ml-artifacts/argo/gone"] {
        folder
            .run("orphans", &["--repository", "gs://ml-artifacts/argo", "--repository", other])
            .ends_with(2);
    }
    folder
        .run(
            "orphans",
            &["--repository", "gs://ml-artifacts/argo", "--repository", "gs://ml-artifacts/argon"],
        )
        .ends_with(0);
}

pub fn orphans(live: &Live, user: &str, arguments: &[&str]) -> Ran {
    let mut command = live.server.kubectl_as(user, ["argo-gc", "orphans"]);
    command.args(["--repository", &format!("gs://{}/argo", live.namespace)]).args(arguments);
    Ran::of({
        command.env("STORAGE_EMULATOR_HOST", live.gcs.url());
        command
    })
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn orphans_go_by_the_same_plan_pins_and_journal_on_apiserver_and_fake_gcs() {
    // No other test has workflows of these names: theirs would be guarded in every namespace.
    let live = Live::with("orphans-live", "wreck", &["argo/wreck/1/a.tgz"]);
    let old = [
        "argo/returned/returned-main-1/a.tgz",
        "argo/vanished/vanished-1/a.tgz",
        "argo/vanished/vanished-1/b.tgz",
        "argo/wreck/wreck-9/a.tgz",
        "elsewhere/x/y",
    ];
    for key in old {
        live.gcs.put(live.namespace, key, key);
        live.gcs.created(live.namespace, key, &ago(OLD));
    }
    let plan = live.file("plan.json");
    orphans(&live, "admin", &["--exclusive", "--plan-out", &plan]).ends_with(0);
    let document: Value = serde_json::from_str(&std::fs::read_to_string(&plan).unwrap()).unwrap();
    assert_eq!(deletes(&document), old[..3]);
    keeps_to("purge-plan.v1.json", &document);
    // One of them is referred to by the time the plan is applied.
    let mut reader = live.workflow("reader", &[]);
    crate::support::purge::pod(&mut reader)["inputs"] =
        json!({ "artifacts": [{ "name": "in", "gcs": { "key": "argo/vanished/vanished-1/b.tgz" } }] });
    live.server.apply(reader);
    // And a workflow of a name that was gone is there again, which records nothing yet.
    live.server.apply(live.workflow("returned", &[]));
    let ran = live.purge(&["--plan", &plan, "--dry-run=server", "-o", "json"]).ends_with(0);
    assert_eq!(deletes(&ran.json()), ["argo/vanished/vanished-1/a.tgz"], "{}", ran.err);
    assert!(ran.out.contains("a workflow of this name exists now"), "{}", ran.out);
    let ran = live.purge(&["--plan", &plan, "--yes"]).ends_with(4);
    assert!(ran.out.contains("Deleted 1 object"), "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("kept its objects on purpose"), "{}", ran.err);
    // It speaks of where it looked: there are no workflows.
    let places = format!("below gs://{}/argo, of 1 workflow that no longer exists", live.namespace);
    assert!(ran.out.contains(&places), "{}", ran.out);
    assert!(ran.err.contains("Objects that nothing refers to in cluster "), "{}", ran.err);
    let kept = [old[0], old[2], "argo/wreck/1/a.tgz", old[3], old[4]];
    assert_eq!(live.gcs.keys(live.namespace), kept);
    live.was_careful(&old[..3]);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_16_who_can_not_read_every_record_is_offered_nothing_on_apiserver_and_fake_gcs() {
    let live = Live::with("orphans-alice", "train", &["argo/train/1/a.tgz"]);
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
    // Nor does another's plan go through, whatever is accepted.
    live.gcs.put(live.namespace, "argo/vanished/vanished-1/a.tgz", "x");
    live.gcs.created(live.namespace, "argo/vanished/vanished-1/a.tgz", &ago(OLD));
    orphans(&live, "admin", &["--exclusive", "--plan-out", &plan]).ends_with(0);
    let mut command = live.server.kubectl_as(ALICE, ["argo-gc", "purge", "--plan", &plan, "--yes"]);
    command.args([
        "--accept-unread",
        "workflows,nodes,caches,templates,cluster-templates,cron-workflows,sensors,namespaces,archive,pods",
    ]);
    command.env("STORAGE_EMULATOR_HOST", live.gcs.url()).env("XDG_STATE_HOME", live.directory.path());
    let ran = Ran::of(command).ends_with(5);
    assert!(ran.err.contains("it is unknown whether these are still orphans"), "{}", ran.err);
    assert!(live.gcs.deletes().is_empty());
}

#[test]
fn a_lifecycle_rule_is_tried_before_it_is_shown() {
    let mut folder = Folder::new();
    folder.add(workflow("ml", "train", &["argo/train/1/a.tgz"]));
    let mut pinned = workflow("ml", "kept", &[]);
    pinned["metadata"]["labels"]["argo-gc/keep"] = json!("true");
    folder.add(pinned);
    for (key, days) in [
        ("argo/train/1/a.tgz", 40),
        ("argo/gone/gone-1/a.tgz", 40),
        ("argo/kept/1/lost.tgz", 40),
        ("argo/gone/1/young.tgz", 2),
        ("elsewhere/a", 40),
    ] {
        folder.put_at(BUCKET, key, SignedDuration::from_hours(24 * days));
    }
    let repository = format!("gs://{BUCKET}/argo");
    let ran = folder.run("fix", &["--lifecycle", "30", "--repository", &repository]).ends_with(0);
    let rule = ran.json();
    let condition = &rule["lifecycle"]["rule"][0]["condition"];
    assert_eq!(condition, &json!({ "age": 30, "isLive": true, "matchesPrefix": ["argo/"] }), "{rule}");
    folder
        .transcript()
        .note("fix --lifecycle 30 --repository gs://ml-artifacts/argo", &ran)
        .assert("fix_lifecycle");
    assert!(!ran.err.contains("argo/gone"), "{}", ran.err);
    assert!(folder.has("argo/gone/gone-1/a.tgz"));
    folder.run("fix", &["--lifecycle", "0", "--repository", &repository]).ends_with(2);
    folder.run("fix", &["--lifecycle", "30"]).ends_with(2);
}
