//! Storages that answer wrongly, and whoever stands before them: nothing that is there may count as gone.

use crate::support::faulty_storage::{Answer, Asked, END, FaultyStorage, answer, azure, gcs, listing, s3};
use argo_gc_store::types::{Outcome, Restored};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const LAST_MODIFIED: &str = "Mon, 02 Nov 2026 00:00:00 GMT";
/// What somebody before the storage says: well-formed, and nothing of its.
const PAGE: &str = "<html><head><title>Sign in</title></head><body><p>Welcome</p></body></html>";

fn keys(
    listed: Result<Vec<argo_gc_core::model::object::ObjectFacts>, argo_gc_store::types::StoreError>,
) -> Result<Vec<String>, String> {
    listed
        .map(|objects| objects.into_iter().map(|object| object.key).collect())
        .map_err(|error| error.to_string())
}

/// An object as GCS lists it.
fn item(name: &str) -> serde_json::Value {
    serde_json::json!({ "name": name, "generation": "1", "size": "1", "timeCreated": "2026-11-02T00:00:00Z" })
}

/// A sign-in page or a proxy's "not found" is no storage's word that nothing is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_before_the_storage_says_makes_nothing_gone() {
    for status in [200, 404] {
        let faulty =
            FaultyStorage::start(move |_| answer(status, &[("content-type", "text/html")], PAGE)).await;
        let store = faulty.store();
        for bucket in [gcs(), s3(), azure()] {
            let head = store.head(&bucket, "k").await;
            assert!(head.is_err(), "{status} {bucket}: {head:?}");
            let listed = store.list(&bucket, "p/").await;
            assert!(listed.is_err(), "{status} {bucket}: {listed:?}");
            let deleted = store.delete(&bucket, "k", "p@1").await;
            // That it was deleted is looked at afterwards; that it was gone is not.
            assert_ne!(deleted, Outcome::Gone, "{status} {bucket}");
        }
    }
}

/// Nor is any JSON that has no objects in it an empty listing, nor a copy made that is only begun.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_listing_is_not_an_empty_one() {
    for body in ["{}", r#"{"status":"ok"}"#, r#"{"error":{"code":404}}"#] {
        let faulty = FaultyStorage::start(move |_| answer(200, &[], body)).await;
        let listed = faulty.store().list(&gcs(), "p/").await;
        assert!(listed.is_err(), "{body}: {listed:?}");
    }
    let faulty = FaultyStorage::start(|asked| match asked.path.contains("/rewriteTo/") {
        true => answer(200, &[], r#"{"kind":"storage#rewriteResponse","done":false,"rewriteToken":"t"}"#),
        false => answer(400, &[], r#"{"error":{"code":400}}"#),
    })
    .await;
    let restored = faulty.store().restore(&gcs(), "k", "1").await;
    assert!(matches!(restored, Restored::Failed(_)), "{restored:?}");
}

/// A gateway loses its storage in the middle of a purge: its "not found" has no body to HEAD.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_loses_its_storage_later_makes_nothing_gone() {
    let faulty = FaultyStorage::start(|asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("HEAD", "/b/there") => {
            answer(200, &[("etag", "\"e\""), ("last-modified", LAST_MODIFIED), ("content-length", "0")], "")
        }
        ("GET", _) => listing(if "lost".starts_with(asked.get("prefix")) { &["lost"] } else { &[] }, END),
        _ => answer(404, &[], PAGE),
    })
    .await;
    let store = faulty.store();
    let lost = store.head(&s3(), "lost").await;
    assert!(lost.is_err(), "{lost:?}");
    assert_eq!(store.head(&s3(), "gone").await.unwrap(), None);
    // Shown just before, a delete says it isn't there: something is wrong.
    let pin = store.head(&s3(), "there").await.unwrap().unwrap().generation;
    let outcome = store.delete(&s3(), "there", &pin).await;
    assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
}

