//! Servers that are not what they call themselves, that never end, or that keep what was deleted in their own way; and
//! undo, which believes only what it sees.

use crate::support::faulty_storage::{Answer, Asked, END, FaultyStorage, answer, azure, gcs, listing, s3};
use crate::support::gcs::soft_delete_for_a_week;
use crate::support::purge::{Folder, Live, deletes, keeps_to};
use crate::support::{Ran, plugin, workflow};
use argo_gc_core::model::bucket::Bucket;
use argo_gc_store::store::MANY;
use argo_gc_store::types::{Depth, Outcome, Place, Reach, Restored, StoreError};
use axum::body::{Body, Bytes};
use axum::http::Response;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

const DATE: &str = "Mon, 02 Nov 2026 00:00:00 GMT";

/// The pin of an S3 object with the ETag `e` that was written at that time.
fn pin() -> String {
    let written: jiff::Timestamp = "2026-11-02T00:00:00Z".parse().unwrap();
    format!("e@{}", written.as_second())
}

fn there(tag: &str) -> Answer {
    answer(200, &[("etag", tag), ("last-modified", DATE), ("content-length", "1")], "")
}

fn gone() -> Answer {
    answer(404, &[("x-amz-request-id", "1"), ("x-ms-error-code", "BlobNotFound")], "")
}

fn item(name: &str) -> Value {
    json!({ "name": name, "generation": "1", "size": "1", "timeCreated": "2026-11-02T00:00:00Z" })
}

/// rclone says `Server: AmazonS3`, and lists only what it likes to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn danger_35_a_server_that_calls_itself_amazon_is_not_believed_that_something_is_gone() {
    let keys: Vec<String> = (0..9).map(|at| format!("a/{at}")).collect();
    let faulty = FaultyStorage::start(|asked| match (asked.method.as_str(), asked.get("prefix")) {
        ("HEAD", _) => there("\"e\""),
        // Of the directory a part is in the listing that many share, and all in its own.
        ("GET", "d/") => listing(&["d/1", "d/2"], END),
        _ => listing(&["a/3", "d/1"], END),
    })
    .await;
    let store = faulty.store();
    let mut places: Vec<Place> = keys.iter().map(|key| Place { key, reach: Reach::Key }).collect();
    places.push(Place { key: "d", reach: Reach::Directory });
    let found = store.objects_at(&s3(), &places, Depth::Listed, MANY).await;
    let found: Vec<usize> = found.into_iter().map(|objects| objects.unwrap().len()).collect();
    assert_eq!(found, [1, 1, 1, 1, 1, 1, 1, 1, 1, 3]);
}

/// Only at a host that is known to heed pins may an object go without a look just before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_pins_may_be_ignored_a_newer_object_is_seen_before_its_delete() {
    let faulty = FaultyStorage::start(|asked| match asked.method.as_str() {
        "DELETE" => answer(202, &[], ""),
        "GET" => answer(200, &[], "<X/>"),
        _ => there("\"newer\""),
    })
    .await;
    let store = faulty.store();
    for bucket in [s3(), azure()] {
        assert!(store.bucket(&bucket).await.unwrap().looked_at, "{bucket}");
        assert_eq!(store.delete(&bucket, "k", "\"older\"@1").await, Outcome::Changed, "{bucket}");
    }
    assert_eq!(faulty.deletes(), 0);
}

/// A page with this token, of each engine, without an object.
fn empty_page(asked: &Asked, token: &str) -> Answer {
    if asked.path.starts_with("/storage/v1/") {
        let body = json!({ "kind": "storage#objects", "nextPageToken": token });
        return answer(200, &[], body.to_string());
    }
    if asked.get("comp") == "list" {
        let body =
            format!("<EnumerationResults><Blobs/><NextMarker>{token}</NextMarker></EnumerationResults>");
        return answer(200, &[], body);
    }
    if asked.has("versions") {
        let body = format!(
            "<ListVersionsResult><Name>b</Name><IsTruncated>true</IsTruncated>\
             <NextKeyMarker>{token}</NextKeyMarker></ListVersionsResult>"
        );
        return answer(200, &[], body);
    }
    let more =
        format!("<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>");
    listing(&[], &more)
}

