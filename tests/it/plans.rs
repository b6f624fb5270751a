//! Saved plans, journals and words: what is looked at again before a plan is carried out, and what proves a deletion.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::Ran;
use crate::support::gcs::Gcs;
use crate::support::kube::{ADMIN, ApiServer};
use crate::support::purge::{BUCKET, Folder, Live, ago, deletes, pod, protections, within_the_run, workflow};

const FINALIZER: &str = "workflows.argoproj.io/artifact-gc";

/// A workflow whose finalizer hangs, with these outputs.
fn stuck(live: &Live, name: &str, keys: &[&str]) -> Value {
    let mut wf = live.workflow(name, keys);
    wf["metadata"]["finalizers"] = json!(["example.com/other", FINALIZER]);
    wf["spec"]["templates"][0]["outputs"] = json!({ "artifacts": [{ "name": "x", "path": "/x" }] });
    wf["status"]["artifactGCStatus"] = json!({ "strategiesProcessed": { "OnWorkflowDeletion": true } });
    wf["metadata"]["deletionTimestamp"] = json!(ago(within_the_run()));
    wf
}

fn finalizers(live: &Live, name: &str) -> Value {
    live.get(name)["metadata"]["finalizers"].clone()
}

fn recorded(live: &Live, name: &str) -> usize {
    let now = live.get(name);
    let artifacts = now["status"]["nodes"][format!("{name}-1")]["outputs"]["artifacts"].as_array().unwrap();
    artifacts.iter().filter(|artifact| artifact["deleted"] == true).count()
}