/// Dots in a key would name another object in a URL; a bucket of dots another bucket.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_with_dots_is_never_another_object() {
    let faulty = FaultyStorage::start(|_| {
        answer(404, &[("x-amz-request-id", "1"), ("x-ms-error-code", "BlobNotFound")], "")
    })
    .await;
    let store = faulty.store();
    for bucket in [s3(), azure()] {
        for key in ["a/../other", "a/./b", "..", ".", "a/..", ""] {
            let head = store.head(&bucket, key).await;
            assert!(head.is_err(), "{bucket} {key:?}: {head:?}");
            let outcome = store.delete(&bucket, key, "p@1").await;
            assert!(matches!(outcome, Outcome::Failed(_)), "{bucket} {key:?}: {outcome:?}");
            let restored = store.restore(&bucket, key, "p@1").await;
            assert!(matches!(restored, Restored::Failed(_)), "{bucket} {key:?}: {restored:?}");
        }
    }
    for key in ["..", ".", ""] {
        assert!(store.head(&gcs(), key).await.is_err());
        assert!(matches!(store.delete(&gcs(), key, "1").await, Outcome::Failed(_)));
    }
    assert_eq!(faulty.asked.lock().unwrap().len(), 0);
}

/// What is odd in a key arrives as it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_keys_are_sent_as_they_are() {
    let faulty = FaultyStorage::start(|asked| match asked.method.as_str() {
        "DELETE" => answer(204, &[], ""),
        "HEAD" => {
            answer(200, &[("etag", "\"e\""), ("last-modified", LAST_MODIFIED), ("content-length", "0")], "")
        }
        _ => listing(&[], END),
    })
    .await;
    let store = faulty.store();
    let odd = [
        "a//b",
        "a/ ",
        " a",
        "a\\..\\b",
        "%2e%2e/b",
        "a/%2e%2e/b",
        "a?x#y",
        "a\tb\n",
        "a/...",
        "ü/😀",
        "a;b=c&d",
    ];
    for key in odd {
        let pin = store.head(&s3(), key).await.unwrap().unwrap().generation;
        assert_eq!(store.delete(&s3(), key, &pin).await, Outcome::Deleted, "{key:?}");
        let paths: BTreeSet<String> =
            faulty.asked.lock().unwrap().drain(..).map(|asked| asked.path).collect();
        let sent: Vec<String> = paths
            .iter()
            .map(|path| {
                let path = path
                    .strip_prefix("/b/")
                    .unwrap()
                    .replace('+', "%2B")
                    .replace('&', "%26")
                    .replace('=', "%3D");
                form_urlencoded::parse(path.as_bytes()).next().unwrap().0.into_owned()
            })
            .collect();
        assert_eq!(sent, [key]);
    }
}

/// An empty page that is not the last is followed by its token.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_page_is_not_the_end() {
    let faulty = FaultyStorage::start(move |asked| {
        match (asked.path.contains("/storage/v1/"), asked.get("pageToken")) {
            (true, "") if asked.get("startOffset") < "p/z" => {
                answer(200, &[], r#"{"kind":"storage#objects","nextPageToken":"one"}"#)
            }
            (true, "one") => {
                answer(200, &[], r#"{"kind":"storage#objects","items":[],"nextPageToken":"two"}"#)
            }
            (true, _) => answer(
                200,
                &[],
                serde_json::json!({ "kind": "storage#objects", "items": [item("p/z")] }).to_string(),
            ),
            (false, _) if asked.has("continuation-token") => listing(&["p/z"], END),
            (false, _) => listing(
                &[],
                "<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>",
            ),
        }
    })
    .await;
    let store = faulty.store();
    for bucket in [gcs(), s3()] {
        assert_eq!(keys(store.list(&bucket, "p/").await).unwrap(), ["p/z"], "{bucket}");
    }
}

/// A listing that is cut short, turns in circles, or has what was not asked for is no listing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listing_that_lies_is_an_error_and_ends() {
    type Lie = fn(&Asked) -> Answer;
    let lies: [(&str, Lie); 6] = [
        ("more, and no way there", |_| listing(&[], "<IsTruncated>true</IsTruncated>")),
        ("the same token again", |_| {
            listing(&[], "<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>")
        }),
        ("no start-after", |_| {
            listing(
                &["p/a", "p/b"],
                "<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>",
            )
        }),
        ("twice", |_| listing(&["p/a", "p/a"], END)),
        ("no prefix", |_| listing(&["o"], END)),
        ("no prefix, and within a character", |_| listing(&["pé"], END)),
    ];
    for (what, lie) in lies {
        let faulty = FaultyStorage::start(lie).await;
        let store = faulty.store();
        let (bucket, prefix) = (s3(), "p/");
        let listing = tokio::time::timeout(Duration::from_secs(120), store.list(&bucket, prefix));
        let listed = listing.await.unwrap_or_else(|_| panic!("{what}: it doesn't end"));
        assert!(listed.is_err(), "{what}: {listed:?}");
    }
    let again = "<EnumerationResults><Blobs/><NextMarker>again</NextMarker></EnumerationResults>";
    let faulty = FaultyStorage::start(move |_| answer(200, &[], again)).await;
    let store = faulty.store();
    let listed = tokio::time::timeout(Duration::from_secs(120), store.list(&azure(), "p/")).await;
    assert!(listed.expect("it ends").is_err());
}

