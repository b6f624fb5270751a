//! One suite that every store passes: folders, memory, fake-gcs-server, moto, MinIO, rclone and VersityGW (S3), and azurite.

use crate::on_every_store;
use crate::support::clouds::Kind;
use crate::support::gcs::Gcs;
use crate::support::stores::{Case, NAME, Writer, cloud, emulated};
use argo_gc_core::argo::uses::Use;
use argo_gc_core::hashes::Names;
use argo_gc_core::model::bucket::Bucket;
use argo_gc_core::plan::guarded::Guarded;
use argo_gc_core::plan::key_shape::KeyFormat;
use argo_gc_core::plan::orphans::{Judged, Judgement, Known, Search};
use argo_gc_core::plan::references::{Buckets, ReferencesBuilder};
use argo_gc_store::store::MANY;
use argo_gc_store::types::{Depth, MarkText, Marking, Outcome, Place, Reach, Restored, StoreError};
use futures::{StreamExt, TryStreamExt};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

fn keys(objects: &[argo_gc_core::model::object::ObjectFacts]) -> Vec<&str> {
    objects.iter().map(|object| object.key.as_str()).collect()
}

on_every_store! {
    names_are_exact:
    fn what_is_named_and_nothing_else_is_shown_and_deleted_in_a_local_store() by local;
    fn what_is_named_and_nothing_else_is_shown_and_deleted_on_fake_gcs() by fake_gcs;
    fn what_is_named_and_nothing_else_is_shown_and_deleted_on_moto() by moto;
    fn what_is_named_and_nothing_else_is_shown_and_deleted_on_minio() by minio;
    fn what_is_named_and_nothing_else_is_shown_and_deleted_on_rclone() by rclone;
    fn what_is_named_and_nothing_else_is_shown_and_deleted_on_versitygw() by versitygw;
    fn what_is_named_and_nothing_else_is_shown_and_deleted_on_azurite() by azurite;
}

