//! Accounts that stand beside one bucket: nobody else's bucket is shown them, and no output has them.

use crate::support::clouds::{GOOGLE, KEY, google_key};
use crate::support::faulty_storage::{Asked, asked_as, empty};
use crate::support::purge::in_minio;
use crate::support::{Ran, plugin};
use argo_gc_core::model::bucket::Bucket;
use argo_gc_store::identity::{Identity, Known};
use argo_gc_store::store::Store;
use serde_json::json;
use std::fs;
use std::process::Command;
use std::sync::Arc;
use tempfile::TempDir;

fn s3(key: &str) -> String {
    format!("[default]\naws_access_key_id = {key}\naws_secret_access_key = hunter2-{key}\n")
}

#[track_caller]
fn assert_all(found: (usize, usize)) {
    assert!(found.0 > 0 && found.0 == found.1, "{found:?}");
}

#[tokio::test]
async fn each_bucket_is_asked_with_its_own_account_and_no_other_is_shown_it() {
    let server = empty().await;
    let Store::Cloud(cloud) = server.store() else { panic!("no cloud") };
    let bucket = |text: &str| text.parse::<Bucket>().unwrap();
    let (own, other) = (bucket("s3://own@minio"), bucket("s3://other@minio"));
    let azure = |name: &str| bucket(&format!("https://devstoreaccount1.blob.core.windows.net/{name}"));
    let read = |bucket: &Bucket, text: &str| Identity::read(bucket, text, "a file").unwrap();
    let signature = "?sv=2026-01-01&sp=rdl&sig=a%2Bb%3D";
    let known = Known::from([
        (own.clone(), read(&own, &s3("AKOWN"))),
        (bucket("gs://own-g"), read(&bucket("gs://own-g"), &google_key(GOOGLE))),
        (azure("own-a"), read(&azure("own-a"), &format!("{KEY}\n"))),
        (azure("own-s"), read(&azure("own-s"), signature)),
    ]);
    let store = Store::Cloud(cloud.with_identities(Arc::new(known)));
    for bucket in
        [&own, &other, &bucket("gs://own-g"), &bucket("gs://other-g"), &azure("own-a"), &azure("own-s")]
    {
        store.list(bucket, "k").await.unwrap();
    }
    let asked = server.asked.lock().unwrap().clone();
    let has = |text: &'static str| move |asked: &Asked| asked.authorization.contains(text);
    assert_all(asked_as(&asked, "own", has("Credential=AKOWN/")));
    assert_all(asked_as(&asked, "other", has("Credential=k/")));
    assert_all(asked_as(&asked, "own-g", has("Bearer ")));
    assert_all(asked_as(&asked, "other-g", |asked| asked.authorization.is_empty()));
    assert_all(asked_as(&asked, "own-a", has("SharedKey devstoreaccount1:")));
    assert_all(asked_as(&asked, "own-s", |asked| {
        asked.authorization.is_empty() && asked.get("sig") == "a+b="
    }));
    assert_eq!(store.identity(&own).await, "access key AKOWN (a file)");
    assert_eq!(store.identity(&bucket("gs://own-g")).await, "gc@ml.iam.gserviceaccount.com (a file)");
    assert_eq!(store.identity(&azure("own-s")).await, "devstoreaccount1 (a file)");
}

/// `VERB`, with files that it may name.
fn run(verb: &str, arguments: &[&str], directory: &TempDir) -> Ran {
    let mut command: Command = plugin([verb]);
    command.args(arguments).current_dir(directory.path()).env("HOME", directory.path());
    command.env("AWS_ACCESS_KEY_ID", "AKAMBIENT").env("AWS_SECRET_ACCESS_KEY", "hunter2-ambient");
    command.env_remove("STORAGE_EMULATOR_HOST").env_remove("AWS_ENDPOINT_URL");
    Ran::of(command)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_is_of_one_bucket_and_in_no_output() {
    let server = empty().await;
    let directory = TempDir::new().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    write("key", &s3("AKOWN"));
    let items = json!({ "apiVersion": "v1", "kind": "List", "items": [in_minio("ml", "own"), in_minio("ml", "other")] });
    write("wf.json", &items.to_string());
    let over = format!("minio:9000={}", server.url());
    let flags = ["--endpoint-override", &over, "--identity", "s3://own@minio:9000=key", "-v", "9"];
    let reads = [
        ("inspect", vec!["-f", "wf.json", "--check", "-o", "json"]),
        (
            "purge",
            vec![
                "-f",
                "wf.json",
                "--all",
                "--repository",
                "s3://own@minio:9000",
                "--repository",
                "s3://other@minio:9000",
                "-o",
                "json",
            ],
        ),
    ];
    for (verb, arguments) in reads {
        server.asked.lock().unwrap().clear();
        let arguments = [&arguments[..], &flags].concat();
        let ran = tokio::task::block_in_place(|| run(verb, &arguments, &directory));
        assert!(ran.code == Some(0), "{ran:#?}");
        assert!(!format!("{}{}", ran.out, ran.err).contains("hunter2"), "{ran:#?}");
        let asked = server.asked.lock().unwrap().clone();
        assert_all(asked_as(&asked, "own", |asked| asked.authorization.contains("Credential=AKOWN/")));
        assert_all(asked_as(&asked, "other", |asked| asked.authorization.contains("Credential=AKAMBIENT/")));
    }
}

#[test]
fn an_identity_that_no_request_would_use_is_refused() {
    let directory = TempDir::new().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    write("wf.json", &in_minio("ml", "own").to_string());
    write("key", &s3("AKOWN"));
    write("bad", "[default]\nhunter2\n");
    write("google", &json!({ "type": "authorized_user", "client_secret": "hunter2" }).to_string());
    let minio = "s3://own@minio:9000";
    for (flags, words) in [
        (
            vec!["s3://own@minio:9000=bad"],
            "invalid --identity for s3://own@minio:9000: bad: a line is neither",
        ),
        (
            vec!["gs://own=google"],
            "invalid --identity for gs://own: google: credentials of type authorized_user need the field client_id",
        ),
        (vec!["https://ml.blob.core.windows.net/c=bad"], "bad: it is neither an account key nor"),
        (vec!["s3://own@minio:9000=none"], "invalid --identity for s3://own@minio:9000: none: No such file"),
        (vec!["s3://own@minio:9000=key", "s3://own@minio:9000=key"], "it is the bucket's second"),
        (
            vec!["gs://own=google", "--gcs-endpoint", "http://127.0.0.1:1"],
            "can't be used with --gcs-endpoint",
        ),
        (vec!["s3://own@minio:9000=key", "--store-root", "."], "can't be used with --store-root"),
    ] {
        let mut arguments = vec!["-f", "wf.json", "--check"];
        for flag in flags {
            if flag.contains("://own") || flag.contains("/c=") {
                arguments.push("--identity");
            }
            arguments.push(flag);
        }
        let ran = run("inspect", &arguments, &directory).ends_with(2);
        assert!(ran.err.contains(words) && !ran.err.contains("hunter2"), "{words}: {ran:#?}");
    }
    // Where the host is not allowed, nothing is sent, whoever the key is of.
    let ran =
        run("inspect", &["-f", "wf.json", "--check", "--identity", &format!("{minio}=key")], &directory);
    assert!(ran.err.contains("--endpoint-override minio:9000=URL allows it"), "{ran:#?}");
}
