//! Purging through the real kubectl, on a real API server and a real object store behind a strict proxy.

use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::gcs::soft_delete_for_a_week;
use crate::support::kube::ALICE;
use crate::support::purge::{Live, Ran, ago, deletes, pod, protections, within_the_run};

const FINALIZER: &str = "workflows.argoproj.io/artifact-gc";

/// The keys `name/0.tgz` and so on.
fn keys(name: &str, count: usize) -> Vec<String> {
    (0..count).map(|at| format!("{name}/{at}.tgz")).collect()
}

/// A workflow with so many objects.
fn with_objects(namespace: &'static str, count: usize) -> (Live, Vec<String>) {
    let keys = keys("train", count);
    let names: Vec<&str> = keys.iter().map(String::as_str).collect();
    let live = Live::with(namespace, "train", &names);
    (live, keys)
}

fn all_of(keys: &[String]) -> Vec<&str> {
    keys.iter().map(String::as_str).collect()
}

/// Waits until it holds.
#[track_caller]
fn until(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(120), "{what} did not come about");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn what_is_shown_is_deleted_and_recorded_on_apiserver_and_fake_gcs() {
    let live = Live::with("purge-plain", "train", &["train/a.tgz", "train/b.tgz"]);
    live.put("train/other.tgz");
    let shown = live.purge(&["train", "--dry-run", "-o", "json"]).ends_with(0).json();
    assert_eq!(deletes(&shown), ["train/a.tgz", "train/b.tgz"]);
    assert!(live.gcs.deletes().is_empty(), "a dry run deletes nothing");
    let ran = live.purge(&["train", "--yes"]).ends_with(0);
    assert!(ran.out.contains("Deleted 2 objects (22B), verified"), "{}", ran.out);
    assert_eq!(live.gcs.keys(live.namespace), ["train/other.tgz"]);
    let now = live.get("train");
    let artifacts = &now["status"]["nodes"]["train-1"]["outputs"]["artifacts"];
    assert!(artifacts.as_array().unwrap().iter().all(|artifact| artifact["deleted"] == true), "{artifacts}");
    let events = live.server.get("/api/v1/namespaces/purge-plain/events").unwrap();
    let message = events["items"][0]["message"].as_str().unwrap();
    assert!(message.contains("deleted 2 artifact objects"), "{message}");
    live.was_careful(&["train/a.tgz", "train/b.tgz"]);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn an_object_overwritten_between_plan_and_delete_stays_on_apiserver_and_fake_gcs() {
    let live = Live::with("purge-changed", "train", &["train/a.tgz", "train/b.tgz"]);
    live.gcs.before_delete(live.namespace, "train/a.tgz", |gcs| {
        gcs.put("purge-changed", "train/a.tgz", "somebody's new work");
    });
    let ran = live.purge(&["train", "--yes"]).ends_with(4);
    assert!(ran.err.contains("train/a.tgz: the object was overwritten"), "{}", ran.err);
    assert_eq!(live.gcs.bytes(live.namespace, "train/a.tgz").unwrap(), b"somebody's new work");
    assert!(live.gcs.get(live.namespace, "train/b.tgz").is_none());
    live.was_careful(&["train/a.tgz", "train/b.tgz"]);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_04_a_workflow_retried_after_the_plan_keeps_its_objects_on_apiserver_and_fake_gcs() {
    let live = Live::with("purge-retried", "train", &["train/a.tgz"]);
    let plan = live.file("plan.json");
    live.purge(&["train", "--plan-out", &plan]).ends_with(0);
    assert!(live.gcs.deletes().is_empty());
    let mut retried = live.workflow("train", &["train/a.tgz"]);
    retried["status"]["phase"] = json!("Running");
    retried["metadata"]["labels"]["workflows.argoproj.io/completed"] = json!("false");
    live.server.apply(retried);
    let ran = live.purge(&["--plan", &plan, "--yes"]).ends_with(4);
    // The test server's replacement keeps the UID, as a retry does.
    assert!(ran.err.contains("retried, recreated or deleted since the plan"), "{}", ran.err);
    assert!(live.gcs.deletes().is_empty());
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_04_a_workflow_retried_during_the_deletes_keeps_the_rest_on_apiserver_and_fake_gcs() {
    let (live, keys) = with_objects("purge-retried-meanwhile", 600);
    live.gcs.latency(Duration::from_millis(10));
    let arguments = ["train", "--yes", "--concurrency", "8"];
    let child =
        live.command("purge", &arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("a delete", || !live.gcs.deletes().is_empty());
    let mut retried = live.workflow("train", &all_of(&keys));
    retried["status"]["phase"] = json!("Running");
    retried["metadata"]["labels"]["workflows.argoproj.io/completed"] = json!("false");
    live.server.apply(retried);
    let output = child.wait_with_output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{err}");
    // It is the first batch of 500 that the retry stopped.
    assert!(live.gcs.keys(live.namespace).len() > 200, "{err}");
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_25_a_saved_plan_is_applied_as_it_is_or_not_at_all_on_apiserver_and_fake_gcs() {
    let live = Live::with("purge-saved", "train", &["train/a.tgz"]);
    let plan = live.file("plan.json");
    live.purge(&["train", "--plan-out", &plan]).ends_with(0);
    let text = std::fs::read_to_string(&plan).unwrap();
    std::fs::write(&plan, text.replace("train/a.tgz", "other/a.tgz")).unwrap();
    let ran = live.purge(&["--plan", &plan, "--yes"]).ends_with(5);
    assert!(ran.err.contains("edited"), "{}", ran.err);
    std::fs::write(&plan, &text).unwrap();
    let ran = live.purge(&["--plan", &plan, "--plan-max-age", "0s", "--yes"]).ends_with(5);
    assert!(ran.err.contains("too long ago"), "{}", ran.err);
    live.purge(&["--plan", &plan, "train"]).ends_with(2);
    let ran = live.purge(&["--plan", &plan, "--yes"]).ends_with(0);
    assert!(ran.out.contains("Deleted 1 object"), "{}", ran.out);
    live.was_careful(&["train/a.tgz"]);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_25_what_is_referred_to_by_now_stays_whatever_the_plan_says_on_apiserver_and_fake_gcs() {
    let live = Live::with("purge-since", "train", &["train/a.tgz", "train/b.tgz"]);
    let plan = live.file("plan.json");
    live.purge(&["train", "--plan-out", &plan]).ends_with(0);
    let mut reader = live.workflow("reader", &[]);
    pod(&mut reader)["inputs"] = json!({ "artifacts": [{ "name": "in", "gcs": { "key": "train/a.tgz" } }] });
    live.server.apply(reader);
    let ran = live.purge(&["--plan", &plan, "--yes"]).ends_with(4);
    assert!(ran.err.contains("Note: 1 object of the plan will be kept"), "{}", ran.err);
    assert_eq!(live.gcs.keys(live.namespace), ["train/a.tgz"]);
    live.was_careful(&["train/b.tgz"]);
}

/// Two workflows of one namespace with one key, both selected.
fn sharing(namespace: &'static str) -> Live {
    let live = Live::with(namespace, "train", &["shared/a.tgz"]);
    live.server.apply(live.workflow("other", &["shared/a.tgz"]));
    live
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_01_an_object_shared_by_two_of_a_saved_plan_goes_with_it_on_apiserver_and_fake_gcs() {
    let live = sharing("purge-shared");
    let plan = live.file("plan.json");
    live.purge(&["train", "other", "--plan-out", &plan]).ends_with(0);
    let ran = live.purge(&["--plan", &plan, "--yes"]).ends_with(0);
    assert!(ran.out.contains("Deleted 1 object"), "{}{}", ran.out, ran.err);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_04_an_object_stays_when_another_owner_runs_again_since_the_plan_on_apiserver_and_fake_gcs() {
    let live = Live::start("purge-shared-rerun");
    live.gcs.bucket(live.namespace);
    let keys = |name: &str| [format!("{name}/own.tgz"), "shared/a.tgz".to_owned()];
    let wf = |name: &str| live.workflow(name, &all_of(&keys(name)));
    live.put("shared/a.tgz");
    for name in ["train", "other"] {
        live.server.apply(wf(name));
        live.put(&keys(name)[0]);
    }
    let plan = live.file("plan.json");
    live.purge(&["train", "other", "--plan-out", &plan]).ends_with(0);
    let text = std::fs::read_to_string(&plan).unwrap();
    assert!(text.contains(r#""sharers":[{"namespace":"purge-shared-rerun","name":"#), "{text}");
    // Whichever of the two the object was planned for, the other keeps it.
    for name in ["train", "other"] {
        let mut retried = wf(name);
        retried["status"]["phase"] = json!("Running");
        retried["metadata"]["labels"]["workflows.argoproj.io/completed"] = json!("false");
        live.server.apply(retried);
        let ran = live.purge(&["--plan", &plan, "--yes"]);
        assert!(live.gcs.get(live.namespace, "shared/a.tgz").is_some(), "{}{}", ran.out, ran.err);
        live.server.apply(wf(name));
    }
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_25_a_namespace_pinned_since_the_plan_keeps_everything_on_apiserver_and_fake_gcs() {
    let live = Live::with("purge-pinned-since", "train", &["train/a.tgz"]);
    let plan = live.file("plan.json");
    live.purge(&["train", "--plan-out", &plan]).ends_with(0);
    live.server.apply(json!({ "apiVersion": "v1", "kind": "Namespace",
        "metadata": { "name": "purge-pinned-since", "labels": { "argo-gc/keep": "true" } } }));
    let ran = live.purge(&["--plan", &plan, "--yes"]).ends_with(4);
    assert!(ran.out.contains("pinned"), "{}{}", ran.out, ran.err);
    assert!(live.gcs.deletes().is_empty());
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_32_a_killed_run_is_finished_by_resume_and_nothing_is_deleted_twice_on_apiserver_and_fake_gcs() {
    let (live, keys) = with_objects("purge-killed", 60);
    let journal = live.file("journal.jsonl");
    live.gcs.latency(Duration::from_millis(40));
    let arguments = ["train", "--yes", "--concurrency", "4", "--journal", &journal];
    let mut child =
        live.command("purge", &arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("a delete", || live.gcs.deletes().len() > 10);
    // kubectl replaces itself by the plugin, so this is the plugin's own process.
    child.kill().unwrap();
    child.wait().unwrap();
    let left = live.gcs.keys(live.namespace).len();
    assert!(left > 0 && left < keys.len(), "{left}");
    live.gcs.heal();
    let ran = live.purge(&["--resume", &journal, "--yes"]).ends_with(0);
    assert!(ran.err.contains("settled already"), "{}", ran.err);
    assert!(live.gcs.keys(live.namespace).is_empty());
    for key in &keys {
        let entries = live.gcs.deletes();
        let done = entries.iter().filter(|entry| entry.key.as_ref() == Some(key) && entry.executed).count();
        assert_eq!(done, 1, "{key}");
    }
    live.was_careful(&all_of(&keys));
    // Finished is finished.
    let ran = live.purge(&["--resume", &journal, "--yes"]).ends_with(0);
    assert!(ran.err.contains("60 of 60 objects are settled"), "{}", ran.err);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_32_a_run_killed_before_it_told_the_workflow_does_so_on_resume_on_apiserver_and_fake_gcs() {
    let live = Live::with("purge-untold", "train", &["train/a.tgz"]);
    let journal = live.file("journal.jsonl");
    live.purge(&["train", "--yes", "--journal", &journal]).ends_with(0);
    // As if it had been killed after its last delete.
    let text = std::fs::read_to_string(&journal).unwrap();
    let told = |line: &&str| !line.contains("\"line\":\"workflow\"") && !line.contains("\"line\":\"end\"");
    std::fs::write(&journal, text.lines().filter(told).map(|line| format!("{line}\n")).collect::<String>())
        .unwrap();
    let mut untold = live.get("train");
    pod(&mut untold)["outputs"]["artifacts"][0]["deleted"] = json!(false);
    live.server.apply(untold);
    let ran = live.purge(&["--resume", &journal]).ends_with(0);
    assert!(ran.out.contains("Recorded 1 artifact as deleted"), "{}{}", ran.out, ran.err);
    let now = live.get("train");
    assert_eq!(now["status"]["nodes"]["train-1"]["outputs"]["artifacts"][0]["deleted"], true);
    // Told once is enough.
    let ran = live.purge(&["--resume", &journal]).ends_with(0);
    assert!(!ran.out.contains("Recorded"), "{}", ran.out);
    live.was_careful(&["train/a.tgz"]);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_32_an_interrupt_finishes_what_is_in_flight_and_says_how_to_go_on_on_apiserver_and_fake_gcs() {
    let (live, keys) = with_objects("purge-interrupted", 60);
    let journal = live.file("journal.jsonl");
    live.gcs.latency(Duration::from_millis(40));
    let arguments = ["train", "--yes", "--concurrency", "4", "--journal", &journal];
    let mut command = live.command("purge", &arguments);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("a delete", || live.gcs.deletes().len() > 10);
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{err}");
    // What was done comes first, then at most three lines of what was not.
    let (before, after) = err.split_once("Interrupted after").expect("it says so");
    assert!(!before.contains("not reached") && before.contains("Journal: "), "{err}");
    assert_eq!(after.matches(": not reached").count(), 3, "{err}");
    let go_on = after.lines().find_map(|line| line.strip_prefix("Go on with: ")).expect("a command");
    assert!(go_on.starts_with("kubectl argo-gc purge --resume"), "{err}");
    let text = std::fs::read_to_string(&journal).unwrap();
    let lines =
        |kind: &str| text.lines().filter(|line| line.contains(&format!("\"line\":\"{kind}\""))).count();
    assert!(lines("intent") > 0, "{text}");
    assert_eq!(lines("intent"), lines("result"), "nothing in flight is left open");
    live.gcs.heal();
    live.purge(&["--resume", &journal, "--yes"]).ends_with(0);
    assert!(live.gcs.keys(live.namespace).is_empty());
    live.was_careful(&all_of(&keys));
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_storage_that_stumbles_loses_and_repeats_nothing_on_apiserver_and_fake_gcs() {
    let (live, keys) = with_objects("purge-stumbling", 40);
    live.gcs.fail_every(10, 503);
    live.gcs.fail_after_every(7, 500);
    let ran = live.purge(&["train", "--yes", "--concurrency", "8"]).ends_with(0);
    assert!(ran.out.contains("Deleted 40 objects"), "{}{}", ran.out, ran.err);
    assert!(live.gcs.keys(live.namespace).is_empty());
    live.was_careful(&all_of(&keys));

    let (live, keys) = with_objects("purge-throttled", 20);
    live.gcs.fail_every(5, 429);
    live.purge(&["train", "--yes"]).ends_with(0);
    assert!(live.gcs.keys(live.namespace).is_empty());
    live.was_careful(&all_of(&keys));
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_lost_connection_is_settled_by_a_look_on_apiserver_and_fake_gcs() {
    let (live, keys) = with_objects("purge-cut", 12);
    live.gcs.cut_after_every(3);
    let ran = live.purge(&["train", "--yes", "--concurrency", "2"]).ends_with(0);
    assert!(ran.out.contains("Deleted 12 objects"), "{}{}", ran.out, ran.err);
    for key in &keys {
        let entries = live.gcs.deletes();
        assert_eq!(
            entries.iter().filter(|entry| entry.key.as_ref() == Some(key)).count(),
            1,
            "{key} was sent again"
        );
    }
    live.was_careful(&all_of(&keys));
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_stalled_connection_holds_up_its_own_object_only_on_apiserver_and_fake_gcs() {
    let (live, keys) = with_objects("purge-stalled", 10);
    live.gcs.stall(4, Duration::from_secs(2));
    live.purge(&["train", "--yes"]).ends_with(0);
    assert!(live.gcs.keys(live.namespace).is_empty());
    live.was_careful(&all_of(&keys));
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn two_purges_at_once_delete_everything_once_on_apiserver_and_fake_gcs() {
    let (live, keys) = with_objects("purge-twice", 40);
    live.gcs.latency(Duration::from_millis(5));
    let run = || live.purge(&["train", "--yes", "--concurrency", "4"]);
    let (first, second) = thread::scope(|scope| {
        let other = scope.spawn(run);
        (run(), other.join().unwrap())
    });
    for ran in [first, second] {
        ran.ends_with(0);
    }
    assert!(live.gcs.keys(live.namespace).is_empty());
    let executed = live.gcs.deletes().iter().filter(|entry| entry.executed).count();
    assert_eq!(executed, keys.len());
    live.was_careful(&all_of(&keys));
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_19_holds_retention_and_refusals_are_told_apart_on_apiserver_and_fake_gcs() {
    let names = ["train/free.tgz", "train/held.tgz", "train/kept.tgz", "train/denied.tgz"];
    let live = Live::with("purge-held", "train", &names);
    live.gcs.hold(live.namespace, "train/held.tgz");
    live.gcs.retain(live.namespace, "train/kept.tgz");
    live.gcs.forbid(live.namespace, "train/denied.tgz");
    let plan = live.purge(&["train", "--dry-run", "-o", "json"]).ends_with(0).json();
    assert!(protections(&plan).contains(&"held".to_owned()), "{plan:#}");
    let ran = live.purge(&["train", "--yes"]).ends_with(4);
    assert!(ran.err.contains("train/denied.tgz: the storage refused the delete"), "{}", ran.err);
    let mut left = live.gcs.keys(live.namespace);
    left.sort();
    assert_eq!(left, ["train/denied.tgz", "train/held.tgz", "train/kept.tgz"]);
    live.was_careful(&names);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_32_resume_does_not_call_done_what_was_left_alone_on_apiserver_and_fake_gcs() {
    let names = ["train/free.tgz", "train/held.tgz"];
    let live = Live::with("purge-resume-held", "train", &names);
    live.gcs.before_delete(live.namespace, "train/held.tgz", |gcs| {
        gcs.hold("purge-resume-held", "train/held.tgz")
    });
    let journal = live.file("journal.jsonl");
    live.purge(&["train", "--yes", "--journal", &journal]).ends_with(4);
    let ran = live.purge(&["--resume", &journal, "--yes"]).ends_with(4);
    assert!(ran.err.contains("1 of them was left alone, and is still there"), "{}", ran.err);
    live.purge(&["-l", "", "--yes"]).ends_with(2);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_19_a_hold_set_after_the_plan_is_no_failure_of_rights_on_apiserver_and_fake_gcs() {
    let live = Live::with("purge-held-late", "train", &["train/a.tgz"]);
    live.gcs.before_delete(live.namespace, "train/a.tgz", |gcs| gcs.hold("purge-held-late", "train/a.tgz"));
    let ran = live.purge(&["train", "--yes"]).ends_with(4);
    assert!(ran.err.contains("a hold or retention forbids the object's deletion"), "{}", ran.err);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn keys_of_every_kind_hit_their_own_object_only_on_apiserver_and_fake_gcs() {
    let names = [
        "train/ü/日本 x.tgz",
        "train/a%2Fb.tgz",
        "train/a?b#c&d=e+f.tgz",
        "train/%41.tgz",
        "train/\u{202e}gzt.a",
    ];
    let live = Live::with("purge-unicode", "train", &names);
    // What a wrong encoding or decoding would hit instead.
    for neighbour in ["train/a/b.tgz", "train/A.tgz", "train/a"] {
        live.put(neighbour);
    }
    live.purge(&["train", "--yes"]).ends_with(0);
    assert_eq!(live.gcs.keys(live.namespace), ["train/A.tgz", "train/a", "train/a/b.tgz"]);
    live.was_careful(&names);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_02_a_directory_ends_at_its_slash_on_apiserver_and_fake_gcs() {
    let live = Live::start("purge-directory");
    live.gcs.bucket(live.namespace);
    let mut wf = live.workflow("train", &["a/b"]);
    pod(&mut wf)["outputs"]["artifacts"][0]["archive"] = json!({ "none": {} });
    live.server.apply(wf);
    for key in ["a/b/1", "a/b/2/3", "a/bc", "a/b-1/x"] {
        live.put(key);
    }
    live.purge(&["train", "--yes"]).ends_with(0);
    assert_eq!(live.gcs.keys(live.namespace), ["a/b-1/x", "a/bc"]);
    live.was_careful(&["a/b/1", "a/b/2/3"]);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_18_and_20_a_versioned_bucket_loses_its_live_version_and_undo_brings_it_back_on_apiserver_and_fake_gcs()
 {
    let live = Live::start("purge-versioned");
    live.gcs.bucket_with(live.namespace, json!({ "versioning": { "enabled": true } }));
    live.server.apply(live.workflow("train", &["train/a.tgz"]));
    live.put("train/a.tgz");
    let journal = live.file("journal.jsonl");
    let ran = live.purge(&["train", "--yes", "--journal", &journal]).ends_with(0);
    assert!(ran.err.contains("versioning is on"), "{}", ran.err);
    assert!(ran.out.contains("billed until the bucket removes them"), "{}", ran.out);
    assert!(live.gcs.keys(live.namespace).is_empty());
    let undone = Ran::of(live.command("undo", &[&journal])).ends_with(0);
    assert!(undone.out.contains("Brought back 1 of 1"), "{}", undone.out);
    assert_eq!(live.gcs.bytes(live.namespace, "train/a.tgz").unwrap(), b"train/a.tgz");
    // What is back needs no second way back.
    let again = Ran::of(live.command("undo", &[&journal])).ends_with(0);
    assert!(again.out.contains("Brought back 0 of 0"), "{}", again.out);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_20_undo_leaves_a_newer_object_alone_and_says_what_is_lost_on_apiserver_and_fake_gcs() {
    let live = Live::start("purge-undo");
    live.gcs.bucket_with(live.namespace, soft_delete_for_a_week());
    live.server.apply(live.workflow("train", &["train/a.tgz", "train/b.tgz"]));
    live.put("train/a.tgz");
    live.put("train/b.tgz");
    let journal = live.file("journal.jsonl");
    let ran = live.purge(&["train", "--yes", "--journal", &journal]).ends_with(0);
    assert!(ran.err.contains("deleted objects are kept, and billed, for 7 days"), "{}", ran.err);
    live.gcs.put(live.namespace, "train/a.tgz", "newer");
    let undone = Ran::of(live.command("undo", &[&journal])).ends_with(4);
    assert!(undone.out.contains("Brought back 1 of 2"), "{}", undone.out);
    assert!(undone.out.contains("1 was left alone: a newer object"), "{}", undone.out);
    assert_eq!(live.gcs.bytes(live.namespace, "train/a.tgz").unwrap(), b"newer");

    let live = Live::with("purge-undo-lost", "train", &["train/a.tgz"]);
    let journal = live.file("journal.jsonl");
    live.purge(&["train", "--yes", "--journal", &journal]).ends_with(0);
    let undone = Ran::of(live.command("undo", &[&journal])).ends_with(4);
    assert!(undone.out.contains("1 did not come back: the bucket shows no copy"), "{}", undone.out);
    assert!(
        undone.err.contains("gs://purge-undo-lost/train/a.tgz: the bucket shows no copy"),
        "{}",
        undone.err
    );
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_32_undo_brings_back_what_a_killed_run_deleted_without_writing_it_down_on_apiserver_and_fake_gcs() {
    let live = Live::start("purge-undo-killed");
    live.gcs.bucket_with(live.namespace, soft_delete_for_a_week());
    live.server.apply(live.workflow("train", &["train/a.tgz"]));
    live.put("train/a.tgz");
    let journal = live.file("journal.jsonl");
    live.purge(&["train", "--yes", "--journal", &journal]).ends_with(0);
    let text = std::fs::read_to_string(&journal).unwrap();
    let killed: Vec<&str> = text.lines().filter(|line| !line.contains(r#""line":"result""#)).collect();
    std::fs::write(&journal, killed.join("\n")).unwrap();
    let undone = Ran::of(live.command("undo", &[&journal])).ends_with(0);
    assert!(undone.out.contains("Brought back 1 of 1"), "{}", undone.out);
    assert_eq!(live.gcs.keys(live.namespace), ["train/a.tgz"]);
    // Nothing was deleted: nothing is to be brought back.
    let text = std::fs::read_to_string(&journal).unwrap();
    let untouched: Vec<&str> = text.lines().filter(|line| !line.contains(r#""line":"restored""#)).collect();
    let now = live.gcs.get(live.namespace, "train/a.tgz").unwrap()["generation"].as_str().unwrap().to_owned();
    let old = text.split(r#""generation":""#).nth(1).unwrap().split('"').next().unwrap().to_owned();
    let (plan, lines) =
        untouched.split_at(untouched.iter().position(|line| line.starts_with(']')).unwrap() + 1);
    let lines: Vec<String> = lines.iter().map(|line| line.replace(&old, &now)).collect();
    std::fs::write(&journal, format!("{}\n{}\n", plan.join("\n"), lines.join("\n"))).unwrap();
    let undone = Ran::of(live.command("undo", &[&journal])).ends_with(0);
    assert!(undone.out.contains("Brought back 0 of 0"), "{}", undone.out);
}

/// A workflow whose named and inline artifacts share a strategy: GC is poisoned and its finalizer hangs.
fn poisoned(live: &Live, keys: &[&str]) -> Value {
    let mut wf = live.workflow("train", keys);
    wf["metadata"]["finalizers"] = json!(["example.com/other", FINALIZER]);
    wf["spec"]["templates"][0]["outputs"] = json!({ "artifacts": [{ "name": "x", "path": "/x" }] });
    wf["status"]["artifactGCStatus"] = json!({ "strategiesProcessed": { "OnWorkflowDeletion": true } });
    wf["metadata"]["deletionTimestamp"] = json!(ago(within_the_run()));
    wf
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_24_only_the_gc_finalizer_goes_and_only_after_the_objects_on_apiserver_and_fake_gcs() {
    let live = Live::start("purge-finalizer");
    live.gcs.bucket(live.namespace);
    live.server.apply(poisoned(&live, &["train/a.tgz", "train/b.tgz"]));
    live.put("train/a.tgz");
    live.put("train/b.tgz");
    let finalizers = || live.get("train")["metadata"]["finalizers"].clone();
    live.gcs.before_delete(live.namespace, "train/b.tgz", |gcs| {
        gcs.put("purge-finalizer", "train/b.tgz", "again");
    });
    let ran = live.purge(&["train", "--yes", "--release-finalizer"]).ends_with(4);
    assert!(ran.err.contains("the finalizer is kept: 1 of its artifacts"), "{}", ran.err);
    assert_eq!(finalizers(), json!(["example.com/other", FINALIZER]));
    live.put("train/b.tgz");
    live.purge(&["train", "--yes"]).ends_with(0);
    assert_eq!(finalizers(), json!(["example.com/other", FINALIZER]), "nobody asked for its release");
    let ran = live.purge(&["train", "--yes", "--release-finalizer"]).ends_with(0);
    assert!(ran.out.contains("Released 1 finalizer"), "{}{}", ran.out, ran.err);
    assert_eq!(finalizers(), json!(["example.com/other"]));
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_finalizer_that_hangs_and_is_not_released_is_told_on_apiserver_and_fake_gcs() {
    let live = Live::start("purge-finalizer-kept");
    live.gcs.bucket(live.namespace);
    let mut pinned = poisoned(&live, &["train/a.tgz"]);
    pinned["metadata"]["labels"]["argo-gc/keep"] = json!("true");
    live.server.apply(pinned);
    live.put("train/a.tgz");
    let words = "1 stuck finalizer will not be released, because its workflow is kept";
    let ran = live.purge(&["train", "--yes", "--release-finalizer"]).ends_with(4);
    assert!(ran.err.contains(words), "{ran:#?}");
    let ran = live.purge(&["train", "--dry-run", "--release-finalizer"]).ends_with(0);
    assert!(ran.err.contains(words), "{ran:#?}");
    live.purge(&["train", "--yes"]).ends_with(0);
    assert!(live.gcs.deletes().is_empty());
    // Where none hangs, there is nothing to complain of.
    live.server.apply(live.workflow("fine", &["fine/a.tgz"]));
    live.put("fine/a.tgz");
    let ran = live.purge(&["fine", "--yes", "--release-finalizer"]).ends_with(0);
    assert!(ran.err.contains("no finalizer is to be released: no selected workflow is stuck"), "{ran:#?}");
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn where_no_journal_can_be_written_nobody_is_asked_on_apiserver_and_fake_gcs() {
    let live = Live::with("purge-no-journal", "train", &["train/a.tgz"]);
    for yes in [&[][..], &["--yes"]] {
        let line = ["train", "--journal", "/proc/argo-gc/j.jsonl"];
        let ran = live.purge(&line.iter().chain(yes).copied().collect::<Vec<_>>()).ends_with(1);
        assert!(ran.err.contains("no journal can be written in /proc/argo-gc"), "{ran:#?}");
        assert!(
            ran.err.contains("--journal") && !ran.err.contains("purge-no-journal: no soft delete"),
            "{ran:#?}"
        );
    }
    assert!(live.gcs.deletes().is_empty());
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_24_a_workflow_that_runs_again_since_the_plan_keeps_its_finalizer_on_apiserver_and_fake_gcs() {
    let live = Live::start("purge-finalizer-rerun");
    live.gcs.bucket(live.namespace);
    let mut wf = poisoned(&live, &["train/a.tgz"]);
    wf["metadata"].as_object_mut().unwrap().remove("deletionTimestamp");
    live.server.apply(wf.clone());
    let plan = live.file("plan.json");
    live.purge(&["train", "--release-finalizer", "--plan-out", &plan]).ends_with(0);
    // A retry: the node that wrote the artifact is to run again.
    wf["status"]["phase"] = json!("Running");
    wf["metadata"]["labels"]["workflows.argoproj.io/completed"] = json!("false");
    wf["status"]["nodes"] = json!({});
    live.server.apply(wf);
    let ran = live.purge(&["--plan", &plan, "--yes"]);
    assert_eq!(live.get("train")["metadata"]["finalizers"], json!(["example.com/other", FINALIZER]));
    assert!(ran.err.contains("it is Running again"), "{}{}", ran.out, ran.err);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_24_an_uncertain_location_proves_no_absence_on_apiserver_and_fake_gcs() {
    let live = Live::start("purge-finalizer-mixup");
    live.gcs.bucket(live.namespace);
    let mut wf = poisoned(&live, &["train/a.tgz"]);
    wf["status"]["artifactGCStatus"] = json!({});
    wf["status"]["nodes"].as_object_mut().unwrap()["train"] = json!(null);
    let archive = |bucket: &str| json!({ "gcs": { "bucket": bucket, "key": "{{workflow.name}}" } });
    let template = |bucket: &str| json!({ "name": "export", "archiveLocation": archive(bucket) });
    wf["spec"]["templates"] = json!([{ "name": "main" }, template("elsewhere")]);
    wf["status"]["storedTemplates"] = json!({ "namespaced/t/export": template("purge-finalizer-mixup") });
    wf["status"]["nodes"].as_object_mut().unwrap().remove("train");
    pod(&mut wf)["templateRef"] = json!({ "name": "t", "template": "export" });
    live.server.apply(wf);
    live.purge(&["train", "--yes", "--release-finalizer"]);
    let now = live.get("train");
    assert_eq!(now["metadata"]["finalizers"], json!(["example.com/other", FINALIZER]), "{now:#}");
    let artifact = &now["status"]["nodes"]["train-1"]["outputs"]["artifacts"][0];
    assert_ne!(artifact["deleted"], json!(true), "{now:#}");
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_24_what_argo_calls_deleted_is_looked_for_before_the_finalizer_goes_on_apiserver_and_fake_gcs() {
    let live = Live::start("purge-finalizer-false");
    live.gcs.bucket(live.namespace);
    let mut wf = poisoned(&live, &["train/a.tgz"]);
    pod(&mut wf)["outputs"]["artifacts"][0]["deleted"] = json!(true);
    live.server.apply(wf);
    live.put("train/a.tgz");
    let finalizers = || live.get("train")["metadata"]["finalizers"].clone();
    let ran = live.purge(&["train", "--yes", "--release-finalizer"]);
    assert!(ran.err.contains("the finalizer is kept: 1 of its artifacts"), "{}{}", ran.out, ran.err);
    assert_eq!(finalizers(), json!(["example.com/other", FINALIZER]));
    // Written there since by somebody else, it is no reason to stay.
    live.gcs.created(live.namespace, "train/a.tgz", &ago(SignedDuration::from_hours(1)));
    live.purge(&["train", "--yes", "--release-finalizer"]).ends_with(0);
    assert_eq!(finalizers(), json!(["example.com/other"]));
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_24_what_is_written_again_after_its_delete_keeps_the_finalizer_on_apiserver_and_fake_gcs() {
    let live = Live::start("purge-finalizer-again");
    live.gcs.bucket(live.namespace);
    live.server.apply(poisoned(&live, &["train/a.tgz", "train/b.tgz"]));
    live.put("train/a.tgz");
    live.put("train/b.tgz");
    // One by one: the first is gone when the second is to go.
    live.gcs.before_delete(live.namespace, "train/b.tgz", |gcs| {
        assert!(gcs.get("purge-finalizer-again", "train/a.tgz").is_none());
        gcs.put("purge-finalizer-again", "train/a.tgz", "again");
    });
    let ran = live.purge(&["train", "--yes", "--release-finalizer", "--concurrency", "1"]);
    assert!(ran.err.contains("the finalizer is kept: 1 of its artifacts"), "{}{}", ran.out, ran.err);
    assert_eq!(live.gcs.keys(live.namespace), ["train/a.tgz"]);
    let now = live.get("train");
    assert_eq!(now["metadata"]["finalizers"], json!(["example.com/other", FINALIZER]));
    let artifacts = &now["status"]["nodes"]["train-1"]["outputs"]["artifacts"];
    assert_eq!((&artifacts[0]["deleted"], &artifacts[1]["deleted"]), (&Value::Null, &json!(true)));
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_32_an_interrupt_begins_no_more_finalizers_on_apiserver_and_fake_gcs() {
    let (live, _) = with_objects("purge-finalizer-interrupt", 60);
    for at in 0..20 {
        let mut wf = live.workflow(&format!("x-{at:02}"), &[]);
        pod(&mut wf)["outputs"]["artifacts"] =
            json!([{ "name": "out", "gcs": { "key": format!("x/{at}") } }]);
        wf["metadata"]["finalizers"] = json!([FINALIZER]);
        wf["status"]["artifactGCStatus"] = json!({ "strategiesProcessed": { "OnWorkflowDeletion": true } });
        wf["metadata"]["deletionTimestamp"] = json!(ago(within_the_run()));
        wf["metadata"]["finalizers"] = json!(["example.com/other", FINALIZER]);
        live.server.apply(wf);
    }
    live.gcs.latency(Duration::from_millis(40));
    let arguments =
        ["--all", "--yes", "--release-finalizer", "--accept-absent", "--no-record", "--concurrency", "4"];
    let child =
        live.command("purge", &arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("a delete", || live.gcs.deletes().len() > 10);
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    let left = (0..20).filter(|at| {
        let finalizers = live.get(&format!("x-{at:02}"))["metadata"]["finalizers"].clone();
        finalizers.as_array().unwrap().contains(&json!(FINALIZER))
    });
    assert!(left.count() >= 12);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_29_a_location_outside_the_configured_repositories_is_reported_only_on_apiserver_and_fake_gcs() {
    let live = Live::start("purge-foreign");
    live.gcs.bucket(live.namespace);
    live.gcs.bucket("payroll");
    let mut wf = live.workflow("train", &["train/a.tgz", "x"]);
    pod(&mut wf)["outputs"]["artifacts"][1]["gcs"] = json!({ "bucket": "payroll", "key": "salaries.csv" });
    live.server.apply(wf);
    live.put("train/a.tgz");
    live.gcs.put("payroll", "salaries.csv", "secret");
    live.gcs.created("payroll", "salaries.csv", &ago(within_the_run()));
    let plan = live.purge(&["train", "--dry-run", "-o", "json"]).ends_with(0).json();
    assert_eq!(deletes(&plan), ["train/a.tgz"]);
    assert_eq!(protections(&plan), ["foreign-location"]);
    live.purge(&["train", "--yes"]).ends_with(0);
    assert_eq!(live.gcs.keys("payroll"), ["salaries.csv"]);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_16_a_user_who_sees_one_namespace_only_is_refused_on_apiserver_and_fake_gcs() {
    let live = Live::with("purge-alice", "train", &["train/a.tgz"]);
    live.server.apply(
        "
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: { name: all, namespace: purge-alice }
rules: [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: all, namespace: purge-alice }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: all }
subjects: [{ apiGroup: rbac.authorization.k8s.io, kind: User, name: alice }]
",
    );
    let purge = |arguments: &[&str]| {
        let mut command =
            live.server.kubectl_as(ALICE, ["argo-gc", "purge", "train", "-n", "purge-alice", "--yes"]);
        command.args(["--repository", "gs://purge-alice"]).args(arguments);
        command.env("STORAGE_EMULATOR_HOST", live.gcs.url()).env("XDG_STATE_HOME", live.directory.path());
        Ran::of(command)
    };
    until("the grant", || {
        let list = live.server.kubectl_as(ALICE, ["get", "wf", "-n", "purge-alice"]).output().unwrap();
        list.status.success()
    });
    let ran = purge(&[]).ends_with(5);
    assert!(ran.err.contains("--accept-unread"), "{}", ran.err);
    assert!(live.gcs.deletes().is_empty());
    let sources = "workflows,caches,templates,cluster-templates,cron-workflows,sensors,namespaces,archive";
    // What one can read counts, though the rest is accepted as unread.
    let place = json!({ "bucket": "purge-alice", "key": "train/a.tgz" });
    let entry = json!({ "outputs": { "artifacts": [{ "name": "out", "gcs": place }] } });
    let cache = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "cache", "namespace": "purge-alice",
            "labels": { "workflows.argoproj.io/configmap-type": "Cache" } },
        "data": { "key": entry.to_string() },
    });
    live.server.apply(cache.clone());
    let ran = purge(&["--accept-unread", sources]).ends_with(0);
    assert!(ran.out.contains("cache purge-alice/cache"), "{}", ran.out);
    assert!(live.gcs.deletes().is_empty());
    let mut emptied = cache;
    emptied["data"] = json!({});
    live.server.apply(emptied);
    let ran = purge(&["--accept-unread", sources]).ends_with(0);
    assert!(ran.err.contains("Warning: accepted as unread: workflows"), "{}", ran.err);
    assert!(live.gcs.keys(live.namespace).is_empty());
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_28_missing_rights_are_found_before_the_first_delete_on_apiserver_and_fake_gcs() {
    let live = Live::with("purge-rights", "train", &["train/a.tgz"]);
    live.gcs.permissions(live.namespace, &["storage.objects.list", "storage.objects.get"]);
    let ran = live.purge(&["train", "--yes"]).ends_with(5);
    assert!(ran.err.contains("lacks storage.objects.delete on gs://purge-rights"), "{}", ran.err);
    assert!(live.gcs.deletes().is_empty());
    live.purge(&["train", "--dry-run=server"]).ends_with(5);
    live.purge(&["train", "--dry-run"]).ends_with(0);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_pinned_namespace_keeps_everything_on_apiserver_and_fake_gcs() {
    let live = Live::start("purge-pinned");
    live.gcs.bucket(live.namespace);
    live.server.apply(json!({ "apiVersion": "v1", "kind": "Namespace",
        "metadata": { "name": "purge-pinned", "labels": { "argo-gc/keep": "true" } } }));
    live.server.apply(live.workflow("train", &["train/a.tgz"]));
    live.put("train/a.tgz");
    let plan = live.purge(&["train", "--dry-run", "-o", "json"]).ends_with(0).json();
    assert_eq!(protections(&plan), ["pinned"]);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn references_are_found_in_other_namespaces_and_selectors_choose_by_label_on_apiserver_and_fake_gcs() {
    let live = Live::with("purge-refs", "train", &["shared-refs/a.tgz"]);
    let mut reader = live.workflow("reader", &[]);
    reader["metadata"]["namespace"] = json!("purge-refs-reader");
    pod(&mut reader)["inputs"] = json!({ "artifacts": [{ "name": "in", "gcs": { "bucket": live.namespace, "key": "shared-refs/a.tgz" } }] });
    live.server.apply(reader);
    let mut labelled = live.workflow("labelled", &["labelled-refs/a.tgz"]);
    labelled["metadata"]["labels"]["app"] = json!("etl");
    live.server.apply(labelled);
    live.put("labelled-refs/a.tgz");
    let plan = live.purge(&["--all", "--dry-run", "-o", "json"]).ends_with(0).json();
    assert_eq!(deletes(&plan), ["labelled-refs/a.tgz"]);
    assert_eq!(protections(&plan), ["referenced"]);
    let plan = live.purge(&["-l", "app=etl", "--dry-run", "-o", "json"]).ends_with(0).json();
    assert_eq!(deletes(&plan), ["labelled-refs/a.tgz"]);
    let plan = live.purge(&["-l", "app!=etl", "--dry-run", "-o", "json"]).ends_with(0).json();
    assert!(deletes(&plan).is_empty());
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn names_that_are_not_there_and_dead_endpoints_are_errors_on_apiserver_and_fake_gcs() {
    let live = Live::with("purge-wrong", "train", &["train/a.tgz"]);
    let ran = live.purge(&["nosuch", "--yes"]).ends_with(1);
    assert!(ran.err.contains("\"nosuch\" not found"), "{}", ran.err);
    let ran = live.purge(&["train"]).ends_with(5);
    assert!(ran.err.contains("not confirmed"), "{}", ran.err);
    assert!(live.gcs.deletes().is_empty());
    let ran = live.purge(&["--resume", "/nonexistent"]).ends_with(1);
    assert!(ran.err.contains("/nonexistent"), "{}", ran.err);
}