async fn names_are_exact(cases: Vec<Case>) {
    for case in cases {
        let (store, bucket) = (&case.store, &case.bucket);
        let all = ["w/dir", "w/dir/1", "w/dir/2/3", "w/dir2", "w/dirty/1", "v/ü b+c&d=e#f?g%2Fh~'(1)"];
        let mut there = Vec::new();
        for key in all.into_iter().rev() {
            // In a tree of folders nothing can have the name of a folder.
            match key {
                "w/dir" if case.try_put(key, key).await.is_err() => {}
                "w/dir" => there.push(key),
                _ => {
                    case.put(key, key).await;
                    there.push(key);
                }
            }
        }

        there.reverse();

        // A look shows size, pin and time; what is not there is no error, a missing bucket is one.
        for key in &there {
            let facts = store.head(bucket, key).await.unwrap().unwrap_or_else(|| panic!("{bucket} {key}"));
            assert_eq!((facts.key.as_str(), facts.size), (*key, key.len() as u64), "{bucket}");
            assert!(!facts.generation.is_empty() && facts.held.is_none(), "{bucket} {key}");
            let age = Timestamp::now().duration_since(facts.created.unwrap());
            assert!(age.abs() < SignedDuration::from_mins(5), "{bucket}: {age}");
        }
        assert_eq!(store.head(bucket, "w").await.unwrap(), None, "{bucket}");
        let missing = case.missing();
        for error in [
            store.head(&missing, "k").await.unwrap_err(),
            store.list(&missing, "").await.unwrap_err(),
            store.bucket(&missing).await.unwrap_err(),
        ] {
            assert!(matches!(error, StoreError::NoBucket(_)), "{missing}: {error}");
        }
        store.bucket(bucket).await.unwrap();

        // A listing and a look tell the same; a directory ends at its slash.
        let listed = store.list(bucket, "").await.unwrap();
        let mut sorted = there.clone();
        sorted.retain(|key| !case.hides(key, &there));
        sorted.sort_unstable();
        assert_eq!(keys(&listed), sorted, "{bucket}");
        for object in &listed {
            assert_eq!(store.head(bucket, &object.key).await.unwrap().as_ref(), Some(object), "{bucket}");
        }
        let of_directory: Vec<&str> =
            sorted.iter().copied().filter(|key| *key == "w/dir" || key.starts_with("w/dir/")).collect();
        assert_eq!(keys(&store.objects(bucket, "w/dir", true).await.unwrap()), of_directory, "{bucket}");
        let alone = store.objects(bucket, "w/dir", false).await.unwrap();
        assert_eq!(alone.len(), usize::from(there.contains(&"w/dir")), "{bucket}");

        // Many places looked up together are as each by itself.
        let places: Vec<Place> =
            ["w/dir", "w/dir2", "w/dirty", "w/dirty/1", "w/none", "v/", "w/dir/", "w/di"]
                .into_iter()
                .flat_map(|key| {
                    [Reach::Key, Reach::Directory, Reach::Beginning].map(|reach| Place { key, reach })
                })
                .collect();
        for depth in [Depth::Listed, Depth::Whole] {
            let found = store.objects_at(bucket, &places, depth, MANY).await;
            for (Place { key, reach }, found) in places.iter().zip(found) {
                let alone = match reach {
                    Reach::Beginning => store.list(bucket, key).await,
                    reach => store.objects(bucket, key, *reach == Reach::Directory).await,
                };
                match alone {
                    Ok(alone) => assert_eq!(found.unwrap(), alone, "{bucket} {key} {reach:?}"),
                    Err(error) => {
                        assert_eq!(found.unwrap_err().to_string(), error.to_string(), "{bucket} {key}")
                    }
                }
            }
        }

        // The pin decides, and only the named object goes.
        let pin = async |key: &str| store.head(bucket, key).await.unwrap().unwrap().generation;
        let first = pin("w/dir2").await;
        // S3 and folders tell writes apart by the second and by size.
        tokio::time::sleep(Duration::from_millis(1100)).await;
        case.put("w/dir2", "w/dir2").await;
        assert_eq!(store.delete(bucket, "w/dir2", &first).await, Outcome::Changed, "{bucket}");
        assert!(store.head(bucket, "w/dir2").await.unwrap().is_some(), "{bucket}");
        let wrong = store.delete(bucket, "w/dir2", "").await;
        assert!(!wrong.is_gone(), "{bucket}: {wrong:?}");
        for key in ["w/dir2", "v/ü b+c&d=e#f?g%2Fh~'(1)"] {
            let pin = pin(key).await;
            assert_eq!(store.delete(bucket, key, &pin).await, Outcome::Deleted, "{bucket} {key}");
            assert_eq!(store.delete(bucket, key, &pin).await, Outcome::Gone, "{bucket} {key}");
        }
        sorted.retain(|key| *key != "w/dir2" && !key.starts_with('v'));
        assert_eq!(keys(&store.list(bucket, "").await.unwrap()), sorted, "{bucket}");
    }
}

on_every_store! {
    marks_are_labels:
    fn a_mark_leaves_its_object_as_it_is_in_a_local_store() by local;
    fn a_mark_leaves_its_object_as_it_is_on_fake_gcs() by fake_gcs;
    fn a_mark_leaves_its_object_as_it_is_on_moto() by moto;
    fn a_mark_leaves_its_object_as_it_is_on_minio() by minio;
    fn a_mark_leaves_its_object_as_it_is_on_rclone() by rclone;
    fn a_mark_leaves_its_object_as_it_is_on_versitygw() by versitygw;
    fn a_mark_leaves_its_object_as_it_is_on_azurite() by azurite;
}

