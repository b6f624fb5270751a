//! Deletes in bulk on Amazon S3: how many requests they take, and that each promise of a single delete holds for each
//! key. Elsewhere nothing is deleted in bulk.

use crate::support::amazon::{Amazon, Fault, WRITTEN, Whole, pin, pinned};
use argo_gc_core::model::bucket::Bucket;
use argo_gc_store::store::{MANY, Store};
use argo_gc_store::types::{Depth, Outcome, Place, Reach};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;

/// Keys with the pins of the objects there.
type Objects = Vec<(String, String)>;

/// Ten keys at a server that is taken for Amazon's own.
struct Ten {
    amazon: Amazon,
    store: Store,
    bucket: Bucket,
    objects: Objects,
}

impl Ten {
    async fn start() -> Self {
        Self::at(true).await
    }

    async fn at(is_amazon: bool) -> Self {
        let amazon = Amazon::start().await;
        let objects = (0..10).map(|at| format!("a/{at}")).map(|key| (key, pin("e", WRITTEN))).collect();
        let (store, bucket) = amazon.store(is_amazon);
        let ten = Self { amazon, store, bucket, objects };
        ten.objects.iter().for_each(|(key, _)| ten.amazon.put(key, "e", WRITTEN));
        ten.amazon.put("a/10", "e", WRITTEN);
        ten
    }

    fn fault(&self, key: &str, fault: Fault, times: usize) {
        self.amazon.state().faults.insert(key.to_owned(), (fault, times));
    }

    async fn delete(&self) -> HashMap<String, Outcome> {
        self.delete_if(&|_| true).await
    }

    async fn delete_if(&self, gates: &(dyn Fn(usize) -> bool + Send + Sync)) -> HashMap<String, Outcome> {
        let done = self.store.delete_together(&self.bucket, &pinned(&self.objects), gates).await;
        assert!(self.amazon.has("a/10"), "a neighbour is gone");
        let keys = self.objects.iter().map(|(key, _)| key.clone());
        keys.zip(done.into_iter().map(|deletion| deletion.outcome)).collect()
    }

    /// That all other keys are deleted.
    fn others_are_deleted(&self, outcomes: &HashMap<String, Outcome>, but: &[&str]) {
        for (key, outcome) in outcomes.iter().filter(|(key, _)| !but.contains(&key.as_str())) {
            assert_eq!(*outcome, Outcome::Deleted, "{key}");
            assert!(!self.amazon.has(key), "{key}");
        }
    }
}

/// Plans, deletes and verifies so many objects. Returns the requests for each of them.
async fn requests_each(is_amazon: bool, count: usize) -> f64 {
    let amazon = Amazon::start().await;
    let keys: Vec<String> =
        (0..count).map(|at| format!("argo/train-{:04}/step-1/{:03}.tgz", at / 50, at % 50)).collect();
    keys.iter().for_each(|key| amazon.put(key, "e", WRITTEN));
    amazon.put("argo/train-0000/step-1/000.tgz.sig", "e", WRITTEN);
    let (store, bucket) = amazon.store(is_amazon);
    for keys in keys.chunks(store.together(&bucket).await) {
        let places: Vec<Place> = keys.iter().map(|key| Place { key, reach: Reach::Key }).collect();
        let found = store.objects_at(&bucket, &places, Depth::Whole, MANY).await;
        let objects: Objects =
            found.into_iter().flat_map(Result::unwrap).map(|facts| (facts.key, facts.generation)).collect();
        assert_eq!(objects.len(), keys.len());
        let done = store.delete_together(&bucket, &pinned(&objects), &|_| true).await;
        assert!(done.iter().all(|deletion| deletion.outcome == Outcome::Deleted));
        let places = objects.iter().zip(&done).map(|((key, _), deletion)| {
            let reach = if deletion.listed { Reach::Listed } else { Reach::Key };
            Place { key, reach }
        });
        let left = store.objects_at(&bucket, &places.collect::<Vec<_>>(), Depth::Listed, MANY).await;
        assert!(left.into_iter().all(|left| left.unwrap().is_empty()));
    }
    let state = amazon.state();
    assert_eq!(state.objects.len(), 1, "the neighbour stays");
    state.log.len() as f64 / count as f64
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_amazon_an_object_takes_a_fiftieth_of_a_request_at_the_most() {
    let each = requests_each(true, 5000).await;
    assert!(each <= 0.02, "{each}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn elsewhere_an_object_takes_little_more_than_a_look_and_a_delete() {
    let each = requests_each(false, 2000).await;
    assert!((2.0..=2.1).contains(&each), "{each}");
}

/// One request deletes all, after one look at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_amazon_what_is_as_planned_is_deleted_by_one_request() {
    let ten = Ten::start().await;
    let outcomes = ten.delete().await;
    ten.others_are_deleted(&outcomes, &[]);
    let keys: Vec<String> = ten.objects.iter().map(|(key, _)| key.clone()).collect();
    assert_eq!(ten.amazon.keys("bulk"), [keys]);
    assert_eq!((ten.amazon.asked("look"), ten.amazon.asked("delete"), ten.amazon.asked("list")), (0, 0, 1));
}

/// The look comes before the delete: of what it shows to be another object, or none, no request names the key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_amazon_what_was_written_again_with_the_same_bytes_is_seen_just_before() {
    let ten = Ten::start().await;
    ten.amazon.put("a/1", "e", WRITTEN + 1);
    ten.amazon.put("a/2", "other", WRITTEN);
    ten.amazon.state().objects.remove("a/3");
    let outcomes = ten.delete().await;
    assert_eq!(
        [&outcomes["a/1"], &outcomes["a/2"], &outcomes["a/3"]],
        [&Outcome::Changed, &Outcome::Changed, &Outcome::Gone]
    );
    ten.others_are_deleted(&outcomes, &["a/1", "a/2", "a/3"]);
    assert!(ten.amazon.has("a/1") && ten.amazon.has("a/2"));
    assert_eq!(ten.amazon.keys("bulk")[0].len(), 7);
}

