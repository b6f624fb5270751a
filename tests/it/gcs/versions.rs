//! Soft delete, versioning, restoring and copying.

use super::*;

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_soft_deleted_object_is_listed_and_restored_under_a_new_generation_on_fake_gcs() {
    let (gcs, http) = start();
    gcs.bucket_with("bkt", soft_delete_for_a_week());
    let first = gcs.put("bkt", "dir/k", "first");
    gcs.set("bkt", "dir/k", json!({ "storageClass": "NEARLINE" }));
    let second = gcs.put("bkt", "dir/k", "second");
    assert_eq!(http.delete(&format!("/storage/v1/b/bkt/o/dir%2Fk?ifGenerationMatch={second}")).0, 204);

    assert_eq!(names(&http.get("/storage/v1/b/bkt/o").1), [""; 0]);
    let list = http.get("/storage/v1/b/bkt/o?softDeleted=true&prefix=dir/").1;
    let generations: Vec<_> =
        list["items"].as_array().unwrap().iter().map(|item| &item["generation"]).collect();
    assert_eq!(generations, [&json!(first.to_string()), &json!(second.to_string())]);
    let item = &list["items"][1];
    let [deleted, gone] = ["softDeleteTime", "hardDeleteTime"]
        .map(|field| item[field].as_str().unwrap().parse::<jiff::Timestamp>().unwrap());
    assert_eq!((gone - deleted).total(jiff::Unit::Second).unwrap(), 604_800.0);
    assert_eq!((&item["size"], item.get("timeDeleted")), (&json!("6"), None));
    let path = format!("/storage/v1/b/bkt/o/dir%2Fk?softDeleted=true&generation={second}");
    assert_eq!(http.get(&path), (200, item.clone()));
    assert_eq!(reason(&http.get("/storage/v1/b/bkt/o/dir%2Fk")), NOT_FOUND);

    let restore = |generation: i64| {
        http.post(&format!("/storage/v1/b/bkt/o/dir%2Fk/restore?generation={generation}&ifGenerationMatch=0"))
    };
    let (status, restored) = restore(first);
    assert_eq!(status, 200, "{restored}");
    let generation: i64 = restored["generation"].as_str().unwrap().parse().unwrap();
    assert!(generation > second);
    assert_eq!((&restored["metageneration"], &restored["storageClass"]), (&json!("1"), &json!("NEARLINE")));
    assert_eq!(restored.get("softDeleteTime"), None);
    assert_eq!(gcs.bytes("bkt", "dir/k").unwrap(), b"first");
    // Another one has the name, and what was never deleted, or never was, can't be restored.
    assert_eq!(reason(&restore(second)), MISMATCH);
    assert_eq!(reason(&restore(generation)), NOT_FOUND);
    assert_eq!(reason(&restore(1)), NOT_FOUND);
    assert_eq!(reason(&http.post("/storage/v1/b/bkt/o/dir%2Fk/restore")), (400, "invalid"));
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn without_a_policy_nothing_is_soft_deleted_on_fake_gcs() {
    let (gcs, http) = start();
    gcs.bucket("bkt");
    let generation = gcs.put("bkt", "k", "1");
    assert_eq!(http.delete("/storage/v1/b/bkt/o/k").0, 204);
    let refused = http.get("/storage/v1/b/bkt/o?softDeleted=true");
    assert_eq!(reason(&refused), (400, "invalid"));
    assert_eq!(refused.1["error"]["message"], "bucket soft delete policy must be set.");
    let restore = format!("/storage/v1/b/bkt/o/k/restore?generation={generation}");
    assert_eq!(reason(&http.post(&restore)), (400, "invalid"));
    assert_eq!(names(&http.get("/storage/v1/b/bkt/o?versions=true").1), [""; 0]);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn with_versioning_a_deleted_object_is_noncurrent_and_can_be_copied_back_on_fake_gcs() {
    let (gcs, http) = start();
    gcs.bucket_with("bkt", json!({ "versioning": { "enabled": true } }));
    gcs.put("bkt", "a", "other");
    let first = gcs.put("bkt", "k", "first");
    let second = gcs.put("bkt", "k", "second");
    assert_eq!(http.delete(&format!("/storage/v1/b/bkt/o/k?ifGenerationMatch={second}")).0, 204);

    assert_eq!(names(&http.get("/storage/v1/b/bkt/o").1), ["a"]);
    let list = http.get("/storage/v1/b/bkt/o?versions=true").1;
    assert_eq!(names(&list), ["a", "k", "k"]);
    assert_eq!(list["items"][0].get("timeDeleted"), None);
    assert!(list["items"][2]["timeDeleted"].is_string());
    assert_eq!(
        http.get(&format!("/storage/v1/b/bkt/o/k?generation={first}")),
        (200, list["items"][1].clone())
    );
    let media = http.get(&format!("/storage/v1/b/bkt/o/k?generation={first}&alt=media"));
    assert_eq!(media, (200, json!("first")));
    assert_eq!(http.get("/storage/v1/b/bkt/o/k?alt=media"), (404, json!("No such object: bkt/k")));

    let copy = |verb: &str, generation: i64| {
        let condition = format!("sourceGeneration={generation}&ifGenerationMatch=0");
        http.post(&format!("/storage/v1/b/bkt/o/k/{verb}/b/bkt/o/k?{condition}"))
    };
    let (status, copied) = copy("copyTo", second);
    assert_eq!((status, &copied["kind"]), (200, &json!("storage#object")));
    assert_eq!(gcs.bytes("bkt", "k").unwrap(), b"second");
    assert_eq!(reason(&copy("copyTo", first)), MISMATCH);
    http.delete("/storage/v1/b/bkt/o/k");
    let (status, rewritten) = copy("rewriteTo", first);
    assert_eq!((status, &rewritten["done"], &rewritten["objectSize"]), (200, &json!(true), &json!("5")));
    assert_eq!(rewritten["resource"]["name"], "k");
    assert_eq!(gcs.bytes("bkt", "k").unwrap(), b"first");
    assert_eq!(reason(&copy("copyTo", 1)), NOT_FOUND);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_delete_by_generation_is_for_good_or_soft_on_fake_gcs() {
    let (gcs, http) = start();
    gcs.bucket_with("hard", json!({ "versioning": { "enabled": true } }));
    let mut soft = soft_delete_for_a_week();
    soft["versioning"] = json!({ "enabled": true });
    gcs.bucket_with("soft", soft);
    for bucket in ["hard", "soft"] {
        let old = gcs.put(bucket, "k", "old");
        let live = gcs.put(bucket, "k", "live");
        for generation in [old, live] {
            let path = format!("/storage/v1/b/{bucket}/o/k?generation={generation}");
            assert_eq!(http.delete(&path).0, 204);
            assert_eq!(reason(&http.delete(&path)), NOT_FOUND);
        }
        assert_eq!(names(&http.get(&format!("/storage/v1/b/{bucket}/o?versions=true")).1), [""; 0]);
    }
    let list = http.get("/storage/v1/b/soft/o?softDeleted=true").1;
    assert_eq!(names(&list), ["k", "k"]);
    assert_eq!(list["items"][0].get("timeDeleted"), None);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn an_upload_keeps_to_its_conditions_too_on_fake_gcs() {
    let (gcs, http) = start();
    gcs.bucket("bkt");
    let path = "/upload/storage/v1/b/bkt/o?uploadType=media&name=dir/k&ifGenerationMatch=0";
    let (status, object) = http.try_send(Method::POST, path, "bytes").unwrap();
    assert_eq!((status, object["name"].as_str()), (200, Some("dir/k")));
    assert_eq!(reason(&http.post(path)), MISMATCH);
    assert_eq!(http.get("/storage/v1/b/bkt/o/dir%2Fk?alt=media"), (200, json!("bytes")));
    assert_eq!(reason(&http.get("/storage/v1/b/bkt/o/dir%2Fk?ifGenerationMatch=1")), MISMATCH);
    // The XML API reads the same objects, and what isn't enforced isn't there.
    assert_eq!(http.get("/bkt/dir/k"), (200, json!("bytes")));
    for path in ["/batch/storage/v1", "/upload/storage/v1/b/bkt/o?uploadType=resumable&name=k"] {
        assert_eq!(http.post(path).0, 501, "{path}");
    }
    assert_eq!(http.send(Method::PUT, "/bkt/k").0, 501);
}