async fn marks_are_labels(cases: Vec<Case>) {
    for case in cases {
        let (store, bucket) = (&case.store, &case.bucket);
        let key = "w/ü b+c&d.tgz";
        // To a server that takes a question for tags for the object, new tags would be a new object.
        case.put(key, "<Tagging><TagSet></TagSet></Tagging>").await;
        let before = store.head(bucket, key).await.unwrap().unwrap();
        let read = async || store.mark_text(bucket, key).await.unwrap();
        if let MarkText::Unable(why) = read().await {
            assert!(case.has_no_labels(), "{bucket}: {why}");
            assert!(matches!(store.mark(bucket, key, &before.generation, "x").await, Marking::Failed(_)));
            assert_eq!(store.head(bucket, key).await.unwrap().unwrap(), before, "{bucket}");
            continue;
        }
        assert!(!case.has_no_labels(), "{bucket}");
        let emulator = match &case.writer {
            Writer::Emulator(server) => Some(server),
            _ => None,
        };
        // Without any tag left, moto fails.
        if let Some(moto) = emulator.filter(|server| server.kind == Kind::Moto) {
            moto.tag(NAME, key, "team", "ml a.b").await;
        }
        assert_eq!(read().await, MarkText::Read(None), "{bucket}");
        assert_eq!(store.unmark(bucket, key).await, Marking::Unmarked, "{bucket}");
        for text in ["2026-11-01T06:00:00Z 0x8DC", "2026-11-02T06:00:00Z d41d-2_17"] {
            assert_eq!(store.mark(bucket, key, &before.generation, text).await, Marking::Done, "{bucket}");
            assert_eq!(read().await, MarkText::Read(Some(text.to_owned())), "{bucket}");
        }
        assert_eq!(store.head(bucket, key).await.unwrap().unwrap(), before, "{bucket}");
        assert_eq!(store.unmark(bucket, key).await, Marking::Done, "{bucket}");
        assert_eq!(read().await, MarkText::Read(None), "{bucket}");
        assert_eq!(store.head(bucket, key).await.unwrap().unwrap(), before, "{bucket}");

        // What others say of the object stays.
        if let Some(server) = emulator {
            server.tag(NAME, key, "team", "ml a.b").await;
            assert_eq!(store.mark(bucket, key, &before.generation, "mark").await, Marking::Done, "{bucket}");
            let tags = server.tags(NAME, key).await;
            assert!(tags.contains(">ml a.b<") && tags.contains(">mark<"), "{bucket}: {tags}");
            assert_eq!(store.unmark(bucket, key).await, Marking::Done, "{bucket}");
            let tags = server.tags(NAME, key).await;
            assert!(tags.contains(">ml a.b<") && !tags.contains("argo-gc"), "{bucket}: {tags}");
        }

        // Another object of the name is not marked, and has no mark of the first.
        assert_eq!(store.mark(bucket, key, &before.generation, "mark").await, Marking::Done, "{bucket}");
        tokio::time::sleep(Duration::from_millis(1100)).await;
        case.put(key, "new").await;
        assert_eq!(read().await, MarkText::Read(None), "{bucket}");
        assert_eq!(store.mark(bucket, key, &before.generation, "mark").await, Marking::Changed, "{bucket}");
        assert_eq!(read().await, MarkText::Read(None), "{bucket}");
        assert_eq!(store.mark(bucket, "w/none", &before.generation, "x").await, Marking::Gone, "{bucket}");
        assert_eq!(store.unmark(bucket, "w/none").await, Marking::Gone, "{bucket}");
        assert_eq!(store.mark_text(bucket, "w/none").await.unwrap(), MarkText::Read(None), "{bucket}");
        assert_eq!(keys(&store.list(bucket, "").await.unwrap()), [key], "{bucket}");
    }
}

/// Several list at a time what is more than a page; each object is met once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "tests/run brings what it needs"]
async fn a_long_listing_has_every_object_once_on_fake_gcs() {
    let gcs = Gcs::start();
    gcs.bucket(NAME);
    // Names that share much, some that share nothing, and one that begins another.
    let mut written: Vec<String> =
        (0..2500).map(|at| format!("argo/train-{:04}/{}/main.log", at % 700, at)).collect();
    written.extend((0..1500).map(|at| format!("argo/{:x}", at * 7919)));
    written.extend(["argo/train", "argo/train-0001", "argo/ü/1", "argo/😀", "argo/~"].map(str::to_owned));
    futures::stream::iter(&written)
        .for_each_concurrent(16, async |key| {
            gcs.put(NAME, key, "x");
        })
        .await;
    gcs.put(NAME, "argot", "x");
    let store = cloud(Some(gcs.url()), Vec::new());
    let bucket: Bucket = format!("gs://{NAME}").parse().unwrap();
    written.sort();
    for _ in 0..3 {
        let listed = store.list(&bucket, "argo/").await.unwrap();
        assert_eq!(keys(&listed), written);
    }
    let before = gcs.log().len();
    // Nobody reads on: nobody lists on.
    let mut pages = store.pages(&bucket, "argo/");
    pages.next().await.unwrap().unwrap();
    drop(pages);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let asked = gcs.log().len() - before;
    assert!(asked <= 40, "{asked}");
}