/// Between the look and the delete: the ETag that stands beside each key decides.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_amazon_each_key_has_its_pin_in_a_request_for_many() {
    let ten = Ten::start().await;
    ten.amazon.state().before = Some(Arc::new(|asked, objects| {
        if asked.kind == "bulk" {
            objects.get_mut("a/4").unwrap().tag = "newer".to_owned();
            objects.remove("a/5");
        }
    }));
    let outcomes = ten.delete().await;
    assert_eq!([&outcomes["a/4"], &outcomes["a/5"]], [&Outcome::Changed, &Outcome::Gone]);
    assert!(ten.amazon.has("a/4"));
    ten.others_are_deleted(&outcomes, &["a/4", "a/5"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_amazon_each_key_is_answered_for_itself() {
    let ten = Ten::start().await;
    let once = [
        ("a/0", Fault::Code("SlowDown")),
        ("a/1", Fault::Code("InternalError")),
        ("a/2", Fault::Done("InternalError")),
        ("a/3", Fault::Silence),
        // It says so of an object that is as planned: a single delete has the last word.
        ("a/4", Fault::Code("PreconditionFailed")),
    ];
    once.iter().for_each(|(key, fault)| ten.fault(key, *fault, 1));
    ten.fault("a/5", Fault::Code("AccessDenied: Access Denied"), 9);
    ten.fault("a/6", Fault::Code("AccessDenied: Access Denied because object protected by object lock"), 9);
    ten.fault("a/7", Fault::Code("InvalidArgument"), 9);
    let outcomes = ten.delete().await;
    assert!(matches!(&outcomes["a/5"], Outcome::Denied(why) if why.contains("AccessDenied")), "{outcomes:?}");
    assert!(matches!(&outcomes["a/6"], Outcome::Held(why) if why.contains("object lock")), "{outcomes:?}");
    assert!(matches!(&outcomes["a/7"], Outcome::Failed(_)), "{outcomes:?}");
    ten.others_are_deleted(&outcomes, &["a/5", "a/6", "a/7"]);
    assert!(["a/5", "a/6", "a/7"].iter().all(|key| ten.amazon.has(key)));
    // Only the keys that may come through are sent again; what is gone by then isn't.
    assert_eq!(ten.amazon.keys("bulk")[1..], [["a/0", "a/1", "a/3"]]);
    assert_eq!(ten.amazon.keys("delete"), [["a/4"]]);
}

/// What the server calls deleted and still lists is not gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_amazon_the_listing_after_shows_what_was_not_deleted() {
    let ten = Ten::start().await;
    ten.fault("a/0", Fault::Lie, 9);
    assert_eq!(ten.delete().await["a/0"], Outcome::Deleted);
    let places: Vec<Place> = ten.objects.iter().map(|(key, _)| Place { key, reach: Reach::Key }).collect();
    let left = ten.store.objects_at(&ten.bucket, &places, Depth::Listed, MANY).await;
    let left: Vec<usize> = left.into_iter().map(|left| left.unwrap().len()).collect();
    assert_eq!(left, [1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_amazon_a_lost_answer_is_settled_by_looking() {
    for whole in [Whole::Lost, Whole::Unheard, Whole::Refused(500, "InternalError")] {
        let ten = Ten::start().await;
        ten.amazon.state().whole = vec![whole];
        let sent = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&sent);
        // Before the second look somebody writes one anew.
        ten.amazon.state().before = Some(Arc::new(move |asked, objects| match asked.kind.as_str() {
            "bulk" => drop(counted.fetch_add(1, SeqCst)),
            "list" if counted.load(SeqCst) == 1 => {
                let newer = objects.entry("a/4".to_owned());
                let object =
                    crate::support::amazon::Object { tag: "newer".into(), written: 0, is_held: false };
                newer.insert_entry(object);
            }
            _ => {}
        }));
        let outcomes = ten.delete().await;
        assert_eq!(outcomes["a/4"], Outcome::Changed, "{whole:?}");
        assert!(ten.amazon.has("a/4"), "{whole:?}");
        ten.others_are_deleted(&outcomes, &["a/4"]);
        let again = usize::from(whole != Whole::Lost);
        assert_eq!(ten.amazon.asked("bulk"), 1 + again, "{whole:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_amazon_a_whole_request_that_is_throttled_comes_again_and_one_that_is_denied_does_not() {
    let ten = Ten::start().await;
    ten.amazon.state().whole = vec![Whole::Refused(503, "SlowDown"), Whole::Refused(429, "SlowDown")];
    ten.others_are_deleted(&ten.delete().await, &[]);
    assert_eq!(ten.amazon.asked("bulk"), 3);

    let ten = Ten::start().await;
    ten.amazon.state().whole = vec![Whole::Refused(403, "ExpiredToken")];
    let outcomes = ten.delete().await;
    assert!(outcomes.values().all(|outcome| matches!(outcome, Outcome::Denied(_))), "{outcomes:?}");
    assert_eq!((ten.amazon.asked("bulk"), ten.amazon.asked("delete")), (1, 0));

    // A server that does not take it gets single deletes.
    let ten = Ten::start().await;
    ten.amazon.state().whole = vec![Whole::Refused(501, "NotImplemented")];
    ten.others_are_deleted(&ten.delete().await, &[]);
    assert_eq!((ten.amazon.asked("bulk"), ten.amazon.asked("delete")), (1, 10));
}

/// What comes in need while the request waits for its turn is in no request.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_amazon_the_gate_of_each_key_is_asked_just_before_the_request() {
    let ten = Ten::start().await;
    let is_looked_at = Arc::new(AtomicUsize::new(0));
    let looked = Arc::clone(&is_looked_at);
    ten.amazon.state().before = Some(Arc::new(move |asked, _| {
        if asked.kind == "list" {
            looked.store(1, SeqCst);
        }
    }));
    // Needed since the look.
    let gates = move |at: usize| at != 3 || is_looked_at.load(SeqCst) == 0;
    let outcomes = ten.delete_if(&gates).await;
    assert_eq!(outcomes["a/3"], Outcome::Withheld);
    assert!(ten.amazon.has("a/3"));
    ten.others_are_deleted(&outcomes, &["a/3"]);
    assert!(ten.amazon.keys("bulk").iter().flatten().all(|key| key != "a/3"));

    let ten = Ten::start().await;
    let outcomes = ten.delete_if(&|_| false).await;
    assert!(outcomes.values().all(|outcome| *outcome == Outcome::Withheld));
    assert_eq!((ten.amazon.asked("bulk"), ten.amazon.asked("delete")), (0, 0));
}

/// Amazon hides what is held behind a delete marker, and says yes. So where there may be holds each object is asked for,
/// while planning and just before its delete.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_amazon_where_objects_may_be_held_each_is_asked_for() {
    for (what, bulk, versioning, has_lock, is_secret) in [
        ("locks", false, "Enabled", true, false),
        ("locks were turned on since, for all that is known", false, "Suspended", true, false),
        ("unknown", false, "Enabled", true, true),
        ("versions without locks", true, "Enabled", false, false),
        ("never versioned", true, "", false, false),
    ] {
        let ten = Ten::start().await;
        {
            let mut state = ten.amazon.state();
            (state.versioning, state.has_lock, state.is_secret) = (versioning, has_lock, is_secret);
            state.objects.get_mut("a/4").unwrap().is_held = has_lock;
        }
        let places: Vec<Place> =
            ten.objects.iter().map(|(key, _)| Place { key, reach: Reach::Key }).collect();
        let found = ten.store.objects_at(&ten.bucket, &places, Depth::Whole, MANY).await;
        let held = found.into_iter().flat_map(Result::unwrap).filter(|facts| facts.held.is_some()).count();
        assert_eq!((held, ten.amazon.asked("look")), if bulk { (0, 0) } else { (1, 10) }, "{what}");
        let outcomes = ten.delete().await;
        assert_eq!(
            (ten.amazon.asked("bulk"), ten.amazon.asked("delete")),
            if bulk { (1, 0) } else { (0, 9) }
        );
        match bulk {
            true => ten.others_are_deleted(&outcomes, &[]),
            false => {
                assert_eq!(outcomes["a/4"], Outcome::Held("legal hold".to_owned()), "{what}");
                assert!(ten.amazon.has("a/4"), "{what}");
                ten.others_are_deleted(&outcomes, &["a/4"]);
            }
        }
    }
}

/// XML can't name every key; the rest goes by one request all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_amazon_a_key_that_xml_cannot_hold_is_deleted_by_itself() {
    let mut ten = Ten::start().await;
    let odd = ["b/\u{1}", "b/\r\n", " b", "b "];
    for key in odd {
        ten.amazon.put(key, "e", WRITTEN);
        ten.objects.push((key.to_owned(), pin("e", WRITTEN)));
    }
    // What a parser would make of them.
    for key in ["b/", "b", "b/\n"] {
        ten.amazon.put(key, "e", WRITTEN);
    }
    for key in ["c/<&>\"'", "c/ü 😀+%41"] {
        ten.amazon.put(key, "e", WRITTEN);
        ten.objects.push((key.to_owned(), pin("e", WRITTEN)));
    }
    let outcomes = ten.delete().await;
    ten.others_are_deleted(&outcomes, &[]);
    assert!(["b/", "b", "b/\n"].iter().all(|key| ten.amazon.has(key)));
    let mut alone: Vec<String> = ten.amazon.keys("delete").concat();
    alone.sort();
    assert_eq!(alone, [" b", "b ", "b/\u{1}", "b/\r\n"].map(str::to_owned));
    assert_eq!(ten.amazon.keys("bulk")[0].len(), 12);
}

/// MinIO and others ignore the ETags of a request for many, so none is sent: each object is looked at, and deleted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn elsewhere_nothing_is_deleted_in_bulk_and_each_object_is_looked_at_just_before() {
    let ten = Ten::at(false).await;
    {
        let mut state = ten.amazon.state();
        state.ignores_pins = true;
        state.objects.get_mut("a/4").unwrap().is_held = true;
        state.objects.get_mut("a/5").unwrap().written += 1;
        state.objects.get_mut("a/6").unwrap().tag = "newer".to_owned();
    }
    let outcomes = ten.delete().await;
    assert_eq!(outcomes["a/4"], Outcome::Held("legal hold".to_owned()));
    assert_eq!([&outcomes["a/5"], &outcomes["a/6"]], [&Outcome::Changed, &Outcome::Changed]);
    ten.others_are_deleted(&outcomes, &["a/4", "a/5", "a/6"]);
    assert_eq!((ten.amazon.asked("bulk"), ten.amazon.asked("delete"), ten.amazon.asked("look")), (0, 7, 10));
}

/// A listing that leaves a key out proves something only if one showed it before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn elsewhere_only_a_listing_that_showed_an_object_can_show_that_it_is_gone() {
    let ten = Ten::at(false).await;
    let keys: Vec<Place> = ten.objects.iter().map(|(key, _)| Place { key, reach: Reach::Key }).collect();
    // The server says yes to each delete, keeps one of them, and its listings never had that one.
    let done = ten.store.delete_together(&ten.bucket, &pinned(&ten.objects), &|_| true).await;
    assert!(done.iter().filter(|deletion| deletion.listed).count() >= 7, "{done:?}");
    let looks = ten.amazon.asked("look");
    ten.store.objects_at(&ten.bucket, &keys, Depth::Listed, MANY).await;
    assert_eq!(ten.amazon.asked("look") - looks, 10, "not shown before, each is asked for");
}

/// A whole purge, through the command line: `benches/s3.py` counts its requests, and is Amazon's host by a proxy over TLS.
/// It needs python3, as moto does, and openssl.
#[test]
#[ignore = "tests/run brings what it needs"]
fn a_whole_purge_takes_few_requests_on_moto() {
    for each in ["20", "1"] {
        let ran = std::process::Command::new("python3")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/s3.py"))
            .args(["--objects", "1000", "--each", each, "--latency", "0", "--runs", "1", "--check"])
            .args(["--plugin", env!("CARGO_BIN_EXE_kubectl-argo_gc")])
            .output()
            .unwrap();
        let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        assert!(ran.status.success(), "{out}{err}");
    }
}
