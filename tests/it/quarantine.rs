//! `purge --quarantine`: what is only marked, what is deleted later, and what takes its mark off.

use crate::orphans::orphans;
use crate::support::Ran;
use crate::support::faulty_storage::{Asked, END, FaultyStorage, answer, azure, gcs, listing, s3};
use crate::support::gcs::soft_delete_for_a_week;
use crate::support::purge::{
    Folder, Live, ago, deletes, keeps_to, marks, pod, protections, within_the_run, workflow,
};
use argo_gc::interrupt::Stop;
use argo_gc::progress::{Doing, Progress};
use argo_gc::purge::delete::Deleter;
use argo_gc::purge::execute::Executor;
use argo_gc::purge::journal::{Journal, Who};
use argo_gc::purge::outcome::{ObjectOutcome, WorkflowTally};
use argo_gc::purge::plan_file::{Draft, Head};
use argo_gc::purge::quarantine::Marker;
use argo_gc_core::model::context::{Context, Controllers, Related};
use argo_gc_core::plan::planned::{ObjectPlace, PlannedWorkflow, UnreadPlace};
use argo_gc_store::local::LocalBuckets;
use argo_gc_store::store::Store;
use argo_gc_store::types::{MarkText, Marking, StoreError};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::sync::Mutex;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicUsize};

pub const NAME: &str = "argo-gc-quarantine";

pub const DAY: [&str; 3] = ["--quarantine", "1d", "--yes"];

/// The mark of an object, if it has one.
pub fn mark(live: &Live, key: &str) -> Option<String> {
    let object = live.gcs.get(live.namespace, key)?;
    object["metadata"][NAME].as_str().map(str::to_owned)
}

/// Has the object marked so long ago, as an earlier run did.
pub fn marked(live: &Live, key: &str, age: SignedDuration) {
    live.gcs.mark(live.namespace, key, &ago(age));
}

/// Longer than a day, and since the end of the workflows' run.
pub fn long() -> SignedDuration {
    SignedDuration::from_hours(30)
}

/// The plan for a workflow, or for `--all`, with a day in quarantine.
#[track_caller]
fn planned(live: &Live, which: &str) -> Value {
    live.purge(&[which, "--quarantine", "1d", "--dry-run", "-o", "json"]).ends_with(0).json()
}

/// A running workflow that reads the object.
pub fn is_read(live: &Live, key: &str) {
    let mut reader = live.workflow("reader", &[]);
    reader["status"]["phase"] = json!("Running");
    reader["metadata"]["labels"] = json!({});
    let artifact = json!({ "name": "in", "path": "/in", "gcs": { "bucket": live.namespace, "key": key } });
    pod(&mut reader)["inputs"] = json!({ "artifacts": [artifact] });
    live.server.apply(reader);
}