on_every_store! {
    orphans_are_found:
    fn of_a_thousand_objects_exactly_the_orphans_are_found_in_a_local_store() by local;
    fn of_a_thousand_objects_exactly_the_orphans_are_found_on_fake_gcs() by fake_gcs;
    fn of_a_thousand_objects_exactly_the_orphans_are_found_on_moto() by moto;
    fn of_a_thousand_objects_exactly_the_orphans_are_found_on_minio() by minio;
    fn of_a_thousand_objects_exactly_the_orphans_are_found_on_rclone() by rclone;
    fn of_a_thousand_objects_exactly_the_orphans_are_found_on_versitygw() by versitygw;
    fn of_a_thousand_objects_exactly_the_orphans_are_found_on_azurite() by azurite;
}

/// A thousand objects: 900 referenced, 60 orphans, 20 too young, 20 outside.
async fn orphans_are_found(cases: Vec<Case>) {
    const MARGIN: SignedDuration = SignedDuration::from_secs(6);
    for case in &cases {
        let old = (0..900)
            .map(|at| format!("argo/live/{at}.tgz"))
            .chain((0..60).map(|at| format!("argo/gone/gone-{at}/a.tgz")))
            .chain((0..20).map(|at| format!("elsewhere/{at}.tgz")));
        futures::stream::iter(old).for_each_concurrent(16, async |key| case.put(&key, "x").await).await;
    }
    tokio::time::sleep(Duration::from_secs(8)).await;
    for case in cases {
        for at in 0..20 {
            case.put(&format!("argo/gone/gone-{at}/new.tgz"), "x").await;
        }
        let now = Timestamp::now();
        let mut gathering = ReferencesBuilder::default();
        let by = gathering.workflow("ml", "live", "u");
        for at in 0..900 {
            let found = Use { bucket: NAME.into(), key: format!("argo/live/{at}.tgz"), ..Use::default() };
            gathering.add(by, &found, &Buckets::default(), false);
        }
        let references = gathering.finish();
        let (names, guarded) = (Names::from_iter(["live"]), Guarded::default());
        let shapes = [KeyFormat::parse("argo/{{workflow.name}}/{{pod.name}}")];
        let known = Known {
            references: &references,
            workflows: &names,
            guarded: &guarded,
            shapes: &shapes,
            live_runs: None,
        };
        let mut search = Search::new(known, &case.bucket, "argo", now, MARGIN);
        let pages: Vec<_> = case.store.pages(&case.bucket, "argo/").try_collect().await.unwrap();
        let judged = pages.into_iter().flatten().filter_map(|object| search.judge(object));
        let offered: Vec<_> = judged
            .filter_map(|Judged { workflow, what }| match what {
                Judgement::Orphan(object) => Some((workflow, object)),
                Judgement::Needed(_) => None,
            })
            .collect();
        assert_eq!(offered.len(), 60, "{}", case.bucket);
        assert!(offered.iter().all(|(name, object)| name == "gone" && object.key.starts_with("argo/gone/")));
        let found = search.finish();
        let counts = (found.referenced, found.young, found.unclear);
        assert_eq!(counts, (900, 20, 0), "{}", case.bucket);
        assert_eq!((found.orphans.len(), found.orphans[0].objects), (1, 60), "{}", case.bucket);
    }
}

