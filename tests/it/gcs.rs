//! The tests' own object store does what Google Cloud Storage does, as far as tests of deleting lean on it.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::gcs::{Gcs, soft_delete_for_a_week};
use http::Method;
use serde_json::{Value, json};

/// Plain requests, as the plugin might send them.
struct Http {
    url: String,
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

impl Http {
    fn new(gcs: &Gcs) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { url: gcs.url(), client: reqwest::Client::builder().no_proxy().build().unwrap(), runtime }
    }

    /// The status and the body, `Null` for an empty one and a string for text.
    fn try_send(&self, method: Method, path: &str, body: &str) -> reqwest::Result<(u16, Value)> {
        let request = self.client.request(method, format!("{}{path}", self.url));
        let request = request.header("content-type", "application/json").body(body.to_owned());
        self.runtime.block_on(async {
            let answer = request.send().await?;
            let status = answer.status().as_u16();
            let text = answer.text().await?;
            let body = if text.is_empty() { Value::Null } else { json!(text) };
            Ok((status, serde_json::from_str(&text).unwrap_or(body)))
        })
    }

    fn send(&self, method: Method, path: &str) -> (u16, Value) {
        self.try_send(method, path, "").unwrap()
    }

    fn get(&self, path: &str) -> (u16, Value) {
        self.send(Method::GET, path)
    }

    fn post(&self, path: &str) -> (u16, Value) {
        self.send(Method::POST, path)
    }

    fn delete(&self, path: &str) -> (u16, Value) {
        self.send(Method::DELETE, path)
    }
}

fn start() -> (Gcs, Http) {
    let gcs = Gcs::start();
    let http = Http::new(&gcs);
    (gcs, http)
}

fn reason((status, body): &(u16, Value)) -> (u16, &str) {
    assert_eq!(body["error"]["code"], *status, "{body}");
    (*status, body["error"]["errors"][0]["reason"].as_str().unwrap())
}

fn names(list: &Value) -> Vec<&str> {
    let items = list["items"].as_array().map_or(&[][..], Vec::as_slice);
    items.iter().map(|item| item["name"].as_str().unwrap()).collect()
}

