//! `purge --quarantine`: needs that plans see, clocks that are wrong, and marks that may not be read.

use crate::orphans::orphans;
use crate::quarantine::{DAY, is_read, long, mark, marked};
use crate::support::Ran;
use crate::support::api_proxy::ApiProxy;
use crate::support::faulty_storage::{FaultyStorage, answer, s3};
use crate::support::purge::{Live, ago, keeps_to};
use argo_gc::purge::journal::{Journal, JournalReplay, Line, Who};
use argo_gc::purge::plan_file::{Draft, Head};
use argo_gc::purge::undo::lift;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

fn saved(plan: &str) -> Value {
    let plan = serde_json::from_str(&std::fs::read_to_string(plan).unwrap()).unwrap();
    keeps_to("purge-plan.v1.json", &plan);
    plan
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_saved_plan_lifts_the_marks_of_what_is_pinned_on_apiserver_and_fake_gcs() {
    let live = Live::start("quarantine-pinned-plan");
    live.gcs.bucket(live.namespace);
    let mut wf = live.workflow("train", &["train/a.tgz", "train/dir"]);
    wf["metadata"]["labels"]["argo-gc/keep"] = json!("true");
    live.server.apply(wf);
    let objects = ["train/a.tgz", "train/dir/x"];
    for key in objects {
        live.put(key);
        marked(&live, key, long());
    }
    let plan = live.file("plan.json");
    live.purge(&["--all", "--plan-out", &plan]).ends_with(0);
    let document = saved(&plan);
    assert_eq!(document["workflows"][0]["needed"].as_array().map(Vec::len), Some(2), "{document}");
    assert_eq!(document["totals"].get("toLift"), None, "no mark was read yet");
    // Without the flag it has nothing to do.
    let ran = live.purge(&["--plan", &plan, "--yes"]).ends_with(0);
    assert!(!ran.out.contains("ift"), "{}", ran.out);
    assert!(objects.iter().all(|key| mark(&live, key).is_some()));
    let ran = live.purge(&[&["--plan", &plan], &DAY[..]].concat()).ends_with(0);
    assert!(ran.out.contains("Lifted the marks of 2 objects: they are needed again"), "{}", ran.out);
    assert_eq!(objects.map(|key| mark(&live, key)), [None, None]);
    assert_eq!(live.gcs.keys(live.namespace), objects);
}

/// Else the mark would count again once its last reader is gone.
#[test]
#[ignore = "tests/run brings what it needs"]
fn a_plan_of_orphans_lifts_the_marks_of_what_is_needed_on_apiserver_and_fake_gcs() {
    let live = Live::start("quarantine-orphans-needed");
    live.gcs.bucket(live.namespace);
    let keys =
        ["argo/perished/perished-1/a.tgz", "argo/perished/perished-1/b.tgz", "argo/alive/alive-1/a.tgz"];
    for key in keys {
        live.gcs.put(live.namespace, key, key);
        live.gcs.created(live.namespace, key, &ago(SignedDuration::from_hours(24 * 30)));
        marked(&live, key, long());
    }
    live.server.apply(live.workflow("alive", &[keys[2]]));
    is_read(&live, keys[0]);
    let plan = live.file("plan.json");
    orphans(&live, "admin", &["--exclusive", "--plan-out", &plan]).ends_with(0);
    let document = saved(&plan);
    let needed: Vec<&Value> =
        document["workflows"].as_array().unwrap().iter().filter_map(|wf| wf.get("needed")).collect();
    assert_eq!(needed, [&json!([{ "bucket": format!("gs://{}", live.namespace), "key": keys[0] }])]);
    let ran = live.purge(&[&["--plan", &plan], &DAY[..]].concat()).ends_with(0);
    assert!(
        ran.out.contains("Deleted 1 object") && ran.out.contains("Lifted the marks of 1 object"),
        "{}",
        ran.out
    );
    assert_eq!(live.gcs.keys(live.namespace), [keys[2], keys[0]]);
    assert_eq!(mark(&live, keys[0]), None);
    // What an owner that is there keeps is none of its business.
    assert!(mark(&live, keys[2]).is_some());
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn no_time_in_quarantine_is_judged_by_a_wrong_clock_on_apiserver_and_fake_gcs() {
    let key = "train/a.tgz";
    let live = Live::with("quarantine-clock", "train", &[key]);
    marked(&live, key, long());
    let (plan, journal) = (live.file("plan.json"), live.file("journal.jsonl"));
    live.purge(&["train", "--plan-out", &plan]).ends_with(0);
    let proxy = ApiProxy::before(live.server);
    let config = live.file("proxy.json");
    std::fs::write(&config, proxy.config().to_string()).unwrap();
    let purge = |words: &[&str]| {
        let mut command = live.command("purge", words);
        command.env("KUBECONFIG", &config);
        Ran::of(command)
    };
    let saved = [&["--plan", &plan], &DAY[..]].concat();
    proxy.set_clock(SignedDuration::from_hours(-20));
    for words in [[&["train", "--margin", "72h"], &DAY[..]].concat(), saved.clone()] {
        let ran = purge(&words).ends_with(5);
        assert!(ran.err.contains("seconds ahead of the API server's"), "{}", ran.err);
        assert!(!ran.err.contains("--margin"), "{}", ran.err);
    }
    // What was begun by a right clock is not finished by a wrong one.
    proxy.set_clock(SignedDuration::ZERO);
    live.gcs.forbid(live.namespace, key);
    purge(&[&saved[..], &["--journal", &journal]].concat()).ends_with(4);
    let tried = live.gcs.deletes().len();
    proxy.set_clock(SignedDuration::from_hours(-20));
    let ran = purge(&["--resume", &journal, "--yes"]).ends_with(5);
    assert!(ran.err.contains("seconds ahead of the API server's"), "{}", ran.err);
    assert_eq!(live.gcs.deletes().len(), tried);
    assert_eq!(live.gcs.keys(live.namespace), [key]);
}

/// An undo of a run without --quarantine needs no permission for marks, and says what it could not see.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn marks_that_undo_may_not_read_are_counted() {
    let faulty = FaultyStorage::start(|_| answer(403, &[], "<Error><Code>AccessDenied</Code></Error>")).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.jsonl");
    let plan = Draft::new(Head::new(Timestamp::UNIX_EPOCH, None, "cloud".into(), Vec::new())).unwrap();
    let plan = plan.seal(Vec::new()).unwrap();
    let journal = Journal::begin(&path, &Who::default(), &plan).unwrap();
    for bucket in [s3(), "gs://b".parse().unwrap()] {
        journal.write(&Line::Restored { bucket, key: "k".into(), generation: "g".into() }).unwrap();
    }
    let record = JournalReplay::read(&path).unwrap();
    let marks = lift(&record, &faulty.store(), &journal, 2, &mut |_, why| panic!("{why}")).await.unwrap();
    assert_eq!((marks.lifted, marks.unread), (0, 1));
}