/// VersityGW and s3s list what is below `p/a/` before `p/a-b`, as they walk: nothing is missed, and nothing counts twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn danger_35_a_listing_in_a_servers_own_order_is_read_to_its_end_by_its_tokens() {
    const PAGES: [&[&str]; 3] = [&["p/a", "p/a/x"], &["p/a/y", "p/a-b"], &["p/a.b/z", "p/b"]];
    let faulty = FaultyStorage::start(|asked| {
        // A leap would miss what stands behind in this order.
        assert!(!asked.has("start-after"));
        let at: usize = asked.get("continuation-token").parse().unwrap_or_default();
        match at {
            2 => listing(PAGES[2], END),
            at => {
                let token = format!("<NextContinuationToken>{}</NextContinuationToken>", at + 1);
                listing(PAGES[at], &format!("<IsTruncated>true</IsTruncated>{token}"))
            }
        }
    })
    .await;
    let listed = keys(faulty.store().list(&s3(), "p/").await).unwrap();
    assert_eq!(listed, ["p/a", "p/a-b", "p/a.b/z", "p/a/x", "p/a/y", "p/b"]);
    // In no order at all nothing may count twice either.
    let faulty = FaultyStorage::start(|_| listing(&["p/b", "p/a", "p/c", "p/b"], END)).await;
    let listed = keys(faulty.store().list(&s3(), "p/").await);
    assert!(listed.unwrap_err().contains("it lists a key twice"));
}

/// Several listers of half the rest each find what one would, on a server that counts the key asked for in, or not.
#[test]
fn a_shared_listing_is_the_sequential_one() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let held: Arc<Mutex<(BTreeSet<String>, usize, bool)>> = Arc::default();
    let shown = Arc::clone(&held);
    let faulty = runtime.block_on(FaultyStorage::start(move |asked| {
        let held = shown.lock().unwrap();
        let (keys, size, inclusive) = &*held;
        let (prefix, after) = (asked.get("prefix"), asked.get("startOffset"));
        let rest: Vec<&str> = keys
            .iter()
            .map(String::as_str)
            .filter(|key| key.starts_with(prefix) && (*key > after || *inclusive && *key == after))
            .collect();
        // One that begins with the key asked for must hold another one.
        let page = &rest[..rest.len().min(size.max(&2).to_owned())];
        let more = page.len() < rest.len();
        let items: Vec<_> = page.iter().map(|key| item(key)).collect();
        let mut body = serde_json::json!({ "kind": "storage#objects", "items": items });
        if more {
            body["nextPageToken"] = "no".into();
        }
        answer(200, &[], body.to_string())
    }));
    let store = faulty.store();
    let key = prop_oneof!["[ab/]{1,5}", "[a-zé😀\u{e000}/._-]{1,4}", "a/[0-9]{1,6}"];
    let strategy = (proptest::collection::btree_set(key, 0..120), 2..9_usize, any::<bool>());
    let config = ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() };
    proptest::test_runner::TestRunner::new(config)
        .run(&strategy, |(written, size, inclusive)| {
            *held.lock().unwrap() = (written.clone(), size, inclusive);
            for prefix in ["", "a", "a/"] {
                let expected: Vec<&String> = written.iter().filter(|key| key.starts_with(prefix)).collect();
                let listed = runtime.block_on(store.list(&gcs(), prefix)).unwrap();
                let listed: Vec<&String> = listed.iter().map(|object| &object.key).collect();
                prop_assert_eq!(listed, expected);
            }
            Ok(())
        })
        .unwrap();
}