/// Markers A, B, A, B; or new ones for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn danger_42_a_listing_that_goes_round_ends_with_an_error_on_every_engine() {
    let round = FaultyStorage::start(|asked| {
        let before = ["pageToken", "continuation-token", "marker", "key-marker"].map(|name| asked.get(name));
        empty_page(asked, if before.contains(&"A") { "B" } else { "A" })
    })
    .await;
    let asked = AtomicUsize::new(0);
    let endless =
        FaultyStorage::start(move |page| empty_page(page, &format!("t{}", asked.fetch_add(1, SeqCst)))).await;
    for (what, faulty) in [("A, B, A, B", round), ("new ones for ever", endless)] {
        let store = faulty.store();
        for bucket in [gcs(), s3(), azure()] {
            let listed = tokio::time::timeout(Duration::from_secs(60), store.list(&bucket, "p/")).await;
            let listed = listed.unwrap_or_else(|_| panic!("{what}, {bucket}: it does not end"));
            assert!(matches!(listed, Err(StoreError::Unreadable { .. })), "{what}, {bucket}: {listed:?}");
        }
        // Versions are listed for an undo.
        let restored = tokio::time::timeout(Duration::from_secs(60), store.restore(&s3(), "k", &pin())).await;
        let restored = restored.unwrap_or_else(|_| panic!("{what}: versions do not end"));
        assert!(matches!(restored, Restored::Failed(_)), "{what}: {restored:?}");
    }
}

/// A body without end is neither kept in memory nor asked for again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn danger_42_a_body_without_end_is_an_error() {
    const CHUNK: usize = 1 << 20;
    for status in [200, 403, 404] {
        let sent = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&sent);
        let faulty = FaultyStorage::start(move |_| {
            let counted = Arc::clone(&counted);
            let chunks = futures::stream::repeat_with(move || {
                counted.fetch_add(1, SeqCst);
                Ok::<_, std::io::Error>(Bytes::from(vec![b' '; CHUNK]))
            });
            Response::builder().status(status).body(Body::from_stream(chunks)).unwrap()
        })
        .await;
        let store = faulty.store();
        let begun = Instant::now();
        for bucket in [gcs(), s3(), azure()] {
            let listed = store.list(&bucket, "p/").await;
            assert!(listed.is_err(), "{status} {bucket}: {listed:?}");
            let deleted = store.delete(&bucket, "k", "\"p\"@1").await;
            assert!(!deleted.is_gone(), "{status} {bucket}: {deleted:?}");
        }
        assert!(store.head(&gcs(), "k").await.is_err(), "{status}");
        let sent = sent.load(SeqCst);
        assert!(sent < 600, "{status}: {sent} MiB");
        assert!(begun.elapsed() < Duration::from_secs(100), "{status}");
    }
}