/// The lines of a journal after its plan.
fn lines(journal: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(journal).unwrap();
    let lines = text.lines().skip_while(|line| !line.starts_with(']')).skip(1);
    lines.filter(|line| !line.is_empty()).map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A plan that was edited on purpose, with the checksum that fits.
fn rehashed(plan: &str, from: &str, to: &str) -> String {
    assert!(plan.contains(from), "{plan}");
    let plan = plan.replace(from, to);
    let (before, _) = plan.rsplit_once("\"hash\":\"").unwrap();
    let before = format!("{before}\"hash\":\"");
    let hash: String = Sha256::digest(&before).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{before}{hash}\"}}\n")
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_35_absence_alone_records_nothing_and_releases_no_finalizer_on_apiserver_and_fake_gcs() {
    let live = Live::start("plans-absent");
    live.gcs.bucket(live.namespace);
    let keys: Vec<String> = (0..6).map(|at| format!("train/{at}.tgz")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    live.server.apply(stuck(&live, "train", &keys));
    keys.iter().for_each(|key| live.put(key));
    // Another server has a bucket of that name, and nothing in it.
    let empty = Gcs::start();
    empty.bucket(live.namespace);
    let purge = |flags: &[&str]| {
        let flags: Vec<&str> =
            ["train", "--yes", "--release-finalizer"].iter().chain(flags).copied().collect();
        let mut command = live.command("purge", &flags);
        command.env("STORAGE_EMULATOR_HOST", empty.url());
        Ran::of(command)
    };
    let ran = purge(&[]).ends_with(4);
    assert!(ran.err.contains("Note: 6 artifacts have no object in storage"), "{}", ran.err);
    assert!(ran.err.contains("--accept-absent"), "{}", ran.err);
    assert!(ran.err.contains("the finalizer is kept: 6 of its artifacts are not in storage"), "{}", ran.err);
    assert_eq!(finalizers(&live, "train"), json!(["example.com/other", FINALIZER]));
    assert_eq!(recorded(&live, "train"), 0);
    // The right server: everything was seen, and is gone.
    let ran = live.purge(&["train", "--yes", "--release-finalizer"]).ends_with(0);
    assert!(ran.out.contains("Released 1 finalizer"), "{}{}", ran.out, ran.err);
    assert_eq!(recorded(&live, "train"), 6);
    assert_eq!(finalizers(&live, "train"), json!(["example.com/other"]));
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_35_what_is_accepted_as_absent_is_recorded_and_releases_on_apiserver_and_fake_gcs() {
    let live = Live::start("plans-accepted");
    live.gcs.bucket(live.namespace);
    live.server.apply(stuck(&live, "train", &["train/a.tgz", "train/b.tgz"]));
    live.server.apply(live.workflow("plain", &["plain/a.tgz"]));
    live.put("train/a.tgz");
    let purge = |flags: &[&str]| {
        let all = ["--all", "--yes", "--release-finalizer"];
        live.purge(&all.iter().chain(flags).copied().collect::<Vec<_>>())
    };
    // A finalizer that was to be released is still there.
    let ran = purge(&[]).ends_with(4);
    assert!(ran.err.contains("Note: 2 artifacts have no object in storage"), "{}", ran.err);
    assert!(ran.out.contains("Recorded 1 artifact"), "{}", ran.out);
    assert_eq!(finalizers(&live, "train"), json!(["example.com/other", FINALIZER]));
    let ran = purge(&["--accept-absent"]).ends_with(0);
    assert!(ran.out.contains("Recorded 2 artifacts"), "{}{}", ran.out, ran.err);
    assert_eq!(finalizers(&live, "train"), json!(["example.com/other"]));
    assert_eq!(recorded(&live, "plain"), 1);
}

#[test]
fn danger_40_a_plan_is_no_journal_and_a_journal_is_no_plan() {
    let mut folder = Folder::new();
    folder.add(workflow("ml", "train", &["train/a.tgz"]));
    folder.put("train/a.tgz");
    let file = |name: &str| folder.bucket("..").join(name).display().to_string();
    let (plan, journal) = (file("plan.json"), file("journal.jsonl"));
    folder.purge(&["--all", "--plan-out", &plan]).ends_with(0);
    let root = folder.bucket("");
    let run = |words: &[&str]| {
        let mut command = crate::support::plugin(words);
        command.arg("--store-root").arg(&root).env("XDG_STATE_HOME", file("state"));
        Ran::of(command)
    };
    let ran = run(&["purge", "--resume", &plan, "--yes"]).ends_with(5);
    assert!(ran.err.contains("is a saved plan, not a journal of a run"), "{}", ran.err);
    assert!(ran.err.contains("hint: a saved plan is carried out with"), "{}", ran.err);
    run(&["undo", &plan]).ends_with(5);
    assert!(folder.has("train/a.tgz"));
    run(&["purge", "--plan", &plan, "--yes", "--journal", &journal]).ends_with(0);
    let ran = run(&["purge", "--plan", &journal, "--yes"]).ends_with(5);
    assert!(ran.err.contains("is the journal of a run") && ran.err.contains("--resume"), "{}", ran.err);
}

#[test]
fn danger_32_what_a_killed_run_did_not_look_for_is_looked_for() {
    let mut folder = Folder::new();
    folder.add(workflow("ml", "train", &["train/a.tgz", "train/b.tgz"]));
    folder.put("train/a.tgz");
    folder.put("train/b.tgz");
    let root = folder.bucket("..");
    let journal = root.join("journal.jsonl").display().to_string();
    // The very same file will be there again, as with a storage that answers before it deletes.
    let (path, aside) = (folder.bucket(BUCKET).join("train/a.tgz"), root.join("aside"));
    std::fs::hard_link(&path, &aside).unwrap();
    folder.purge(&["--all", "--yes", "--journal", &journal]).ends_with(0);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::rename(&aside, &path).unwrap();
    let text = std::fs::read_to_string(&journal).unwrap();
    let killed = text.lines().filter(|line| !line.contains("\"line\":\"end\""));
    std::fs::write(&journal, killed.map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let resume = || {
        let mut command = crate::support::plugin(["purge", "--resume", &journal, "--yes", "--store-root"]);
        command.arg(folder.bucket(""));
        Ran::of(command)
    };
    let ran = resume().ends_with(4);
    assert!(ran.err.contains("train/a.tgz: deleted, but it is still there"), "{}", ran.err);
    assert!(ran.out.contains("1 object had been deleted before by this run"), "{}", ran.out);
    // The next part deletes it.
    let ran = resume().ends_with(0);
    assert!(ran.out.contains("Deleted 1 object"), "{}{}", ran.out, ran.err);
    assert!(!folder.has("train/a.tgz"));
}

#[test]
fn danger_32_a_resumed_run_calls_no_delete_of_its_own_somebody_elses() {
    let mut folder = Folder::new();
    folder.add(workflow("ml", "train", &["train/a.tgz", "train/b.tgz"]));
    folder.put("train/a.tgz");
    folder.put("train/b.tgz");
    let root = folder.bucket("..");
    let journal = root.join("journal.jsonl").display().to_string();
    folder.purge(&["--all", "--yes", "--journal", &journal]).ends_with(0);
    // Killed between the delete of one object and the line that says so.
    let text = std::fs::read_to_string(&journal).unwrap();
    let lost = |line: &&str| {
        line.contains("\"line\":\"end\"")
            || line.contains("\"line\":\"result\"") && line.contains("train/b.tgz")
    };
    let killed = text.lines().filter(|line| !lost(line));
    std::fs::write(&journal, killed.map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let mut command = crate::support::plugin(["purge", "--resume", &journal, "--yes", "--store-root"]);
    command.arg(folder.bucket(""));
    let ran = Ran::of(command).ends_with(0);
    assert!(!ran.out.contains("someone else"), "{}", ran.out);
    assert!(ran.out.contains("2 objects had been deleted before by this run"), "{}{}", ran.out, ran.err);
}

/// Found by the soak with seed 4242: the resumed run called it kept, and complete.
#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_32_what_a_killed_run_deleted_is_not_kept_by_who_came_later_on_apiserver_and_fake_gcs() {
    let live = Live::with("plans-late-reader", "late", &["late-1/a.tgz", "late-2/b.tgz", "late-3/c.tgz"]);
    let journal = live.file("journal.jsonl");
    live.purge(&["late", "--yes", "--journal", &journal]).ends_with(0);
    // Killed after two deletes, of which one has no line that says so; the third was never sent.
    live.put("late-3/c.tgz");
    let text = std::fs::read_to_string(&journal).unwrap();
    let lost = |line: &&str| {
        let told = |what: &str| line.contains(&format!("\"line\":\"{what}\""));
        told("end")
            || told("workflow")
            || told("result") && line.contains("late-2/")
            || !told("begin") && line.contains("\"line\"") && line.contains("late-3/")
    };
    let killed = text.lines().filter(|line| !lost(line));
    std::fs::write(&journal, killed.map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    // Now somebody reads all three.
    let mut reader = live.workflow("late-reader", &[]);
    let inputs: Vec<Value> = ["late-1/a.tgz", "late-2/b.tgz", "late-3/c.tgz"]
        .iter()
        .map(|key| json!({ "name": "in", "gcs": { "key": key } }))
        .collect();
    pod(&mut reader)["inputs"] = json!({ "artifacts": inputs });
    live.server.apply(reader);
    let ran = live.purge(&["--resume", &journal, "--yes", "-o", "json"]);
    assert_eq!(ran.code, Some(4), "{ran:#?}");
    let totals = &ran.json()["totals"];
    assert_eq!((&totals["deletedBefore"], &totals["deleted"]), (&json!(2), &json!(0)), "{ran:#?}");
    assert!(ran.err.contains("2 of 3 objects are settled already"), "{}", ran.err);
    assert!(ran.err.contains("1 object of the plan will be kept"), "{}", ran.err);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_40_the_places_of_a_saved_plan_are_looked_at_again_on_apiserver_and_fake_gcs() {
    let (server, gcs) = (ApiServer::start(), Gcs::start());
    gcs.bucket(BUCKET);
    gcs.bucket("moved");
    let configured = |bucket: &str| {
        let repository = format!("gcs: {{ bucket: {bucket} }}\n");
        server.apply(json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": "workflow-controller-configmap", "namespace": "argo" },
            "data": { "artifactRepository": repository },
        }));
    };
    let container = json!({ "name": "c", "image": "quay.io/argoproj/workflow-controller:v3.7.14" });
    let labels = json!({ "app": "workflow-controller" });
    server.apply(json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "workflow-controller", "namespace": "argo" },
        "spec": {
            "selector": { "matchLabels": labels },
            "template": {
                "metadata": { "labels": labels },
                "spec": { "serviceAccountName": "argo", "containers": [container] },
            },
        },
    }));
    server.apply(json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": { "name": "argo" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin" },
        "subjects": [{ "kind": "ServiceAccount", "namespace": "argo", "name": "argo" }],
    }));
    server.apply(workflow("ml", "train", &["train/a.tgz"]));
    gcs.put(BUCKET, "train/a.tgz", "x");
    gcs.created(BUCKET, "train/a.tgz", &ago(within_the_run()));
    let state = tempfile::tempdir().unwrap();
    let purge = |words: &[&str]| {
        let mut command = server.kubectl_as(ADMIN, ["argo-gc", "purge"]);
        command.args(words).env("STORAGE_EMULATOR_HOST", gcs.url()).env("XDG_STATE_HOME", state.path());
        Ran::of(command)
    };
    let plan = state.path().join("plan.json").display().to_string();
    configured(BUCKET);
    purge(&["train", "-n", "ml", "--plan-out", &plan]).ends_with(0);
    configured("moved");
    let ran = purge(&["--plan", &plan, "--yes"]).ends_with(4);
    assert!(
        ran.err.contains("outside the repositories of the cluster as it is now"),
        "{}{}",
        ran.out,
        ran.err
    );
    assert!(gcs.deletes().is_empty());
    configured(BUCKET);
    purge(&["--plan", &plan, "--yes"]).ends_with(0);
    assert!(gcs.keys(BUCKET).is_empty());
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_40_bucket_settings_of_yesterday_are_told_on_apiserver_and_fake_gcs() {
    let live = Live::with("plans-settings", "train", &["train/a.tgz"]);
    let plan = live.file("plan.json");
    live.purge(&["train", "--plan-out", &plan]).ends_with(0);
    let text = std::fs::read_to_string(&plan).unwrap();
    // As if soft delete had been on when the plan was made.
    std::fs::write(&plan, rehashed(&text, "\"softDeleteSeconds\":0", "\"softDeleteSeconds\":604800"))
        .unwrap();
    let ran = live.purge(&["--plan", &plan, "--yes"]).ends_with(5);
    let told = "gs://plans-settings: its soft delete was 7 days when the plan was made, and is off now";
    assert!(ran.err.contains(told), "{}", ran.err);
    assert!(ran.err.contains("deletes from gs://plans-settings can't be undone any more"), "{}", ran.err);
    assert!(live.gcs.deletes().is_empty());
    // Less of a change is told, and no obstacle.
    std::fs::write(&plan, rehashed(&text, "\"retentionSeconds\":0", "\"retentionSeconds\":60")).unwrap();
    let ran = live.purge(&["--plan", &plan, "--yes"]).ends_with(0);
    assert!(ran.err.contains("its retention was 1 minute when"), "{}", ran.err);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn the_journal_is_named_before_the_first_delete_and_says_who_and_when_on_apiserver_and_fake_gcs() {
    let live = Live::with("plans-journal", "train", &["train/a.tgz", "train/b.tgz"]);
    let journal = live.file("journal.jsonl");
    live.gcs.latency(Duration::from_millis(700));
    let before = Timestamp::now();
    let mut command = live.command("purge", &["train", "--yes", "--journal", &journal, "--concurrency", "1"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let line = told.find(|line| line.starts_with("Journal: ")).unwrap();
    assert!(live.gcs.deletes().is_empty(), "the path is told first");
    assert_eq!(line, format!("Journal: {journal}"));
    told.for_each(drop);
    assert!(child.wait().unwrap().success());
    let lines = lines(&journal);
    assert_eq!(lines[0]["user"], "admin", "{lines:#?}");
    assert!(!lines[0]["identity"].as_str().unwrap().is_empty());
    let time = |line: &Value| line["time"].as_str().unwrap().parse::<Timestamp>().unwrap();
    let results: Vec<Timestamp> = lines.iter().filter(|line| line["line"] == "result").map(time).collect();
    assert_eq!(results.len(), 2);
    assert!(results[0] >= before && results[1].duration_since(results[0]) > SignedDuration::from_millis(500));
    let end = lines.last().unwrap();
    assert_eq!(end["line"], "end");
    assert!(time(end) >= results[1]);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_27_caps_hold_for_the_rest_of_an_interrupted_run_on_apiserver_and_fake_gcs() {
    let live = Live::with("plans-caps", "train", &["train/a.tgz", "train/b.tgz"]);
    let journal = live.file("journal.jsonl");
    live.purge(&["train", "--yes", "--journal", &journal]).ends_with(0);
    let text = std::fs::read_to_string(&journal).unwrap();
    let plan: Vec<&str> = text.lines().take_while(|line| !line.contains("\"line\":\"intent\"")).collect();
    std::fs::write(&journal, format!("{}\n", plan.join("\n"))).unwrap();
    let ran = live.purge(&["--resume", &journal, "--yes", "--max-objects", "1"]).ends_with(5);
    assert!(ran.err.contains("the plan has 2 objects, more than --max-objects 1"), "{}", ran.err);
}

#[test]
fn what_argo_calls_deleted_and_is_there_can_be_purged() {
    let mut folder = Folder::new();
    let mut wf = workflow("ml", "train", &["train/dir", "train/gone.tgz", "train/later.tgz"]);
    let artifacts = &mut pod(&mut wf)["outputs"]["artifacts"];
    artifacts[0]["archive"] = json!({ "none": {} });
    (0..3).for_each(|at| artifacts[at]["deleted"] = json!(true));
    folder.add(wf);
    folder.put("train/dir/1");
    folder.put("train/dir/2/3");
    // Written after the run: somebody else's.
    folder.put_at(BUCKET, "train/later.tgz", SignedDuration::from_hours(2));
    folder.purge(&["--all", "--yes"]).ends_with(0);
    assert!(folder.has("train/dir/1"), "a purge goes by the record unless it is asked not to");
    let plan = folder.plan(&["--all", "--reason", "deleted-but-present"]);
    assert_eq!(deletes(&plan), ["train/dir/1", "train/dir/2/3"]);
    assert_eq!(protections(&plan), ["newer-than-run"]);
    assert_eq!(plan["totals"]["absent"], 0, "Argo has recorded what is not there");
    folder.purge(&["--all", "--reason", "deleted-but-present", "--yes"]).ends_with(0);
    assert!(!folder.has("train/dir/1") && !folder.has("train/dir/2/3") && folder.has("train/later.tgz"));
}

#[test]
fn an_object_counts_once_whoever_its_key_names() {
    let mut folder = Folder::new();
    // The key of `a` names it; `b` has it, too, as a memoized step does.
    folder.add(workflow("one", "a", &["a/x.tgz"])).add(workflow("two", "b", &["a/x.tgz"]));
    folder.put("a/x.tgz");
    let bytes = "a/x.tgz".len();
    let document = folder.run("inspect", &["--check", "-o", "json"]).ends_with(0).json();
    assert_eq!(document["summary"]["stored"]["objects"], 1);
    assert_eq!(document["summary"]["stored"]["bytes"], bytes);
    let groups = folder.run("inspect", &["--check", "--group-by", "namespace"]).ends_with(0).out;
    let objects: Vec<&str> =
        groups.lines().skip(3).filter_map(|line| line.split_whitespace().nth(3)).collect();
    let sum: u64 = objects.iter().map(|text| text.parse::<u64>().unwrap()).sum();
    assert_eq!(sum, 1, "{groups}");
    let plan = folder.plan(&["--all"]);
    assert_eq!((deletes(&plan).len(), &plan["totals"]["objects"]), (1, &json!(1)));
}

#[test]
fn nothing_to_delete_says_why() {
    let mut folder = Folder::new();
    let mut collected = workflow("ml", "collected", &["c/1", "c/2"]);
    (0..2).for_each(|at| pod(&mut collected)["outputs"]["artifacts"][at]["deleted"] = json!(true));
    folder.add(workflow("ml", "train", &["train/a.tgz"])).add(collected);
    folder.put("train/a.tgz");
    let note = |arguments: &[&str]| {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--all", "--dry-run"]).collect();
        folder.purge(&arguments).ends_with(0)
    };
    let ran = note(&["--bucket", "nobodys"]);
    assert!(ran.err.contains("Note: 3 artifacts are not selected: 3 in other buckets."), "{}", ran.err);
    let ran = note(&["--reason", "logs-only"]);
    let told = "Note: 3 artifacts are not selected: 2 recorded as deleted, 1 with other reasons.";
    assert!(ran.err.contains(told), "{}", ran.err);
    let ran = note(&["--grace", "9000h"]);
    assert!(
        ran.out.contains("Nothing to delete: all that was found is kept (1 just-finished)"),
        "{}",
        ran.out
    );
}

#[test]
fn what_nobody_would_delete_and_is_not_there_is_gone() {
    let mut folder = Folder::new();
    folder.add(workflow("ml", "train", &["train/a.tgz"]));
    folder.put("train/a.tgz");
    let leaks = || folder.run("inspect", &["--check", "--fail-on", "uncovered"]);
    leaks().ends_with(3);
    // From files nothing can be recorded in the workflow.
    folder.purge(&["--all", "--yes"]).ends_with(0);
    let ran = leaks().ends_with(0);
    assert!(ran.out.contains("1 workflow leaves no artifact behind"), "{}", ran.out);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_saved_plan_whose_objects_stay_ends_with_4_on_apiserver_and_fake_gcs() {
    let live = Live::with("plans-partial", "train", &["train/a.tgz", "train/b.tgz"]);
    let plan = live.file("plan.json");
    live.purge(&["train", "--plan-out", &plan]).ends_with(0);
    let mut reader = live.workflow("reader", &[]);
    pod(&mut reader)["inputs"] = json!({ "artifacts": [{ "name": "in", "gcs": { "key": "train/a.tgz" } }] });
    live.server.apply(reader);
    live.purge(&["--plan", &plan, "--yes", "--dry-run"]).ends_with(0);
    live.purge(&["--plan", &plan, "--yes"]).ends_with(4);
    assert_eq!(live.gcs.keys(live.namespace), ["train/a.tgz"]);
}