const NOT_FOUND: (u16, &str) = (404, "notFound");
const MISMATCH: (u16, &str) = (412, "conditionNotMet");
const FORBIDDEN: (u16, &str) = (403, "forbidden");

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_delete_happens_only_under_the_generation_that_it_names_on_fake_gcs() {
    let (gcs, http) = start();
    gcs.bucket("bkt");
    let old = gcs.put("bkt", "k", "old");
    let new = gcs.put("bkt", "k", "new");
    assert!(new > old);

    let refused = http.delete(&format!("/storage/v1/b/bkt/o/k?ifGenerationMatch={old}"));
    assert_eq!(reason(&refused), MISMATCH);
    assert_eq!(
        refused.1["error"]["message"],
        "At least one of the pre-conditions you specified did not hold."
    );
    assert_eq!(gcs.bytes("bkt", "k").unwrap(), b"new");
    let refused =
        http.delete(&format!("/storage/v1/b/bkt/o/k?ifGenerationMatch={new}&ifMetagenerationMatch=2"));
    assert_eq!(reason(&refused), MISMATCH);
    assert_eq!(http.delete(&format!("/storage/v1/b/bkt/o/k?ifGenerationMatch={new}")), (204, Value::Null));
    assert_eq!(gcs.get("bkt", "k"), None);

    let pinned = format!("/storage/v1/b/bkt/o/k?ifGenerationMatch={new}");
    let gone = http.delete(&pinned);
    assert_eq!(reason(&gone), NOT_FOUND);
    assert_eq!(gone.1["error"]["message"], "No such object: bkt/k");
    gcs.missing_answers(412);
    assert_eq!(reason(&http.delete(&pinned)), MISMATCH);
    assert_eq!(reason(&http.delete("/storage/v1/b/none/o/k")), NOT_FOUND);
    assert_eq!(reason(&http.delete("/storage/v1/b/bkt/o/k?ifGenerationMatch=x")), (400, "invalid"));
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn every_request_is_logged_and_an_unpinned_delete_stands_out_on_fake_gcs() {
    let (gcs, http) = start();
    gcs.bucket("bkt");
    let generation = gcs.put("bkt", "a/k", "1");
    gcs.put("bkt", "xml", "1");
    http.get("/storage/v1/b/bkt/o/a%2Fk");
    http.delete("/storage/v1/b/bkt/o/a%2Fk?ifGenerationMatch=1");
    http.delete(&format!("/storage/v1/b/bkt/o/a%2Fk?generation={generation}&ifGenerationMatch={generation}"));
    assert!(gcs.unpinned().is_empty());
    http.delete("/storage/v1/b/bkt/o/a%2Fk");
    let request =
        http.client.delete(format!("{}/bkt/xml", http.url)).header("x-goog-if-generation-match", "1");
    assert_eq!(http.runtime.block_on(async { request.send().await }).unwrap().status(), 412);
    http.delete("/bkt/xml");

    let log = gcs.log();
    let seen: Vec<_> = log.iter().map(|entry| (entry.method.as_str(), entry.status.unwrap())).collect();
    assert_eq!(
        seen,
        [("GET", 200), ("DELETE", 412), ("DELETE", 204), ("DELETE", 404), ("DELETE", 412), ("DELETE", 204)]
    );
    assert!(log.is_sorted_by_key(|entry| entry.at));
    assert_eq!(log[0].target, "/storage/v1/b/bkt/o/a%2Fk");
    let delete = &gcs.deletes()[1];
    assert_eq!((delete.bucket.as_deref(), delete.key.as_deref()), (Some("bkt"), Some("a/k")));
    assert_eq!((delete.generation, delete.pin), (Some(generation), Some(generation)));
    let executed: Vec<bool> = gcs.deletes().iter().map(|entry| entry.executed).collect();
    assert_eq!(executed, [false, true, false, false, true]);
    let unpinned: Vec<_> = gcs.unpinned().into_iter().map(|entry| entry.key.unwrap()).collect();
    assert_eq!(unpinned, ["a/k", "xml"]);
    gcs.clear_log();
    assert!(gcs.log().is_empty());
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn keys_of_any_characters_are_one_segment_of_the_path_on_fake_gcs() {
    let (gcs, http) = start();
    gcs.bucket("bkt");
    let keys = [
        ("a//b", "a%2F%2Fb"),
        ("a/../b", "a%2F..%2Fb"),
        ("a b", "a%20b"),
        ("a+b", "a+b"),
        ("a%2Fb", "a%252Fb"),
        ("/lead", "%2Flead"),
        ("dir/", "dir%2F"),
        ("q?x=1&y", "q%3Fx=1&y"),
        ("h#x", "h%23x"),
        ("ünï/😀", "%C3%BCn%C3%AF%2F%F0%9F%98%80"),
    ];
    for (key, _) in keys {
        gcs.put("bkt", key, key);
    }
    gcs.put("bkt", "a/b", "not asked for");
    for (key, path) in keys {
        let (status, object) = http.get(&format!("/storage/v1/b/bkt/o/{path}"));
        assert_eq!((status, object["name"].as_str()), (200, Some(key)));
        assert_eq!(http.get(&format!("/storage/v1/b/bkt/o/{path}?alt=media")), (200, json!(key)));
        let generation = object["generation"].as_str().unwrap();
        assert_eq!(http.delete(&format!("/storage/v1/b/bkt/o/{path}?ifGenerationMatch={generation}")).0, 204);
        assert_eq!(gcs.deletes().last().unwrap().key.as_deref(), Some(key));
    }
    assert_eq!(gcs.keys("bkt"), ["a/b"]);
    // As with the real service, a slash of the path's own is none of the key's.
    assert_eq!(http.delete("/storage/v1/b/bkt/o/a/b").0, 501);
    assert_eq!(gcs.keys("bkt"), ["a/b"]);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn what_is_held_retained_or_forbidden_is_not_deleted_on_fake_gcs() {
    let (gcs, http) = start();
    gcs.bucket("bkt");
    for key in ["held", "kept", "mine", "free"] {
        gcs.put("bkt", key, "1");
    }
    gcs.hold("bkt", "held");
    gcs.retain("bkt", "kept");
    gcs.forbid("bkt", "mine");

    let held = http.delete("/storage/v1/b/bkt/o/held");
    assert_eq!(reason(&held), FORBIDDEN);
    let message = "Object 'bkt/held' is under active Temporary hold and cannot be deleted, overwritten or archived \
                   until hold is removed.";
    assert_eq!(held.1["error"]["message"], message);
    assert_eq!(http.get("/storage/v1/b/bkt/o/held").1["temporaryHold"], true);

    let kept = http.delete("/storage/v1/b/bkt/o/kept");
    assert_eq!(reason(&kept), (403, "retentionPolicyNotMet"));
    let until = &http.get("/storage/v1/b/bkt/o/kept").1["retentionExpirationTime"];
    assert!(until.as_str().unwrap().parse::<jiff::Timestamp>().unwrap() > jiff::Timestamp::now());
    // A condition goes before either.
    assert_eq!(reason(&http.delete("/storage/v1/b/bkt/o/kept?ifGenerationMatch=1")), MISMATCH);
    let over = http.post("/upload/storage/v1/b/bkt/o?uploadType=media&name=kept");
    assert_eq!(reason(&over), (403, "retentionPolicyNotMet"));

    let mine = http.delete("/storage/v1/b/bkt/o/mine");
    assert_eq!(reason(&mine), FORBIDDEN);
    let message = mine.1["error"]["message"].as_str().unwrap();
    assert!(message.contains("does not have storage.objects.delete access"), "{message}");
    assert_eq!(http.delete("/storage/v1/b/bkt/o/free").0, 204);
    assert_eq!(gcs.keys("bkt"), ["held", "kept", "mine"]);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_buckets_retention_policy_keeps_what_is_young_on_fake_gcs() {
    let (gcs, http) = start();
    gcs.bucket_with("bkt", json!({ "retentionPolicy": { "retentionPeriod": "3600", "isLocked": true } }));
    gcs.put("bkt", "young", "1");
    gcs.put("bkt", "old", "1");
    gcs.created("bkt", "old", "2026-01-01T00:00:00.000Z");
    assert_eq!(reason(&http.delete("/storage/v1/b/bkt/o/young")), (403, "retentionPolicyNotMet"));
    assert_eq!(http.delete("/storage/v1/b/bkt/o/old").0, 204);
    assert_eq!(http.get("/storage/v1/b/bkt").1["retentionPolicy"]["isLocked"], true);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn buckets_and_objects_say_what_the_test_has_them_say_on_fake_gcs() {
    let (gcs, http) = start();
    gcs.bucket("plain");
    let plain = http.get("/storage/v1/b/plain").1;
    assert_eq!((&plain["name"], &plain["kind"]), (&json!("plain"), &json!("storage#bucket")));
    assert_eq!(plain["softDeletePolicy"]["retentionDurationSeconds"], "0");
    assert_eq!(plain.get("versioning"), None);
    let lifecycle = json!({ "rule": [{ "action": { "type": "Delete" }, "condition": { "age": 30 } }] });
    gcs.bucket_with(
        "rules",
        json!({ "lifecycle": lifecycle, "versioning": { "enabled": true }, "location": "EU" }),
    );
    let rules = http.get("/storage/v1/b/rules?fields=lifecycle,versioning/enabled,location").1;
    let expected = json!({ "lifecycle": lifecycle, "versioning": { "enabled": true }, "location": "EU" });
    assert_eq!(rules, expected);
    assert_eq!(reason(&http.get("/storage/v1/b/none")), NOT_FOUND);

    gcs.put("plain", "k", "1");
    gcs.created("plain", "k", "2020-02-02T02:02:02.222Z");
    gcs.set("plain", "k", json!({ "storageClass": "NEARLINE", "size": "123456789012" }));
    let object = http.get("/storage/v1/b/plain/o/k").1;
    let list = http.get("/storage/v1/b/plain/o").1;
    assert_eq!(list["items"][0], object);
    assert_eq!(object["timeCreated"], "2020-02-02T02:02:02.222Z");
    assert_eq!((&object["storageClass"], &object["size"]), (&json!("NEARLINE"), &json!("123456789012")));
    // A new generation is a new object.
    gcs.put("plain", "k", "2");
    let object = http.get("/storage/v1/b/plain/o/k").1;
    assert_eq!((&object["storageClass"], &object["size"]), (&json!("STANDARD"), &json!("1")));
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn permissions_are_those_that_the_test_grants_on_fake_gcs() {
    let (gcs, http) = start();
    gcs.bucket("bkt");
    gcs.put("bkt", "k", "1");
    let asked = "/storage/v1/b/bkt/iam/testPermissions\
                 ?permissions=storage.objects.delete&permissions=storage.objects.list";
    let granted = http.get(asked).1;
    assert_eq!(granted["kind"], "storage#testIamPermissionsResponse");
    assert_eq!(granted["permissions"], json!(["storage.objects.delete", "storage.objects.list"]));

    gcs.permissions("bkt", &["storage.objects.list"]);
    assert_eq!(http.get(asked).1["permissions"], json!(["storage.objects.list"]));
    assert_eq!(http.get("/storage/v1/b/bkt/o").0, 200);
    assert_eq!(reason(&http.delete("/storage/v1/b/bkt/o/k")), FORBIDDEN);
    assert_eq!(reason(&http.get("/storage/v1/b/bkt/o/k")), FORBIDDEN);
    assert_eq!(reason(&http.get("/storage/v1/b/bkt")), FORBIDDEN);
    gcs.permissions("bkt", &[]);
    assert_eq!(http.get(asked).1.get("permissions"), None);
    assert_eq!(reason(&http.get("/storage/v1/b/bkt/o")), FORBIDDEN);
    assert_eq!(reason(&http.get(&asked.replace("/bkt/", "/none/"))), NOT_FOUND);
}

mod faults;
mod listing;
mod versions;