/// Credentials go to the clouds' own hosts, and to those the user names.
#[tokio::test]
async fn a_host_that_only_workflows_name_is_sent_nothing() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let host = listener.local_addr().unwrap();
    let store = cloud(None, Vec::new());
    for bucket in [format!("s3://b@{host}"), format!("http://{host}/b"), format!("https://{host}/b")] {
        let bucket: Bucket = bucket.parse().unwrap();
        let error = store.head(&bucket, "k").await.unwrap_err();
        assert!(matches!(error, StoreError::Untrusted(_)), "{error}");
        let shown = argo_gc::error::Error::from(error).to_string();
        assert!(shown.contains(&format!("--endpoint-override {host}=URL")), "{shown}");
        assert!(matches!(store.delete(&bucket, "k", "p@1").await, Outcome::Failed(_)));
    }
    let asked = listener.accept();
    assert_eq!(asked.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    // A key of one account is not shown to another's.
    let bucket: Bucket = "https://other.blob.core.windows.net/c".parse().unwrap();
    let error = store.head(&bucket, "k").await.unwrap_err();
    assert!(error.to_string().contains("are for the account devstoreaccount1"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "tests/run brings what it needs"]
async fn copies_of_many_keys_are_those_of_each_on_moto() {
    copies_are_those_of_each(Kind::Moto).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "tests/run brings what it needs"]
async fn copies_of_many_keys_are_those_of_each_on_minio() {
    copies_are_those_of_each(Kind::Minio).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "tests/run brings what it needs"]
async fn copies_of_many_keys_are_those_of_each_on_versitygw() {
    copies_are_those_of_each(Kind::VersityGw).await;
}

/// What S3 keeps of overwritten and deleted objects is found for many keys at once, over pages and between live ones.
async fn copies_are_those_of_each(kind: Kind) {
    let case = emulated(kind, true).await;
    let (store, bucket) = (&case.store, &case.bucket);
    let key = |at: usize| format!("wf-{}/{at}.tgz", at / 10);
    // Key n was written n % 4 + 1 times, and each fifth one deleted at last.
    for at in 0..40 {
        for _ in 0..=at % 4 {
            case.put(&key(at), "x").await;
        }
        if at % 5 == 0 {
            let pin = store.head(bucket, &key(at)).await.unwrap().unwrap().generation;
            assert_eq!(store.delete(bucket, &key(at), &pin).await, Outcome::Deleted);
        }
    }
    let all: Vec<String> = (0..40).filter(|at| at % 3 != 0).map(key).collect();
    let asked: Vec<&str> = all.iter().map(String::as_str).collect();
    let copies = store.copies_at(bucket, &asked).await.unwrap().unwrap();
    let counts: Vec<usize> = copies.iter().map(Vec::len).collect();
    let expected: Vec<usize> =
        (0..40).filter(|at| at % 3 != 0).map(|at| at % 4 + usize::from(at % 5 == 0)).collect();
    assert_eq!(counts, expected);
    assert!(copies.iter().zip(&asked).all(|(copies, key)| copies.iter().all(|copy| copy.key == *key)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "tests/run brings what it needs"]
async fn what_is_deleted_comes_back_from_a_versioned_bucket_on_moto() {
    what_is_deleted_comes_back(Kind::Moto).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "tests/run brings what it needs"]
async fn what_is_deleted_comes_back_from_a_versioned_bucket_on_minio() {
    what_is_deleted_comes_back(Kind::Minio).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "tests/run brings what it needs"]
async fn what_is_deleted_comes_back_from_a_versioned_bucket_on_versitygw() {
    what_is_deleted_comes_back(Kind::VersityGw).await;
}

async fn what_is_deleted_comes_back(kind: Kind) {
    let case = emulated(kind, true).await;
    let (store, bucket) = (&case.store, &case.bucket);
    assert!(store.bucket(bucket).await.unwrap().versioning, "{bucket}");
    case.put("j/below", "another").await;
    case.put("k", "first").await;
    case.put("k-next", "another").await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    case.put("k-next", "newer").await;
    let pin = store.head(bucket, "k-next").await.unwrap().unwrap().generation;
    assert_eq!(store.delete(bucket, "k-next", &pin).await, Outcome::Deleted);
    let listed = keys(&store.list(bucket, "").await.unwrap()).join(" ");
    assert_eq!(store.restore(bucket, "k-next", &pin).await, Restored::Restored);
    assert_eq!(case.plain_head("k-next").await, Ok(Some(5)));
    assert_eq!(store.restore(bucket, "k-next", &pin).await, Restored::Taken);
    assert_eq!(listed, "j/below k");
}