/// A directory without end, in the order of its keys.
fn endless_directory(asked: &Asked) -> Answer {
    let size = 500;
    if asked.method == "HEAD" {
        return gone();
    }
    if asked.path.starts_with("/storage/v1/") {
        let Some(after) = asked.query.get("startOffset").or(asked.query.get("prefix")) else {
            return match asked.path.ends_with("/o") || asked.path.contains("/o/") {
                true => answer(404, &[], r#"{"error":{"code":404,"message":"No such object"}}"#),
                false => answer(200, &[], r#"{"versioning":{"enabled":true}}"#),
            };
        };
        let items: Vec<Value> = keys_after(after, size).iter().map(|key| item(key)).collect();
        let body = json!({ "kind": "storage#objects", "items": items, "nextPageToken": "more" });
        return answer(200, &[], body.to_string());
    }
    let after = ["continuation-token", "start-after", "prefix"].map(|name| asked.get(name));
    let keys = keys_after(after.into_iter().find(|after| !after.is_empty()).unwrap_or_default(), size);
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let token = format!("<NextContinuationToken>{}</NextContinuationToken>", keys[keys.len() - 1]);
    listing(&keys, &format!("<IsTruncated>true</IsTruncated>{token}"))
}

fn keys_after(after: &str, size: u64) -> Vec<String> {
    let digits: String = after.chars().filter(char::is_ascii_digit).take(12).collect();
    let first: u64 = format!("{digits:0<12}").parse::<u64>().unwrap() + 1;
    (first..first + size).map(|number| format!("leak/dir/{number:012}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn danger_42_a_directory_of_millions_is_given_up_at_the_limit() {
    let faulty = FaultyStorage::start(endless_directory).await;
    let store = faulty.store();
    let places = [Place { key: "leak/dir", reach: Reach::Directory }];
    for (bucket, depth) in [(gcs(), Depth::Whole), (s3(), Depth::Whole), (s3(), Depth::Listed)] {
        let found = store.objects_at(&bucket, &places, depth, 5000).await.remove(0);
        assert!(matches!(found, Err(StoreError::TooMany { most: 5000, .. })), "{bucket}: {found:?}");
    }
}

/// A workflow with a directory, in a file.
fn directory(folder: &std::path::Path) -> String {
    let mut workflow = workflow("leak");
    workflow["status"]["nodes"]["leak"]["outputs"]["artifacts"] = json!([
        { "name": "d", "archive": { "none": {} }, "gcs": { "bucket": "b", "key": "leak/dir" } },
    ]);
    let file = folder.join("workflow.json");
    std::fs::write(&file, workflow.to_string()).unwrap();
    file.display().to_string()
}

#[test]
fn danger_27_and_42_a_plan_of_millions_is_refused_while_they_are_listed() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let faulty = runtime.block_on(FaultyStorage::start(endless_directory));
    let folder = tempfile::tempdir().unwrap();
    let file = directory(folder.path());
    let mut command = plugin(["purge", "-f", &file, "--all", "--repository", "gs://b", "--dry-run"]);
    command.args(["--gcs-endpoint", &faulty.url(), "--max-objects", "3000"]);
    let ran = Ran::of(command).ends_with(5);
    assert!(ran.err.contains("there are more than 3000 objects below it"), "{}", ran.err);
    assert!(ran.err.contains("select less, or allow more with --max-objects"), "{}", ran.err);
    assert!(faulty.asked.lock().unwrap().len() < 200);
}

#[test]
fn every_number_of_requests_a_second_is_handled() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let faulty = runtime.block_on(FaultyStorage::start(|_| answer(403, &[], r#"{"error":{"code":403}}"#)));
    let folder = tempfile::tempdir().unwrap();
    let file = directory(folder.path());
    for (qps, code) in [("1", 0), ("1000000", 0), ("1000000001", 2), ("0", 2), ("-1", 2), ("NaN", 2)] {
        let mut command = plugin(["inspect", "-f", &file, "--check", "--gcs-endpoint", &faulty.url()]);
        command.arg(format!("--qps={qps}"));
        Ran::of(command).ends_with(code);
    }
}

#[test]
fn a_password_in_an_address_is_neither_shown_nor_saved() {
    let folder = tempfile::tempdir().unwrap();
    let secret = "hunter2";
    let mut leak = workflow("leak");
    leak["status"]["nodes"]["leak"]["outputs"]["artifacts"] = json!([
        { "name": "a", "s3": { "endpoint": format!("me:{secret}@minio:9000"), "bucket": "b", "key": "leak/a" } },
        { "name": "b", "s3": { "endpoint": format!("https://me:{secret}@minio"), "bucket": "b", "key": "leak/b" } },
        { "name": "c", "gcs": { "bucket": "b", "key": "leak/c" } },
    ]);
    let file = folder.path().join("workflow.json");
    std::fs::write(&file, leak.to_string()).unwrap();
    let (file, plan) = (file.to_str().unwrap(), folder.path().join("plan.json"));
    let config = folder.path().join("config");
    let server = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{ "name": "c", "cluster": { "server": format!("http://me:{secret}@127.0.0.1:1") } }],
        "users": [{ "name": "u", "user": {} }],
        "contexts": [{ "name": "c", "context": { "cluster": "c", "user": "u" } }],
    });
    std::fs::write(&config, server.to_string()).unwrap();
    let url = format!("http://me:{secret}@127.0.0.1:1");
    let over = format!("minio={url}");
    let saved =
        ["purge", "-f", file, "--all", "--plan-out", plan.to_str().unwrap(), "--repository", "gs://b"];
    let cases: [&[&str]; 9] = [
        &["inspect", "-f", file, "--check", "--endpoint-override", &over],
        &["inspect", "-f", file, "--check", "--gcs-endpoint", &url],
        &["inspect", "-f", file, "-o", "json"],
        &["inspect", "-f", file, "-o", "wide"],
        &["inspect", "-f", file, "-o", "html"],
        &["inspect", "--kubeconfig", config.to_str().unwrap()],
        &["doctor", "-f", file, "--argo-server", &url],
        &["purge", "--kubeconfig", config.to_str().unwrap(), "--all", "--argo-server", &url],
        &saved,
    ];
    for arguments in cases {
        for verbose in [&[][..], &["-v", "9"]] {
            let mut command = plugin(arguments.iter().chain(verbose));
            command.env("AWS_ENDPOINT_URL_S3", &url).env("AWS_REGION", "eu-west-1");
            if arguments.contains(&"--plan-out") {
                command.arg("--store-root").arg(folder.path());
            }
            let ran = Ran::of(command);
            for text in [&ran.out, &ran.err] {
                let line = text.lines().find(|line| line.contains(secret));
                assert!(line.is_none(), "{arguments:?}: {line:?}");
            }
        }
    }
    // What a plan knows its storage by.
    let mut command = plugin(saved);
    let held = FaultyHeld::start();
    command
        .args(["--gcs-endpoint", &held.url])
        .env("AWS_ENDPOINT_URL_S3", &url)
        .env_remove("AWS_ENDPOINT_URL");
    Ran::of(command).ends_with(0);
    let plan = std::fs::read_to_string(&plan).unwrap();
    assert!(plan.contains("AWS at http://127.0.0.1:1") && !plan.contains(secret), "{plan}");
}

/// A GCS with nothing in it.
struct FaultyHeld {
    _runtime: tokio::runtime::Runtime,
    url: String,
}

impl FaultyHeld {
    fn start() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let faulty = runtime.block_on(FaultyStorage::start(|asked| match asked.path.contains("/o/") {
            true => answer(404, &[], r#"{"error":{"code":404,"message":"No such object"}}"#),
            false => answer(200, &[], r#"{"kind":"storage#objects"}"#),
        }));
        Self { url: faulty.url(), _runtime: runtime }
    }
}

/// Before the first delete, not after it: whoever may not list can't verify.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listing_that_is_refused_is_found_out_before_the_first_delete() {
    let faulty = FaultyStorage::start(|asked| match asked.method.as_str() {
        "HEAD" => there("\"e\""),
        _ if asked.path.ends_with("/iam/testPermissions") => answer(404, &[], ""),
        _ => answer(
            403,
            &[("x-ms-error-code", "AuthorizationFailure")],
            "<Error><Code>AccessDenied</Code></Error>",
        ),
    })
    .await;
    let store = faulty.store();
    for bucket in [gcs(), s3(), azure()] {
        let missing = store.missing_permissions(&bucket, "a/b.tgz", false).await.unwrap();
        assert!(missing.concat().contains("permission to list objects"), "{bucket}: {missing:?}");
    }
    // Rights may be limited to a prefix.
    let asked = faulty.asked.lock().unwrap();
    assert!(asked.iter().filter(|asked| asked.has("prefix")).all(|asked| asked.get("prefix") == "a/b.tgz"));
}

/// A version or a delete marker in a listing of S3.
fn version(kind: &str, id: &str, tag: &str, time: &str, latest: bool) -> String {
    format!(
        "<{kind}><Key>k</Key><VersionId>{id}</VersionId><IsLatest>{latest}</IsLatest>\
         <LastModified>{time}</LastModified><ETag>\"{tag}\"</ETag><Size>1</Size></{kind}>"
    )
}

fn versions(entries: &[String]) -> Answer {
    let entries = entries.concat();
    let body = format!(
        "<ListVersionsResult><Name>b</Name><IsTruncated>false</IsTruncated>{entries}</ListVersionsResult>"
    );
    answer(200, &[], body)
}

/// What an S3 server says to an undo of `k`, whose delete marker has this ID.
async fn undo_s3(
    entries: Vec<String>,
    delete: u16,
    head: impl Fn(usize) -> Answer + Send + Sync + 'static,
) -> (Restored, usize) {
    let deletes = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&deletes);
    let faulty = FaultyStorage::start(move |asked| match asked.method.as_str() {
        "DELETE" => {
            counted.fetch_add(1, SeqCst);
            answer(delete, &[], "")
        }
        "GET" if asked.has("versions") => versions(&entries),
        "GET" => listing(&[], END),
        _ => head(counted.load(SeqCst)),
    })
    .await;
    let restored = faulty.store().restore(&s3(), "k", &pin()).await;
    (restored, deletes.load(SeqCst))
}

const THEN: &str = "2026-11-02T00:00:00Z";
const LATER: &str = "2026-11-03T00:00:00Z";

fn hidden_by(marker: &str) -> Vec<String> {
    vec![version("DeleteMarker", marker, "", LATER, true), version("Version", "1", "e", THEN, false)]
}

fn back(deletes: usize) -> Answer {
    if deletes > 0 { there("\"e\"") } else { gone() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn danger_41_a_marker_that_is_a_newer_object_by_now_is_not_removed() {
    for marker in ["null", "m"] {
        assert_eq!(undo_s3(hidden_by(marker), 204, back).await, (Restored::Restored, 1), "{marker}");
    }
    // Somebody wrote after the versions were listed: with suspended versioning that is the version `null`.
    let (restored, deletes) = undo_s3(hidden_by("null"), 204, |_| there("\"new\"")).await;
    assert_eq!((restored, deletes), (Restored::Taken, 0));
    // The answer was lost, and nobody knows what `null` is by now.
    let (restored, deletes) = undo_s3(hidden_by("null"), 500, |_| gone()).await;
    assert!(matches!(restored, Restored::Failed(_)), "{restored:?}");
    assert_eq!(deletes, 1);
    // Whoever came between is not called the one that was deleted.
    let newer = |deletes| if deletes > 0 { there("\"new\"") } else { gone() };
    assert_eq!(undo_s3(hidden_by("m"), 204, newer).await.0, Restored::Taken);
    // Without an ID a delete of the marker would be a delete of what is live.
    let (restored, deletes) = undo_s3(hidden_by(""), 204, |_| gone()).await;
    assert!(matches!(restored, Restored::Failed(_)) && deletes == 0, "{restored:?}");
}

/// "Gone for good" was said of what the bucket still held.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn danger_20_a_copy_that_the_bucket_shows_is_not_called_lost() {
    // VersityGW shows as the time of a version that at which it was superseded.
    let superseded =
        vec![version("DeleteMarker", "m", "", LATER, true), version("Version", "1", "e", LATER, false)];
    assert_eq!(undo_s3(superseded, 204, back).await, (Restored::Restored, 1));
    // Below a version that came after it, and was deleted too.
    let below = vec![
        version("DeleteMarker", "m", "", LATER, true),
        version("Version", "2", "other", LATER, false),
        version("Version", "1", "e", THEN, false),
    ];
    let (restored, deletes) = undo_s3(below, 204, |_| gone()).await;
    let Restored::Failed(why) = restored else { panic!("{restored:?}") };
    assert!(why.contains("kept as version 1") && deletes == 0, "{why}");
    let other =
        vec![version("DeleteMarker", "m", "", LATER, true), version("Version", "2", "other", THEN, false)];
    assert_eq!(undo_s3(other, 204, |_| gone()).await, (Restored::Lost, 0));
    // A proxy's "not found" is no bucket's word.
    let faulty = FaultyStorage::start(|_| answer(404, &[("content-type", "text/html")], "<p>no</p>")).await;
    for bucket in [gcs(), azure(), s3()] {
        let restored = faulty.store().restore(&bucket, "k", &pin()).await;
        assert!(matches!(restored, Restored::Failed(_)), "{bucket}: {restored:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn danger_41_azure_brings_back_only_what_was_deleted() {
    let undo = async |kept: &'static str, now: &'static str| {
        let done = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&done);
        let faulty = FaultyStorage::start(move |asked| match asked.method.as_str() {
            "PUT" => {
                counted.fetch_add(1, SeqCst);
                answer(200, &[], "")
            }
            "HEAD" if counted.load(SeqCst) > 0 => there(now),
            "HEAD" => gone(),
            _ if kept.is_empty() => {
                answer(200, &[], "<EnumerationResults><Blobs/><NextMarker/></EnumerationResults>")
            }
            _ => answer(
                200,
                &[],
                format!(
                    "<EnumerationResults><Blobs><Blob><Name>k</Name><Deleted>true</Deleted><Properties>\
                     <Last-Modified>{DATE}</Last-Modified><Etag>{kept}</Etag><Content-Length>7</Content-Length>\
                     </Properties></Blob></Blobs><NextMarker/></EnumerationResults>"
                ),
            ),
        })
        .await;
        let restored = faulty.store().restore(&azure(), "k", "\"0x1\"").await;
        (restored, done.load(SeqCst))
    };
    assert_eq!(undo("0x1", "\"0x1\"").await, (Restored::Restored, 1));
    // Another blob of this name was written and deleted since.
    let (restored, done) = undo("0x2", "\"0x2\"").await;
    let Restored::Failed(why) = restored else { panic!("{restored:?}") };
    assert!(why.contains("a newer blob of this name was deleted since") && done == 0, "{why}");
    // Somebody wrote a blob just before.
    assert_eq!(undo("0x1", "\"0x3\"").await, (Restored::Taken, 1));
    let (restored, done) = undo("", "").await;
    assert!(
        matches!(&restored, Restored::Failed(why) if why.contains("shows no deleted blob")),
        "{restored:?}"
    );
    assert_eq!(done, 0);
}

/// The first answer is lost after the restore: what is there then is the object itself, and no newer one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_whose_answer_was_lost_is_not_called_taken() {
    let sent = AtomicUsize::new(0);
    let faulty = FaultyStorage::start(move |_| match sent.fetch_add(1, SeqCst) {
        0 => answer(503, &[], ""),
        _ => answer(412, &[], r#"{"error":{"code":412}}"#),
    })
    .await;
    let restored = faulty.store().restore(&gcs(), "k", "1").await;
    assert!(matches!(&restored, Restored::Failed(why) if why.contains("not certain")), "{restored:?}");
}

/// The artifact's record in a workflow.
fn recorded(live: &Live, name: &str, at: usize) -> Value {
    live.get(name)["status"]["nodes"][format!("{name}-1")]["outputs"]["artifacts"][at]["deleted"].clone()
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn what_undo_brings_back_is_not_recorded_as_deleted_and_can_be_purged_again_on_apiserver_and_fake_gcs() {
    let live = Live::start("odd-undo");
    live.gcs.bucket_with(live.namespace, soft_delete_for_a_week());
    let keys = ["train/a.tgz", "train/b.tgz"];
    live.server.apply(live.workflow("train", &keys));
    keys.iter().for_each(|key| live.put(key));
    let journal = live.file("journal.jsonl");
    live.purge(&["train", "--yes", "--journal", &journal]).ends_with(0);
    assert_eq!([recorded(&live, "train", 0), recorded(&live, "train", 1)], [json!(true), json!(true)]);
    live.gcs.put(live.namespace, keys[1], "newer");
    // Another cluster, or none, is refused before anything comes back.
    let mut elsewhere = live.command("undo", &[&journal, "--context", "nowhere"]);
    elsewhere.env("KUBECONFIG", "/nonexistent");
    let ran = Ran::of(elsewhere).ends_with(1);
    assert!(ran.err.contains("--no-record restores the objects"), "{}", ran.err);
    assert_eq!(live.gcs.keys(live.namespace), [keys[1]]);

    let ran = Ran::of(live.command("undo", &[&journal])).ends_with(4);
    assert!(ran.out.contains("Brought back 1 of 2 objects"), "{}", ran.out);
    assert!(ran.out.contains("1 artifact is no longer recorded as deleted"), "{}{}", ran.out, ran.err);
    let taken = format!("Warning: gs://odd-undo/{}: a newer object has its name", keys[1]);
    assert!(ran.err.contains(&taken), "{}", ran.err);
    assert_eq!([recorded(&live, "train", 0), recorded(&live, "train", 1)], [Value::Null, json!(true)]);
    let plan = live.purge(&["train", "--dry-run", "-o", "json", "--margin", "72h"]).ends_with(0).json();
    assert_eq!(deletes(&plan), [keys[0]], "{plan}");

    // Without the cluster the record stays, and a second undo takes it back.
    live.purge(&["train", "--yes", "--margin", "72h", "--journal", &live.file("second.jsonl")]).ends_with(0);
    assert_eq!(recorded(&live, "train", 0), json!(true));
    let second = live.file("second.jsonl");
    Ran::of(live.command("undo", &[&second, "--no-record"])).ends_with(0);
    assert_eq!(recorded(&live, "train", 0), json!(true));
    let ran = Ran::of(live.command("undo", &[&second])).ends_with(0);
    assert!(ran.out.contains("Brought back 0 of 0") && ran.out.contains("1 artifact is"), "{}", ran.out);
    assert_eq!(recorded(&live, "train", 0), Value::Null);
}

#[test]
fn undo_lists_journals_and_names_what_is_lost() {
    let mut folder = Folder::new();
    let purged = crate::support::purge::workflow("ml", "train", &["train/a.tgz", "train/b.tgz"]);
    folder.add(purged);
    ["train/a.tgz", "train/b.tgz"].iter().for_each(|key| folder.put(key));
    let state = tempfile::tempdir().unwrap();
    let undo = |arguments: &[&str]| {
        let mut command = plugin(["undo"].iter().chain(arguments));
        command.env("XDG_STATE_HOME", state.path());
        Ran::of(command)
    };
    let ran = undo(&["--list"]).ends_with(0);
    assert!(ran.out.is_empty() && ran.err.contains("No journals in "), "{ran:#?}");
    let mut purge = folder.command("purge", &["--all", "--yes", "--repository", "gs://ml-artifacts"]);
    purge.env("XDG_STATE_HOME", state.path());
    Ran::of(purge).ends_with(0);
    let journals = state.path().join("argo-gc");
    let ended = std::fs::read_dir(&journals).unwrap().next().unwrap().unwrap().path();
    let text = std::fs::read_to_string(&ended).unwrap();
    let killed: Vec<&str> = text.lines().filter(|line| !line.contains(r#""line":"end""#)).collect();
    std::fs::write(journals.join("purge-killed.jsonl"), killed.join("\n")).unwrap();
    std::fs::write(journals.join("other.jsonl"), "no journal").unwrap();

    let ran = undo(&["--list"]).ends_with(0);
    let rows: Vec<Vec<&str>> = ran.out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["STARTED", "CLUSTER", "PLAN", "OBJECTS", "DELETED", "MARKED", "STATE", "JOURNAL"]);
    let states: Vec<&[&str]> = rows[1..].iter().map(|row| &row[3..7]).collect();
    assert_eq!(states, [["2", "2", "0", "ended"], ["2", "2", "0", "interrupted"]], "{}", ran.out);
    assert!(ran.err.contains("other.jsonl"), "{}", ran.err);
    let document = undo(&["--list", "-o", "json"]).ends_with(0).json();
    keeps_to("journal-list.v1.json", &document);
    assert_eq!(document["journals"][0]["journal"], json!(ended), "{document}");
    undo(&["--list", "x.jsonl"]).ends_with(2);
    undo(&["-o", "json"]).ends_with(2);
    let bare = undo(&[]).ends_with(2);
    assert!(bare.err.contains("hint: kubectl argo-gc undo --list lists the journals"), "{}", bare.err);

    let root = folder.bucket("x").parent().unwrap().display().to_string();
    let ran = undo(&[ended.to_str().unwrap(), "--store-root", &root]).ends_with(4);
    assert!(ran.out.contains("2 did not come back: the bucket shows no copy of them"), "{}", ran.out);
    for key in ["train/a.tgz", "train/b.tgz"] {
        let line = format!("Warning: gs://ml-artifacts/{key}: the bucket shows no copy of it");
        assert!(ran.err.contains(&line), "{}", ran.err);
    }
    let bucket: Bucket = "gs://ml-artifacts".parse().unwrap();
    assert!(!ran.err.contains(&bucket.uri("train/c.tgz")));
}

/// A blob of a listing of Azure's, with what else it has.
fn blob(name: &str, more: &str) -> String {
    format!(
        "<Blob><Name>{name}</Name>{more}<Properties><Last-Modified>{DATE}</Last-Modified><Etag>0x1</Etag>\
         <Content-Length>1</Content-Length>HOLDS</Properties></Blob>"
    )
}

/// A container with ten blobs of which three are held. It refuses an `include` that it does not know.
fn container(request: &Asked, takes: &str, versions: &'static str) -> Answer {
    let include = request.get("include");
    if request.get("comp") == "properties" {
        return answer(200, &[], "<StorageServiceProperties/>");
    }
    if request.method == "HEAD" {
        return there("\"0x1\"");
    }
    if request.get("comp") != "list" {
        return answer(200, &[], "");
    }
    if !include.split(',').all(|one| one.is_empty() || takes.contains(one)) {
        return answer(400, &[("x-ms-error-code", "UnsupportedQueryParameter")], "");
    }
    let is_live = include.is_empty() || include.contains("legalhold");
    let more = if include == "versions" { versions } else { "" };
    let holds = [
        (1, "<LegalHold>true</LegalHold>"),
        (2, "<ImmutabilityPolicyUntilDate>Fri, 01 Jan 2100 00:00:00 GMT</ImmutabilityPolicyUntilDate>"),
        (3, "<LeaseState>leased</LeaseState>"),
    ];
    let blobs: String = (0..10)
        .map(|at| {
            let hold = holds.iter().find(|(of, _)| *of == at).map_or("", |(_, hold)| hold);
            let shown = include.contains("legalhold") || at == 3;
            blob(&format!("a/{at}"), more).replace("HOLDS", if shown { hold } else { "" })
        })
        .collect();
    // Never asked for, and still shown: what was deleted is not live.
    let deleted =
        if is_live { blob("a/9x", "<Deleted>true</Deleted>").replace("HOLDS", "") } else { String::new() };
    answer(
        200,
        &[],
        format!("<EnumerationResults><Blobs>{blobs}{deleted}</Blobs><NextMarker/></EnumerationResults>"),
    )
}

const HOLDS: &str = "immutabilitypolicy,legalhold,versions";

/// Azure's listings tell holds, retentions and leases, so nothing is asked for blob by blob while planning.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_azure_holds_are_read_from_the_listing() {
    let faulty = FaultyStorage::start(|request| container(request, HOLDS, "")).await;
    let names: Vec<String> = (0..10).map(|at| format!("a/{at}")).collect();
    let places: Vec<Place> = names.iter().map(|key| Place { key, reach: Reach::Key }).collect();
    let found = faulty.own_store().objects_at(&azure(), &places, Depth::Whole, MANY).await;
    let held: Vec<String> =
        found.into_iter().map(|found| found.unwrap()[0].held.clone().unwrap_or_default()).collect();
    assert_eq!(held[..4], ["", "legal hold", "retained until Fri, 01 Jan 2100 00:00:00 GMT", "lease"]);
    assert!(held[4..].iter().all(String::is_empty), "{held:?}");
    let methods: Vec<String> =
        faulty.asked.lock().unwrap().iter().map(|asked| asked.method.clone()).collect();
    assert_eq!(methods, ["GET", "GET"], "whether listings tell it, and the listing");
    assert_eq!(
        faulty.own_store().list(&azure(), "a/").await.unwrap().len(),
        10,
        "a deleted blob is not live"
    );
}

/// An account that refuses to tell holds in a listing is asked blob by blob, as each is the only place that has them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_azure_where_a_listing_does_not_tell_holds_each_blob_is_asked_for() {
    let faulty = FaultyStorage::start(|request| container(request, "", "")).await;
    let names: Vec<String> = (0..10).map(|at| format!("a/{at}")).collect();
    let places: Vec<Place> = names.iter().map(|key| Place { key, reach: Reach::Key }).collect();
    let store = faulty.own_store();
    let found = store.objects_at(&azure(), &places, Depth::Whole, MANY).await;
    assert!(found.iter().all(Result::is_ok), "{found:?}");
    let looks = faulty.asked.lock().unwrap().iter().filter(|asked| asked.method == "HEAD").count();
    assert_eq!(looks, 10);
    // What such an account lists is listed without.
    assert_eq!(store.list(&azure(), "a/").await.unwrap().len(), 10);
}

/// A blob that stays as a version is neither gone nor brought back by an undelete, and that is said before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_azure_a_container_whose_blobs_have_versions_is_told() {
    const VERSION: &str =
        "<VersionId>2026-11-02T00:00:00.0000000Z</VersionId><IsCurrentVersion>true</IsCurrentVersion>";
    for (versions, takes, said) in [
        (VERSION, HOLDS, "its blobs have versions"),
        ("", HOLDS, "its blobs show no versions"),
        (VERSION, "", "its blobs show no versions"),
    ] {
        let faulty = FaultyStorage::start(move |request| container(request, takes, versions)).await;
        let facts = faulty.own_store().bucket(&azure()).await.unwrap();
        assert!(facts.unread.as_deref().unwrap_or_default().contains(said), "{facts:?}");
        assert!(!facts.has_undo(), "{facts:?}");
    }
}