/// Below a delete marker may lie another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_below_two_delete_markers_is_not_called_back() {
    let version = |kind: &str, id: &str, latest: bool| {
        format!(
            "<{kind}><Key>k</Key><VersionId>{id}</VersionId><IsLatest>{latest}</IsLatest>\
             <LastModified>2026-11-02T00:00:00Z</LastModified><ETag>\"e\"</ETag><Size>1</Size></{kind}>"
        )
    };
    // As AWS writes them: in the order of time, whatever they are.
    let body = format!(
        "<ListVersionsResult><Name>b</Name><IsTruncated>false</IsTruncated>{}{}{}{}</ListVersionsResult>",
        version("DeleteMarker", "3", true),
        version("DeleteMarker", "2", false),
        version("Version", "1", false),
        version("DeleteMarker", "0", false),
    );
    let faulty = FaultyStorage::start(move |asked| match asked.method.as_str() {
        "DELETE" => answer(204, &[], ""),
        "GET" if asked.has("versions") => answer(200, &[], body.clone()),
        "GET" => listing(&[], END),
        _ => answer(404, &[("x-amz-request-id", "1"), ("x-amz-delete-marker", "true")], ""),
    })
    .await;
    let written: jiff::Timestamp = "2026-11-02T00:00:00Z".parse().unwrap();
    let restored = faulty.store().restore(&s3(), "k", &format!("e@{}", written.as_second())).await;
    assert!(matches!(restored, Restored::Failed(_)), "{restored:?}");
    assert_eq!(faulty.deletes(), 1);
}

/// Whatever is logged, and however loudly: no signature, key or token; and an account's signature is its own.
#[test]
fn nothing_secret_is_shown_to_anybody() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let faulty = runtime
        .block_on(FaultyStorage::start(|_| answer(403, &[("x-ms-error-code", "AuthenticationFailed")], "")));
    let folder = tempfile::tempdir().unwrap();
    let secrets = ["c2VjcmV0LXNpZw", "aws-secret-not-to-be-shown", "session-not-to-be-shown"];
    let inspect = |endpoint: &str, account: Option<&str>, arguments: &[&str]| {
        let mut workflow = crate::support::workflow("leak");
        let artifacts = &mut workflow["status"]["nodes"]["leak"]["outputs"]["artifacts"];
        *artifacts = serde_json::json!([
            { "name": "a", "azure": { "endpoint": endpoint, "container": "c", "blob": "leak/a.tgz" } },
            { "name": "s", "s3": { "endpoint": "minio", "bucket": "b", "key": "leak/s.tgz" } },
        ]);
        let file = folder.path().join("workflow.json");
        std::fs::write(&file, workflow.to_string()).unwrap();
        let mut command =
            crate::support::plugin(["inspect", "-f", file.to_str().unwrap(), "--check", "-o", "json"]);
        for host in ["minio", "ml.blob.core.windows.net", "evil.blob.core.windows.net"] {
            command.args(["--endpoint-override", &format!("{host}={}", faulty.url())]);
        }
        command
            .args(arguments)
            .env("RUST_LOG", "trace")
            .env("AZURE_STORAGE_SAS_TOKEN", format!("sv=2021&sp=r&sig={}", secrets[0]))
            .env("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", secrets[1])
            .env("AWS_SESSION_TOKEN", secrets[2])
            .env("AWS_REGION", "us-east-1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env_remove("AZURE_STORAGE_ACCOUNT_NAME")
            .env_remove("AZURE_STORAGE_ACCOUNT");
        if let Some(account) = account {
            command.env("AZURE_STORAGE_ACCOUNT_NAME", account);
        }
        let ran = crate::support::Ran::of(command);
        for secret in secrets {
            for text in [&ran.out, &ran.err] {
                let line = text.lines().find(|line| line.contains(secret));
                assert!(line.is_none(), "{endpoint} {arguments:?}: {line:?}");
            }
        }
        let asked: Vec<Asked> = faulty.asked.lock().unwrap().drain(..).collect();
        (ran, asked.into_iter().filter(|asked| asked.has("sig")).count())
    };
    let own = "https://ml.blob.core.windows.net";
    for arguments in [&[][..], &["-v", "9"]] {
        let (ran, signed) = inspect(own, Some("ml"), arguments);
        assert!(signed > 0, "{ran:#?}");
        for (endpoint, account) in [
            (own, None),
            ("https://evil.blob.core.windows.net/ml", Some("ml")),
            ("https://evil.blob.core.windows.net", Some("ml")),
        ] {
            let (ran, signed) = inspect(endpoint, account, arguments);
            assert_eq!(signed, 0, "{endpoint} {account:?}: {ran:#?}");
        }
        // A signature may stand in the workflow itself.
        inspect(&format!("{own}?sig={}", secrets[0]), Some("ml"), arguments);
    }
}