fn recorded(live: &Live) -> Vec<Value> {
    let wf = live.get("train");
    let artifacts = wf["status"]["nodes"]["train-1"]["outputs"]["artifacts"].as_array().unwrap().clone();
    artifacts.iter().map(|artifact| artifact["deleted"].clone()).collect()
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn an_object_is_marked_waits_and_is_deleted_by_a_later_run_on_apiserver_and_fake_gcs() {
    let keys = ["train/a.tgz", "train/b.tgz"];
    let live = Live::with("quarantine-life", "train", &keys);
    let shown = planned(&live, "train");
    assert_eq!(marks(&shown), keys);
    assert!(deletes(&shown).is_empty());
    keeps_to("purge-plan.v1.json", &shown);
    assert_eq!((&shown["totals"]["objects"], &shown["totals"]["toMark"]), (&json!(0), &json!(2)));
    assert_eq!(mark(&live, keys[0]), None, "a dry run marks nothing");

    let ran = live.purge(&[&["train"], &DAY[..]].concat()).ends_with(0);
    assert!(ran.out.contains("To mark: 2 objects (22B);"), "{}", ran.out);
    assert!(
        ran.out.contains(
            "Marked 2 objects (22B): the first purge with --quarantine after 24 hours deletes them,"
        ),
        "{}",
        ran.out
    );
    assert!(ran.err.contains("To lift the marks: kubectl argo-gc undo "), "{}", ran.err);
    assert!(!ran.out.contains("Deleted"), "{}", ran.out);
    assert!(live.gcs.deletes().is_empty());
    let text = mark(&live, keys[0]).unwrap();
    let [time, pin, lasts] = text.split(' ').collect::<Vec<_>>()[..] else { panic!("{text}") };
    assert_eq!(lasts, "86400s");
    let age = Timestamp::now().duration_since(time.parse().unwrap());
    assert!(age < SignedDuration::from_mins(5), "{text}");
    assert_eq!(live.gcs.get(live.namespace, keys[0]).unwrap()["generation"], pin);
    assert_eq!(recorded(&live), [Value::Null, Value::Null]);

    let listed = || Ran::of(live.command("undo", &["--list", "-o", "json"])).ends_with(0).json();
    let journal = &listed()["journals"][0];
    assert_eq!((&journal["deleted"], &journal["marked"]), (&json!(0), &json!(2)), "{journal}");

    let explained = Ran::of(
        live.command("explain", &[&format!("gs://quarantine-life/{}", keys[0]), "-n", live.namespace]),
    );
    let shown = format!("  1 object is marked by a purge with --quarantine, since {time}.\n");
    assert!(explained.out.contains(&shown), "{explained:#?}");

    // Until its time has come it is kept, and says until when; nothing is asked and nothing done.
    let plan = planned(&live, "train");
    assert_eq!(protections(&plan), ["quarantined"]);
    assert_eq!((marks(&plan).len(), deletes(&plan).len()), (0, 0));
    let ran = live.purge(&[&["train"], &DAY[..]].concat()).ends_with(0);
    assert!(ran.out.contains("all that was found is kept (2 quarantined)"), "{}", ran.out);
    assert_eq!(mark(&live, keys[0]), Some(text.clone()), "its time does not begin anew");

    // Who marked it was told so, whatever another run is told.
    let plan = live.purge(&["train", "--quarantine", "0", "--dry-run", "-o", "json"]).ends_with(0).json();
    assert_eq!(protections(&plan), ["quarantined"]);

    // One is due, the other is not.
    marked(&live, keys[0], long());
    let ran = live.purge(&[&["train", "-o", "json"], &DAY[..]].concat()).ends_with(0);
    let result = ran.json();
    assert_eq!(result["totals"]["deleted"], 1, "{result}");
    keeps_to("purge-result.v1.json", &result);
    assert_eq!(live.gcs.keys(live.namespace), [keys[1]]);
    assert_eq!(recorded(&live), [json!(true), Value::Null]);
    live.was_careful(&[keys[0]]);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn undo_lifts_marks_and_those_of_what_comes_back_on_apiserver_and_fake_gcs() {
    let keys = ["train/a.tgz", "train/b.tgz"];
    let live = Live::start("quarantine-undo");
    live.gcs.bucket_with(live.namespace, soft_delete_for_a_week());
    live.server.apply(live.workflow("train", &keys));
    keys.iter().for_each(|key| live.put(key));
    live.gcs.set(live.namespace, keys[0], json!({ "metadata": { "team": "ml" } }));
    let (first, second) = (live.file("first.jsonl"), live.file("second.jsonl"));
    live.purge(&[&["train", "--journal", &first], &DAY[..]].concat()).ends_with(0);
    assert!(keys.iter().all(|key| mark(&live, key).is_some()));
    let ran = Ran::of(live.command("undo", &[&first])).ends_with(0);
    assert_eq!(ran.out, "Lifted 2 marks\n");
    assert!(ran.err.contains("the label argo-gc/keep=true keeps a workflow"), "{}", ran.err);
    assert!(keys.iter().all(|key| mark(&live, key).is_none()));
    assert_eq!(live.gcs.get(live.namespace, keys[0]).unwrap()["metadata"], json!({ "team": "ml" }));

    // What comes back is not deleted at once by the next run.
    keys.iter().for_each(|key| marked(&live, key, long()));
    live.purge(&[&["train", "--journal", &second], &DAY[..]].concat()).ends_with(0);
    assert!(live.gcs.keys(live.namespace).is_empty());
    let ran = Ran::of(live.command("undo", &[&second])).ends_with(0);
    assert!(ran.out.contains("Brought back 2 of 2 objects"), "{}", ran.out);
    assert!(keys.iter().all(|key| mark(&live, key).is_none()), "the mark does not come back with it");
    let args = ["train", "--quarantine", "1d", "--margin", "72h", "--dry-run", "-o", "json"];
    let plan = live.purge(&args).ends_with(0).json();
    assert_eq!(marks(&plan), keys);
    assert!(deletes(&plan).is_empty());
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn what_is_needed_again_loses_its_mark_on_apiserver_and_fake_gcs() {
    let keys = ["train/a.tgz", "train/b.tgz"];
    let live = Live::with("quarantine-needed", "train", &keys);
    keys.iter().for_each(|key| marked(&live, key, long()));
    is_read(&live, keys[0]);
    let plan = planned(&live, "train");
    assert_eq!(plan["totals"]["toLift"], 1, "{plan}");
    keeps_to("purge-plan.v1.json", &plan);
    let ran = live.purge(&[&["train"], &DAY[..]].concat()).ends_with(0);
    assert!(ran.out.contains("To lift the marks of 1 object: it is needed again"), "{}", ran.out);
    assert!(ran.out.contains("Lifted the marks of 1 object: it is needed again"), "{}", ran.out);
    assert_eq!(live.gcs.keys(live.namespace), [keys[0]]);
    assert_eq!(mark(&live, keys[0]), None);
    assert_eq!(live.gcs.get(live.namespace, keys[0]).unwrap()["metadata"], json!({ "team": "ml" }));

    // Its time begins anew.
    live.server.apply(live.workflow("reader", &[]));
    let plan = planned(&live, "train");
    assert_eq!(marks(&plan), [keys[0]]);
    assert!(deletes(&plan).is_empty());
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_mark_from_before_a_retry_does_not_count_on_apiserver_and_fake_gcs() {
    let live = Live::with("quarantine-retried", "train", &["train/a.tgz"]);
    marked(&live, "train/a.tgz", long());
    let mut retried = live.workflow("train", &["train/a.tgz"]);
    retried["status"]["finishedAt"] = json!(ago(SignedDuration::from_hours(20)));
    live.server.apply(retried);
    let plan = planned(&live, "train");
    assert_eq!(marks(&plan), ["train/a.tgz"]);
    assert!(deletes(&plan).is_empty());
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_finalizer_stays_as_long_as_anything_waits_on_apiserver_and_fake_gcs() {
    let live = Live::start("quarantine-finalizer");
    live.gcs.bucket(live.namespace);
    let keys = ["train/a.tgz", "train/b.tgz"];
    let mut wf = live.workflow("train", &keys);
    wf["metadata"]["finalizers"] = json!(["workflows.argoproj.io/artifact-gc"]);
    wf["spec"]["templates"][0]["outputs"] = json!({ "artifacts": [{ "name": "x", "path": "/x" }] });
    wf["status"]["artifactGCStatus"] = json!({ "strategiesProcessed": { "OnWorkflowDeletion": true } });
    wf["metadata"]["deletionTimestamp"] = json!(ago(within_the_run()));
    live.server.apply(wf);
    keys.iter().for_each(|key| live.put(key));
    marked(&live, keys[0], long());
    let flags = [&["train", "--release-finalizer"], &DAY[..]].concat();
    let ran = live.purge(&flags).ends_with(0);
    assert!(ran.err.contains("Note: 1 finalizer stays until all of the workflow is deleted."), "{}", ran.err);
    assert_eq!(live.gcs.keys(live.namespace), [keys[1]]);
    assert!(mark(&live, keys[1]).is_some());
    // Nor while all that is left of it waits.
    let ran = live.purge(&flags).ends_with(0);
    assert!(ran.err.contains("Note: 1 finalizer stays") && ran.out.contains("1 quarantined"), "{ran:#?}");
    assert_eq!(live.get("train")["metadata"]["finalizers"], json!(["workflows.argoproj.io/artifact-gc"]));
    marked(&live, keys[1], long());
    let ran = live.purge(&flags).ends_with(0);
    assert!(ran.out.contains("Released 1 finalizer"), "{}{}", ran.out, ran.err);
    assert!(live.gcs.keys(live.namespace).is_empty());
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_saved_plan_is_marked_and_a_resumed_run_marks_the_rest_on_apiserver_and_fake_gcs() {
    let keys = ["train/a.tgz", "train/b.tgz", "train/c.tgz"];
    let live = Live::with("quarantine-saved", "train", &keys);
    let (plan, journal) = (live.file("plan.json"), live.file("journal.jsonl"));
    live.purge(&["train", "--plan-out", &plan]).ends_with(0);
    live.purge(&[&["--plan", &plan, "--journal", &journal], &DAY[..]].concat()).ends_with(0);
    assert!(keys.iter().all(|key| mark(&live, key).is_some()));
    assert!(live.gcs.deletes().is_empty());

    // As if the run had been killed after its first mark.
    let text = std::fs::read_to_string(&journal).unwrap();
    let done = text.lines().position(|line| line.contains("\"line\":\"marked\"")).unwrap();
    let cut: Vec<&str> = text.lines().take(done + 1).filter(|line| !line.is_empty()).collect();
    std::fs::write(&journal, cut.join("\n") + "\n").unwrap();
    let first: Value = serde_json::from_str(cut[done]).unwrap();
    for key in keys {
        live.gcs.set(live.namespace, key, json!({ "metadata": {} }));
    }
    let summary = live.file("summary");
    let ended = || std::fs::read_to_string(&summary).unwrap();
    live.purge(&["--resume", &journal, "--dry-run", "--summary", &summary]).ends_with(2);
    let ran = live.purge(&["--resume", &journal, "--summary", &summary, "--yes"]).ends_with(0);
    // All three wait, also those that the first part marked.
    assert_eq!(ended(), "0 of 0 objects are gone; 3 in quarantine");
    assert!(ran.out.contains("Marked 2 objects"), "{}", ran.out);
    assert!(ran.err.contains("1 of 3 objects are settled already"), "{}", ran.err);
    for key in keys {
        assert_eq!(mark(&live, key).is_none(), first["key"] == key, "{key}");
    }
    live.purge(&["--resume", &journal, "--summary", &summary, "--yes"]).ends_with(0);
    assert_eq!(ended(), "0 of 0 objects are gone; 3 in quarantine");
    // Even a mark that nobody wrote down as set is lifted.
    let text = std::fs::read_to_string(&journal).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| !line.contains("\"line\":\"marked\"")).collect();
    std::fs::write(&journal, lines.join("\n") + "\n").unwrap();
    let ran = Ran::of(live.command("undo", &[&journal])).ends_with(0);
    assert!(ran.out.contains("Lifted 2 marks"), "{}", ran.out);
    assert!(keys.iter().all(|key| mark(&live, key).is_none()));
    // And again what a later part of the run marks; what has no mark is not counted.
    live.purge(&["--resume", &journal, "--yes"]).ends_with(0);
    assert!(keys.iter().all(|key| mark(&live, key).is_some()));
    live.gcs.set(live.namespace, keys[0], json!({ "metadata": {} }));
    let ran = Ran::of(live.command("undo", &[&journal])).ends_with(0);
    assert!(ran.out.contains("Lifted 2 marks"), "{}", ran.out);
    assert!(keys.iter().all(|key| mark(&live, key).is_none()));
}

/// The journal as if its run had been killed before it did anything.
fn killed_at_once(journal: &str) {
    let text = std::fs::read_to_string(journal).unwrap();
    let begun = text.lines().position(|line| line.contains("\"line\":\"begin\"")).unwrap();
    let lines: Vec<&str> = text.lines().take(begun + 1).collect();
    std::fs::write(journal, lines.join("\n") + "\n").unwrap();
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_resumed_run_neither_marks_what_is_needed_nor_deletes_what_has_no_mark_on_apiserver_and_fake_gcs() {
    let keys = ["train/a.tgz", "train/b.tgz", "train/c.tgz"];
    let live = Live::with("quarantine-resumed", "train", &keys);
    let journal = live.file("journal.jsonl");
    marked(&live, keys[0], long());
    // Its delete fails, so that it is left to the resumed run.
    live.gcs.forbid(live.namespace, keys[0]);
    live.purge(&[&["train", "--journal", &journal], &DAY[..]].concat()).ends_with(4);
    killed_at_once(&journal);
    let tried = live.gcs.deletes().len();
    for key in keys {
        live.gcs.set(live.namespace, key, json!({ "metadata": {} }));
    }
    is_read(&live, keys[1]);
    let ran = live.purge(&["--resume", &journal, "--yes"]).ends_with(4);
    assert_eq!(live.gcs.deletes().len(), tried, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("its mark was lifted"), "{}", ran.err);
    assert_eq!(keys.map(|key| mark(&live, key).is_some()), [false, false, true]);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn what_a_pin_keeps_loses_its_marks_on_apiserver_and_fake_gcs() {
    let keys = ["train/a.tgz", "train/dir"];
    let live = Live::start("quarantine-pinned");
    live.gcs.bucket(live.namespace);
    let mut wf = live.workflow("train", &keys);
    wf["metadata"]["labels"]["argo-gc/keep"] = json!("true");
    live.server.apply(wf);
    let objects = ["train/a.tgz", "train/dir/x", "train/dir/y"];
    for key in objects {
        live.put(key);
        marked(&live, key, long());
    }
    let ran = live.purge(&[&["--all"], &DAY[..]].concat()).ends_with(0);
    assert!(ran.out.contains("Lifted the marks of 3 objects: they are needed again"), "{}", ran.out);
    assert_eq!(objects.map(|key| mark(&live, key)), [None, None, None]);
    assert_eq!(live.gcs.keys(live.namespace), objects);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_mark_from_before_a_sharer_ran_does_not_count_on_apiserver_and_fake_gcs() {
    let keys = ["train/a.tgz", "train/b.tgz"];
    let live = Live::with("quarantine-shared", "train", &keys);
    keys.iter().for_each(|key| marked(&live, key, long()));
    let mut twin = live.workflow("twin", &keys[..1]);
    twin["status"]["finishedAt"] = json!(ago(SignedDuration::from_hours(20)));
    live.server.apply(twin);
    let plan = planned(&live, "--all");
    assert_eq!((marks(&plan), deletes(&plan)), (vec![keys[0].to_owned()], vec![keys[1].to_owned()]));
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_mark_that_stays_on_what_is_needed_is_no_success_on_apiserver_and_fake_gcs() {
    let keys = ["train/a.tgz"];
    let live = Live::with("quarantine-stays", "train", &keys);
    marked(&live, keys[0], long());
    is_read(&live, keys[0]);
    live.gcs.permissions(live.namespace, &["storage.objects.list", "storage.objects.get"]);
    let summary = live.file("summary");
    let ran = live.purge(&[&["train", "-o", "json", "--summary", &summary], &DAY[..]].concat()).ends_with(4);
    let line = std::fs::read_to_string(&summary).unwrap();
    assert!(line.ends_with("; 1 still marked, though needed"), "{line}");
    assert!(ran.err.contains("is not lifted"), "{}", ran.err);
    let result = ran.json();
    assert_eq!((&result["complete"], &result["totals"]["marksNotLifted"]), (&json!(false), &json!(1)));
}

/// The owner of an object may be able to forbid the question.
#[test]
#[ignore = "tests/run brings what it needs"]
fn an_object_whose_mark_may_not_be_read_is_kept_and_no_other_on_apiserver_and_fake_gcs() {
    let keys = ["train/a.tgz", "train/b.tgz"];
    let live = Live::with("quarantine-hidden", "train", &keys);
    keys.iter().for_each(|key| marked(&live, key, long()));
    live.gcs.hide_labels(live.namespace, keys[0], (0, 403));
    let plan = planned(&live, "train");
    assert_eq!(
        (protections(&plan), deletes(&plan)),
        (vec!["unmarkable".to_owned()], vec![keys[1].to_owned()])
    );
    let detail = plan["workflows"][0]["keep"][0]["detail"].as_str().unwrap();
    assert!(detail.starts_with("its mark can't be read: permission denied (docs/"), "{detail}");
    live.purge(&[&["train"], &DAY[..]].concat()).ends_with(0);
    assert_eq!(live.gcs.keys(live.namespace), [keys[0]]);

    // That no other object is there to be asked for is not for want of a permission either.
    let ran = live.purge(&[&["train"], &DAY[..]].concat()).ends_with(0);
    assert!(ran.out.contains("all that was found is kept (1 unmarkable)"), "{}", ran.out);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn who_may_read_no_mark_of_a_bucket_is_told_before_on_apiserver_and_fake_gcs() {
    let keys = ["train/a.tgz", "train/b.tgz"];
    let live = Live::with("quarantine-unread", "train", &keys);
    live.gcs.hide_labels(live.namespace, "", (0, 403));
    let pinned = || {
        let mut wf = live.workflow("train", &keys);
        wf["metadata"]["labels"]["argo-gc/keep"] = json!("true");
        live.server.apply(wf);
    };
    for also in [None, Some(pinned)] {
        also.inspect(|pin| pin());
        for flags in [&["--dry-run"][..], &["--yes"]] {
            let ran = live.purge(&[&["--all", "--quarantine", "1d"], flags].concat()).ends_with(1);
            assert!(ran.err.contains("error: gs://quarantine-unread/train/"), "{}", ran.err);
            assert!(ran.err.contains("hint: docs/quarantine.md says which permission"), "{}", ran.err);
        }
    }
    assert_eq!(live.gcs.keys(live.namespace), keys);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_pinned_object_whose_mark_may_not_be_read_stops_nothing_on_apiserver_and_fake_gcs() {
    let keys = ["kept/a.tgz", "kept/b.tgz", "train/a.tgz"];
    let live = Live::with("quarantine-pinned-hidden", "train", &keys[2..]);
    let mut wf = live.workflow("kept", &keys[..2]);
    wf["metadata"]["labels"]["argo-gc/keep"] = json!("true");
    live.server.apply(wf);
    keys[..2].iter().for_each(|key| live.put(key));
    keys.iter().for_each(|key| marked(&live, key, long()));
    live.gcs.hide_labels(live.namespace, keys[0], (0, 403));
    let plan = planned(&live, "--all");
    assert_eq!((deletes(&plan), &plan["totals"]["toLift"]), (vec![keys[2].to_owned()], &json!(2)), "{plan}");
    let ran = live.purge(&[&["--all", "-o", "json"], &DAY[..]].concat()).ends_with(4);
    let note = "/kept: the mark of gs://quarantine-pinned-hidden/kept/a.tgz is not lifted: tester@";
    assert!(ran.err.contains(note), "{}", ran.err);
    let totals = &ran.json()["totals"];
    let counts = ["deleted", "marksLifted", "marksNotLifted"].map(|name| totals[name].as_u64().unwrap());
    assert_eq!(counts, [1, 1, 1], "{totals}");
    assert_eq!(live.gcs.keys(live.namespace), keys[..2]);
    assert_eq!(keys.map(|key| mark(&live, key).is_some()), [true, false, false]);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_mark_that_may_not_be_read_at_the_delete_keeps_its_object_alone_on_apiserver_and_fake_gcs() {
    let keys = ["train/a.tgz", "train/b.tgz", "train/c.tgz"];
    let live = Live::with("quarantine-hidden-late", "train", &keys);
    keys.iter().for_each(|key| marked(&live, key, long()));
    live.gcs.hide_labels(live.namespace, keys[0], (1, 403));
    live.gcs.hide_labels(live.namespace, keys[1], (1, 404));
    let ran = live.purge(&[&["train", "-o", "json"], &DAY[..]].concat()).ends_with(4);
    assert!(ran.err.contains("a.tgz: failed: its mark can't be read: permission denied "), "{}", ran.err);
    assert!(ran.err.contains("b.tgz: failed: its mark can't be read: its storage has no"), "{}", ran.err);
    let totals = &ran.json()["totals"];
    assert_eq!((&totals["deleted"], &totals["left"]), (&json!(1), &json!(2)), "{totals}");
    assert_eq!(live.gcs.keys(live.namespace), keys[..2]);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn an_object_without_labels_as_if_it_were_gone_is_told_on_apiserver_and_fake_gcs() {
    let live = Live::with("quarantine-denies", "train", &["train/a.tgz"]);
    let journal = live.file("journal.jsonl");
    live.purge(&[&["train", "--journal", &journal], &DAY[..]].concat()).ends_with(0);
    live.gcs.hide_labels(live.namespace, "", (0, 404));
    let ran = live.purge(&[&["train"], &DAY[..]].concat()).ends_with(0);
    assert!(ran.out.contains("all that was found is kept (1 unmarkable)"), "{}", ran.out);
    assert!(ran.out.contains("its storage has no labels of it, as if it weren't there"), "{}", ran.out);
    let ran = Ran::of(live.command("undo", &[&journal])).ends_with(4);
    assert!(ran.err.contains("its mark stays: its storage has no labels of it"), "{}", ran.err);
    assert!(mark(&live, "train/a.tgz").is_some());
}

/// A note for each would drown all others.
#[test]
#[ignore = "tests/run brings what it needs"]
fn a_hundred_pinned_objects_whose_marks_may_not_be_read_are_told_alone_on_apiserver_and_fake_gcs() {
    let live = Live::with("quarantine-many-hidden", "train", &["train/a.tgz"]);
    let mut wf = live.workflow("kept", &["kept/dir"]);
    wf["metadata"]["labels"]["argo-gc/keep"] = json!("true");
    live.server.apply(wf);
    for at in 0..103 {
        let key = format!("kept/dir/{at:03}");
        live.put(&key);
        live.gcs.hide_labels(live.namespace, &key, (0, 403));
    }
    live.put("kept/dir/zzz");
    marked(&live, "kept/dir/zzz", long());
    let ran = live.purge(&[&["--all", "-o", "json"], &DAY[..]].concat()).ends_with(4);
    let notes = |word: &str| ran.err.lines().filter(|line| line.contains(word)).count();
    assert_eq!(
        (notes("is not lifted"), notes("quarantine-many-hidden/kept/dir are marked can't be read")),
        (100, 1)
    );
    assert_eq!(ran.json()["totals"]["marksNotLifted"], 101);
    assert_eq!(mark(&live, "kept/dir/zzz"), None, "what can be read is lifted all the same");
}

/// The workflow that a purge marked is gone by then: its objects are orphans.
#[test]
#[ignore = "tests/run brings what it needs"]
fn a_plan_of_orphans_marks_and_deletes_too_on_apiserver_and_fake_gcs() {
    let live = Live::start("quarantine-orphans");
    live.gcs.bucket(live.namespace);
    let keys = ["argo/perished/perished-1/a.tgz", "argo/perished/perished-1/b.tgz"];
    for key in keys {
        live.gcs.put(live.namespace, key, key);
        live.gcs.created(live.namespace, key, &ago(SignedDuration::from_hours(24 * 30)));
    }
    marked(&live, keys[0], long());
    let plan = live.file("plan.json");
    orphans(&live, "admin", &["--exclusive", "--plan-out", &plan]).ends_with(0);
    let ran = live.purge(&[&["--plan", &plan], &DAY[..]].concat()).ends_with(0);
    assert!(ran.out.contains("Deleted 1 object") && ran.out.contains("Marked 1 object"), "{}", ran.out);
    assert_eq!(live.gcs.keys(live.namespace), [keys[1]]);
    assert!(mark(&live, keys[1]).is_some());
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn who_may_not_mark_is_told_before_on_apiserver_and_fake_gcs() {
    let live = Live::with("quarantine-denied", "train", &["train/a.tgz"]);
    let granted = ["storage.objects.list", "storage.objects.get", "storage.objects.delete"];
    live.gcs.permissions(live.namespace, &granted);
    let ran = live.purge(&[&["train"], &DAY[..]].concat()).ends_with(5);
    assert!(ran.err.contains("lacks storage.objects.update on gs://quarantine-denied"), "{}", ran.err);
    live.purge(&["train", "--dry-run=server"]).ends_with(0);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn what_could_not_be_marked_is_told_and_counts_on_apiserver_and_fake_gcs() {
    let keys = ["train/a.tgz", "train/b.tgz"];
    let live = Live::with("quarantine-changed", "train", &keys);
    let ran = live.purge(&[&["train", "--max-objects", "1"], &DAY[..]].concat()).ends_with(5);
    assert!(ran.err.contains("the plan has 2 objects, more than --max-objects 1"), "{}", ran.err);
    live.purge(&[&["train", "--max-bytes", "20"], &DAY[..]].concat()).ends_with(5);
    let namespace = live.namespace;
    live.gcs.before_delete(namespace, keys[0], move |gcs| {
        gcs.put(namespace, keys[0], "somebody's new work");
    });
    let summary = live.file("summary");
    let ran = live.purge(&[&["train", "-o", "json", "--summary", &summary], &DAY[..]].concat()).ends_with(4);
    assert!(ran.err.contains("train/a.tgz: not marked: it was overwritten"), "{}", ran.err);
    let result = ran.json();
    assert_eq!((&result["complete"], &result["totals"]["notMarked"]), (&json!(false), &json!(1)), "{result}");
    keeps_to("purge-result.v1.json", &result);
    let line = std::fs::read_to_string(&summary).unwrap();
    assert_eq!(line, "0 of 0 objects are gone; 1 in quarantine; 1 not marked");
    assert_eq!((mark(&live, keys[0]), mark(&live, keys[1]).is_some()), (None, true));
}

#[test]
fn where_nothing_can_be_marked_everything_is_kept_and_that_is_said() {
    let mut folder = Folder::new();
    folder.add(workflow("ml", "train", &["a.tgz"]));
    folder.put("a.tgz");
    let ran = folder.purge(&["--all", "--quarantine", "1d", "--yes"]).ends_with(0);
    assert!(ran.out.contains("all that was found is kept (1 unmarkable)"), "{}", ran.out);
    assert!(ran.out.contains("files have no labels"), "{}", ran.out);
    assert!(folder.has("a.tgz"));
}

#[test]
fn what_would_not_be_heeded_beside_it_is_refused() {
    let folder = Folder::new();
    for (flags, word) in [
        (&["--all", "--quarantine", "1d", "--plan-out", "p.json"][..], "--plan-out"),
        (&["--all", "--quarantine", "7"], "7 of what?"),
    ] {
        let ran = folder.purge(flags).ends_with(2);
        assert!(ran.err.contains(word), "{}", ran.err);
    }
    for flags in [
        &["purge", "--resume", "j.jsonl", "--quarantine", "1d"][..],
        &["purge", "--plan", "p.json", "--engine", "gcs-batch", "--quarantine", "1d"],
    ] {
        let ran = Ran::of(crate::support::plugin(flags)).ends_with(2);
        assert!(ran.err.contains("--quarantine cannot be used with"), "{}", ran.err);
    }
}

/// An S3 server: what it says to a question for tags, and to new tags.
async fn tagger(
    asks: impl Fn(&AtomicBool) -> (u16, Vec<(&'static str, &'static str)>, String) + Send + Sync + 'static,
    moves: bool,
) -> FaultyStorage {
    let tagged = AtomicBool::new(false);
    FaultyStorage::start(move |asked: &Asked| match (asked.method.as_str(), asked.has("tagging")) {
        ("PUT", true) => {
            tagged.store(true, SeqCst);
            answer(200, &[], "")
        }
        ("GET", true) => {
            let (status, headers, body) = asks(&tagged);
            answer(status, &headers, body)
        }
        _ => {
            let second = if moves && tagged.load(SeqCst) { "07" } else { "00" };
            let time = format!("Mon, 02 Nov 2026 00:00:{second} GMT");
            answer(200, &[("etag", "\"e\""), ("last-modified", &time), ("content-length", "1")], "")
        }
    })
    .await
}

fn tags(tagged: &AtomicBool) -> String {
    let tag = format!("<Tag><Key>{NAME}</Key><Value>text</Value></Tag>");
    format!("<Tagging><TagSet>{}</TagSet></Tagging>", if tagged.load(SeqCst) { tag } else { String::new() })
}

fn pin() -> String {
    let written: Timestamp = "2026-11-02T00:00:00Z".parse().unwrap();
    format!("e@{}", written.as_second())
}

fn puts(faulty: &FaultyStorage) -> usize {
    faulty.asked.lock().unwrap().iter().filter(|asked| asked.method == "PUT").count()
}

/// It would take new tags for a new object.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_know_tags_is_sent_none() {
    let date = "Mon, 02 Nov 2026 00:00:00 GMT";
    for headers in [vec![("etag", "\"e\"")], vec![("last-modified", date)], Vec::new()] {
        let body = if headers.is_empty() { "x".to_owned() } else { tags(&AtomicBool::new(false)) };
        let faulty = tagger(move |_| (200, headers.clone(), body.clone()), false).await;
        let store = faulty.store();
        let MarkText::Unable(why) = store.mark_text(&s3(), "k").await.unwrap() else { panic!() };
        assert!(why.contains("does not know labels"), "{why}");
        assert!(matches!(store.mark(&s3(), "k", &pin(), "text").await, Marking::Failed(_)));
        assert_eq!(puts(&faulty), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_writes_objects_anew_to_tag_them_tags_one_at_the_most() {
    let faulty = tagger(|tagged| (200, Vec::new(), tags(tagged)), true).await;
    let store = faulty.store();
    let (s3, pin) = (s3(), pin());
    let all = (0..20).map(|at| format!("k{at}")).collect::<Vec<_>>();
    let marks = all.iter().map(|key| store.mark(&s3, key, &pin, "text"));
    let marks = futures::future::join_all(marks).await;
    is_only_one_rewritten(&marks);
    assert_eq!(puts(&faulty), 1);
}

#[track_caller]
fn is_only_one_rewritten(marks: &[Marking]) {
    let (anew, others): (Vec<&Marking>, Vec<&Marking>) =
        marks.iter().partition(|marking| **marking == Marking::Rewritten);
    assert_eq!(anew.len(), 1, "{marks:?}");
    assert!(others.into_iter().all(|marking| *marking == Marking::NotTried), "{marks:?}");
}

/// It is newer than its run from then on, and kept for that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_object_that_was_written_anew_is_told_from_those_that_were_not_tried() {
    let tagging = Mutex::new("<Tagging><TagSet/></Tagging>".to_owned());
    let faulty = FaultyStorage::start(move |asked: &Asked| {
        let mut tagging = tagging.lock().unwrap();
        if asked.method == "PUT" {
            tagging.clone_from(&asked.body);
        }
        if asked.has("tagging") {
            return answer(200, &[], tagging.clone());
        }
        let second = if tagging.contains(NAME) { "07" } else { "00" };
        let time = format!("Mon, 02 Nov 2026 00:00:{second} GMT");
        answer(200, &[("etag", "\"e\""), ("last-modified", &time), ("content-length", "1")], "")
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let head = Head::new(Timestamp::UNIX_EPOCH, None, "s3".into(), Vec::new());
    let plan = Draft::new(head).unwrap().seal(Vec::new()).unwrap();
    let journal = &Journal::begin(&folder.path().join("journal.jsonl"), &Who::default(), &plan).unwrap();
    let deleter =
        Deleter { store: &faulty.store(), guard: None, journal, stop: &Stop::default(), earlier: None };
    let stage = &Progress::default().begin(Doing::Marking, None);
    let marker = Marker { deleter, stage, lasts: SignedDuration::ZERO };
    let object = |key: &str| {
        let object = json!({
            "bucket": s3(), "key": key, "generation": pin(), "size": 1, "created": null, "artifact": "a", "nodeId": "n",
        });
        serde_json::from_value(object).unwrap()
    };
    let objects = ["a", "b"].map(object).to_vec();
    let settled = marker.mark(&PlannedWorkflow::default(), &[], objects).await.unwrap();
    let [ObjectOutcome::NotMarked(anew), ObjectOutcome::NotMarked(other)] =
        [&settled[0].fate, &settled[1].fate]
    else {
        panic!("{settled:?}")
    };
    assert!(anew.contains("wrote it anew") && anew.contains("--margin"), "{anew}");
    assert!(other.contains("writes an object anew to mark it"), "{other}");
}

/// Its owner says how many objects a pinned workflow has.
#[tokio::test]
async fn what_cannot_be_looked_through_for_marks_is_planned_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let place = ObjectPlace { bucket: gcs(), key: "train/dir".into() };
    let unread = vec![UnreadPlace { place, why: "there are too many".into() }];
    let pinned = json!({ "protection": "pinned", "detail": "on the workflow" });
    let keep = vec![serde_json::from_value(pinned).unwrap()];
    let workflow = PlannedWorkflow { name: "train".into(), keep, unread, ..PlannedWorkflow::default() };
    let mut draft = Draft::new(Head::new(Timestamp::UNIX_EPOCH, None, "gcs".into(), Vec::new())).unwrap();
    draft.add(&workflow).unwrap();
    let plan = draft.seal(Vec::new()).unwrap();
    let document: Value = serde_json::from_reader(plan.text().unwrap()).unwrap();
    keeps_to("purge-plan.v1.json", &document);
    assert_eq!(document["totals"]["toLift"], 1);
    assert!(!plan.is_idle());

    let context =
        Context { now: Timestamp::now(), controllers: Controllers::default(), related: Related::default() };
    let executor = Executor {
        store: &Store::Local(LocalBuckets::directory(folder.path()).unwrap()),
        cluster: None,
        guard: None,
        journal: &Journal::begin(&folder.path().join("journal.jsonl"), &Who::default(), &plan).unwrap(),
        concurrency: 1,
        stop: &Stop::default(),
        context: &context,
        record: false,
        accept_absent: false,
        earlier: None,
        stage: &Progress::default().begin(Doing::Marking, None),
    };
    let mut notes = Vec::new();
    let mut each = |workflow: &WorkflowTally| {
        notes.extend(workflow.settlement.notes.clone());
        Ok(())
    };
    let tally = executor.run(&plan, &mut each).await.unwrap();
    assert_eq!((tally.unlifted, tally.is_complete()), (1, false));
    let told = "whether objects of gs://b/train/dir are marked can't be read, so they may still be: there are too many";
    assert_eq!(notes, [told]);
}

/// What had no mark shows nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mark_that_was_not_there_proves_nothing_of_its_server() {
    let faulty = tagger(|tagged| (200, Vec::new(), tags(tagged)), true).await;
    let store = faulty.store();
    assert_eq!(store.unmark(&s3(), "k").await, Marking::Unmarked);
    let (s3, pin) = (s3(), pin());
    let marks = ["j", "k", "l"].map(|key| store.mark(&s3, key, &pin, "text"));
    let marks = futures::future::join_all(marks).await;
    is_only_one_rewritten(&marks);
    assert_eq!(puts(&faulty), 1);
}

/// It would get the tags of the one before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_written_after_its_tags_were_read_keeps_its_own() {
    let read = AtomicUsize::new(0);
    let faulty = FaultyStorage::start(move |asked: &Asked| {
        if asked.has("tagging") {
            read.fetch_add(1, SeqCst);
            return answer(200, &[], tags(&AtomicBool::new(true)));
        }
        let etag = format!("\"{}\"", read.load(SeqCst));
        let time = "Mon, 02 Nov 2026 00:00:00 GMT";
        answer(200, &[("etag", &etag), ("last-modified", time), ("content-length", "1")], "")
    })
    .await;
    assert_eq!(faulty.store().unmark(&s3(), "k").await, Marking::Changed);
    assert_eq!(puts(&faulty), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mark_is_set_only_once_it_is_seen() {
    // The server says yes, and does nothing.
    let faulty = tagger(|_| (200, Vec::new(), tags(&AtomicBool::new(false))), false).await;
    let marking = faulty.store().mark(&s3(), "k", &pin(), "text").await;
    assert_eq!(marking, Marking::Failed("the storage said yes, and did nothing".to_owned()));
    // As the first mark of a bucket, so every other.
    let faulty = tagger(|tagged| (200, Vec::new(), tags(tagged)), false).await;
    let store = faulty.store();
    for key in ["k", "j"] {
        assert_eq!(store.mark(&s3(), key, &pin(), "text").await, Marking::Done);
    }
    assert_eq!(store.mark(&s3(), "k", "f@1", "text").await, Marking::Changed);
    assert_eq!(puts(&faulty), 2);
    // Some servers call an object without tags so.
    let none = "<Error><Code>NoSuchTagSet</Code></Error>";
    let faulty = tagger(move |_| (404, Vec::new(), none.to_owned()), false).await;
    assert_eq!(faulty.store().mark_text(&s3(), "k").await.unwrap(), MarkText::Read(None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_has_all_the_tags_it_may_have_is_left_as_it_is() {
    let of = |count: usize| {
        let tags = (0..count).map(|at| format!("<Tag><Key>k{at}</Key><Value>v</Value></Tag>"));
        let tags: String = tags.collect();
        format!("<Tagging><TagSet>{tags}</TagSet></Tagging>")
    };
    for (count, is_full) in [(9, false), (10, true)] {
        let faulty = tagger(move |_| (200, Vec::new(), of(count)), false).await;
        let text = faulty.store().mark_text(&s3(), "k").await.unwrap();
        assert_eq!(matches!(&text, MarkText::Unable(why) if why.contains("10 labels")), is_full, "{text:?}");
        assert_eq!(matches!(text, MarkText::Read(None)), !is_full);
    }
}

/// Each object is asked for, and together they would take a gigabyte of memory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_answers_with_objects_for_their_tags_is_asked_for_one() {
    for length in [1, 1 << 20] {
        let body = "x".repeat(length);
        let faulty = tagger(move |_| (200, vec![("etag", "\"e\"")], body.clone()), false).await;
        let (store, s3) = (faulty.store(), s3());
        let all = (0..20).map(|at| format!("k{at}")).collect::<Vec<_>>();
        let texts = futures::future::join_all(all.iter().map(|key| store.mark_text(&s3, key))).await;
        let is_told = |text: &Result<MarkText, StoreError>| matches!(text, Ok(MarkText::Unable(why)) if why.contains("the object itself"));
        assert!(texts.iter().all(is_told), "{texts:?}");
        assert_eq!(questions(&faulty), 1, "{length}");
    }
    // What is so for one object need not be so for another.
    let ten: String = (0..10).map(|at| format!("<Tag><Key>k{at}</Key><Value>v</Value></Tag>")).collect();
    let (ten, long) = (format!("<Tagging><TagSet>{ten}</TagSet></Tagging>"), "x".repeat(1 << 18));
    for (body, word) in
        [(ten, "10 labels"), (format!("<Tagging><!--{long}--><TagSet/></Tagging>"), "too long")]
    {
        let faulty = tagger(move |_| (200, Vec::new(), body.clone()), false).await;
        let store = faulty.store();
        for key in ["j", "k"] {
            let text = store.mark_text(&s3(), key).await.unwrap();
            assert!(matches!(&text, MarkText::Unable(why) if why.contains(word)), "{text:?}");
        }
        assert_eq!(questions(&faulty), 2, "{word}");
    }
}

/// How often tags were asked for.
fn questions(faulty: &FaultyStorage) -> usize {
    let asked = faulty.asked.lock().unwrap();
    asked.iter().filter(|asked| asked.method == "GET" && asked.has("tagging")).count()
}

/// A proxy may answer so, and a server that has another word for an object without tags.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_an_object_is_gone_is_not_said_by_its_tags_alone() {
    for body in ["<Error><Code>NoSuchKey</Code></Error>", "<Error><Code>NoTags</Code></Error>", "not here"] {
        let faulty = tagger(|_| (404, Vec::new(), body.to_owned()), false).await;
        let store = faulty.store();
        let text = store.mark_text(&s3(), "k").await.unwrap();
        assert!(matches!(&text, MarkText::Unable(why) if why.contains("as if it weren't there")), "{text:?}");
        for marking in [store.mark(&s3(), "k", &pin(), "text").await, store.unmark(&s3(), "k").await] {
            assert!(matches!(&marking, Marking::Failed(why) if why.contains("weren't there")), "{marking:?}");
        }
        assert_eq!(puts(&faulty), 0);
    }
    let faulty = FaultyStorage::start(|asked| match asked.has("list-type") {
        true => listing(&[], END),
        false => answer(404, &[("x-amz-request-id", "1")], ""),
    })
    .await;
    assert_eq!(faulty.store().mark_text(&s3(), "k").await.unwrap(), MarkText::Read(None));
    assert_eq!(faulty.store().mark(&s3(), "k", &pin(), "text").await, Marking::Gone);
}

/// Who asks knows whether it is one object of many, or what all of them have in common.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_question_for_a_mark_is_an_error() {
    let faulty = FaultyStorage::start(|_| answer(403, &[], "<Error><Code>AccessDenied</Code></Error>")).await;
    for bucket in [gcs(), s3(), azure()] {
        let error = faulty.store().mark_text(&bucket, "k").await.unwrap_err();
        assert!(matches!(error, StoreError::Denied { .. }) && error.is_of_object(), "{bucket}: {error}");
    }
    // Azure answers so without the ID of the lease on a blob; Microsoft documents the first.
    for status in [403, 412] {
        let body = "<Error><Code>LeaseIdMissing</Code><Message>There is a lease.</Message></Error>";
        let faulty = FaultyStorage::start(move |_| answer(status, &[], body)).await;
        let error = faulty.store().mark_text(&azure(), "k").await.unwrap_err();
        assert!(matches!(error, StoreError::Held { .. }) && error.is_of_object(), "{status}: {error}");
    }
    // A feature that an account lacks is not.
    let body = "<Error><Code>FeatureNotSupportedForAccount</Code></Error>";
    let faulty = FaultyStorage::start(move |_| answer(409, &[], body)).await;
    for bucket in [s3(), azure()] {
        let text = faulty.store().mark_text(&bucket, "k").await.unwrap();
        assert!(matches!(&text, MarkText::Unable(why) if why.contains("FeatureNotSupported")), "{text:?}");
    }
}