/// Through a proxy this machine's own address is that of another.
#[test]
fn what_is_on_this_machine_is_not_looked_for_behind_a_proxy() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let start = || runtime.block_on(FaultyStorage::start(|_| answer(403, &[], "")));
    let (storage, proxy) = (start(), start());
    let folder = tempfile::tempdir().unwrap();
    let mut workflow = crate::support::workflow("near");
    workflow["status"]["nodes"]["near"]["outputs"]["artifacts"] = serde_json::json!([{ "name": "s", "s3": { "endpoint": "minio", "bucket": "b", "key": "near/s.tgz" } }]);
    let file = folder.path().join("workflow.json");
    std::fs::write(&file, workflow.to_string()).unwrap();
    let asked = |url: &str| {
        let mut command = crate::support::plugin(["inspect", "-f", file.to_str().unwrap(), "--check"]);
        command
            .args(["--endpoint-override", &format!("minio={url}")])
            .env("HTTP_PROXY", proxy.url())
            .env("http_proxy", proxy.url())
            .env("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_REGION", "eu-west-1");
        crate::support::Ran::of(command).ends_with(0);
        [&storage, &proxy].map(|faulty| faulty.asked.lock().unwrap().drain(..).count() > 0)
    };
    assert_eq!(asked(&storage.url()), [true, false]);
    assert_eq!(asked(&storage.url().replace("127.0.0.1", "localhost")), [true, false]);
    assert_eq!(asked("http://elsewhere.invalid"), [false, true]);
}

/// The endpoint of S3 goes before that of all of AWS, as with every SDK; another server would know of nothing.
#[test]
fn the_endpoint_that_is_named_for_s3_is_the_one_asked() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let start = || runtime.block_on(FaultyStorage::start(|_| answer(403, &[], "")));
    let (of_s3, of_all) = (start(), start());
    let folder = tempfile::tempdir().unwrap();
    let mut workflow = crate::support::workflow("leak");
    workflow["status"]["nodes"]["leak"]["outputs"]["artifacts"] = serde_json::json!([
        { "name": "s", "s3": { "endpoint": "s3.eu-west-1.amazonaws.com", "bucket": "b", "key": "leak/s.tgz" } },
    ]);
    let file = folder.path().join("workflow.json");
    std::fs::write(&file, workflow.to_string()).unwrap();
    let asked = |variables: &[(&str, &str)], over: &[&str]| {
        let mut command = crate::support::plugin(["inspect", "-f", file.to_str().unwrap(), "--check"]);
        command
            .args(over)
            .envs(variables.iter().copied())
            .env("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_REGION", "eu-west-1")
            .env("AWS_EC2_METADATA_DISABLED", "true");
        crate::support::Ran::of(command).ends_with(0);
        [&of_s3, &of_all].map(|faulty| faulty.asked.lock().unwrap().drain(..).count() > 0)
    };
    let (s3, all) = (of_s3.url(), of_all.url());
    let both = [("AWS_ENDPOINT_URL_S3", s3.as_str()), ("AWS_ENDPOINT_URL", all.as_str())];
    assert_eq!(asked(&both, &[]), [true, false]);
    assert_eq!(asked(&both[1..], &[]), [false, true]);
    // A key behind a query would be no object any more.
    assert_eq!(asked(&[("AWS_ENDPOINT_URL", &format!("{all}/x?y"))], &[]), [false, false]);
    // What is said for a region's host counts for AWS, which has no host of its own.
    let over = format!("s3.eu-west-1.amazonaws.com={s3}");
    assert_eq!(asked(&both[1..], &["--endpoint-override", &over]), [true, false]);
}

/// A token that is exchanged for a key is as good as one.
#[test]
fn a_web_identity_is_shown_to_nobody() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let faulty = runtime.block_on(FaultyStorage::start(|asked| match asked.method.as_str() {
        "POST" => answer(
            200,
            &[("content-type", "text/xml")],
            "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
             <AssumeRoleWithWebIdentityResult><AssumedRoleUser><Arn>arn:aws:sts::1:assumed-role/r/s</Arn>\
             <AssumedRoleId>A:s</AssumedRoleId></AssumedRoleUser><Credentials>\
             <AccessKeyId>ASIAEXAMPLE</AccessKeyId><SecretAccessKey>key-not-to-be-shown</SecretAccessKey>\
             <SessionToken>session-not-to-be-shown</SessionToken><Expiration>2046-11-02T00:00:00Z</Expiration>\
             </Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>",
        ),
        "GET" if asked.path == "/credentials" => answer(
            200,
            &[("content-type", "application/json")],
            "{\"AccessKeyId\":\"ASIAEXAMPLE\",\"SecretAccessKey\":\"key-not-to-be-shown\",\
             \"Token\":\"session-not-to-be-shown\",\"Expiration\":\"2046-11-02T00:00:00Z\"}",
        ),
        _ => answer(403, &[], ""),
    }));
    let folder = tempfile::tempdir().unwrap();
    let mut workflow = crate::support::workflow("leak");
    workflow["status"]["nodes"]["leak"]["outputs"]["artifacts"] = serde_json::json!([{ "name": "s", "s3": { "endpoint": "minio", "bucket": "b", "key": "leak/s.tgz" } }]);
    let (file, token) = (folder.path().join("workflow.json"), folder.path().join("token"));
    std::fs::write(&file, workflow.to_string()).unwrap();
    std::fs::write(&token, "web.identity-not-to-be-shown.signature").unwrap();
    let own = format!("{}/credentials", faulty.url());
    let exchanges: [&[(&str, &str)]; 2] = [
        &[
            ("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().unwrap()),
            ("AWS_ROLE_ARN", "arn:aws:iam::1:role/r"),
            ("AWS_ENDPOINT_URL", &faulty.url()),
        ],
        &[
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &own),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "bearer-not-to-be-shown"),
        ],
    ];
    for exchange in exchanges {
        for (log, verbosity) in [
            ("trace", &[][..]),
            ("aws_smithy_runtime=trace,aws_config=trace", &[]),
            ("aws_smithy_runtime::client::orchestrator=trace", &[]),
            ("off", &["-v", "9"]),
        ] {
            let mut command =
                crate::support::plugin(["inspect", "-f", file.to_str().unwrap(), "--check", "-o", "json"]);
            command
                .args(["--endpoint-override", &format!("minio={}", faulty.url())])
                .args(verbosity)
                .envs(exchange.iter().copied())
                .env("RUST_LOG", log)
                .env("AWS_REGION", "us-east-1")
                .env("AWS_EC2_METADATA_DISABLED", "true");
            let ran = crate::support::Ran::of(command);
            let asked: Vec<Asked> = faulty.asked.lock().unwrap().drain(..).collect();
            let is_look = |asked: &Asked| asked.method == "HEAD" && asked.path == "/b/leak/s.tgz";
            assert!(asked.iter().any(is_look), "{asked:?} {ran:#?}");
            let line = ran.err.lines().chain(ran.out.lines()).find(|line| line.contains("not-to-be-shown"));
            assert!(line.is_none(), "{log}: {line:?}");
        }
    }
}

/// Elsewhere, or refused: neither deletes nor tells that anything is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_is_neither_followed_nor_believed() {
    for status in [301, 307, 400, 403, 405, 501] {
        let elsewhere = FaultyStorage::start(|_| answer(204, &[], "")).await;
        let to = elsewhere.url();
        let faulty = FaultyStorage::start(move |asked| match asked.method.as_str() {
            "DELETE" => answer(status, &[("location", &to), ("x-amz-bucket-region", "eu-west-1")], ""),
            "HEAD" if asked.path.ends_with("there") => answer(
                200,
                &[("etag", "\"e\""), ("last-modified", LAST_MODIFIED), ("content-length", "0")],
                "",
            ),
            _ => answer(status, &[("location", &to)], ""),
        })
        .await;
        let store = faulty.store();
        if status < 500 {
            assert!(
                store.head(&s3(), "k").await.is_err() && store.list(&s3(), "p/").await.is_err(),
                "{status}"
            );
        }
        let pin = store.head(&s3(), "there").await.unwrap().unwrap().generation;
        let outcome = store.delete(&s3(), "there", &pin).await;
        assert!(matches!(outcome, Outcome::Failed(_) | Outcome::Denied(_)), "{status}: {outcome:?}");
        assert_eq!(elsewhere.asked.lock().unwrap().len(), 0);
    }
}
