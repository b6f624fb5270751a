//! Listing in order and in pages.

use super::*;

/// Each page's objects and prefixes, following the tokens.
fn pages(http: &Http, query: &str) -> Vec<Vec<String>> {
    let (mut pages, mut token) = (Vec::new(), String::new());
    loop {
        let (status, page) = http.get(&format!("/storage/v1/b/bkt/o?{query}{token}"));
        assert_eq!((status, &page["kind"]), (200, &json!("storage#objects")), "{page}");
        let prefixes = page["prefixes"].as_array().into_iter().flatten().filter_map(Value::as_str);
        pages.push(names(&page).into_iter().chain(prefixes).map(str::to_owned).collect());
        let Some(next) = page["nextPageToken"].as_str() else { return pages };
        let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
        token = format!("&pageToken={next}");
    }
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_listing_is_ordered_by_bytes_and_has_every_field_on_fake_gcs() {
    let (gcs, http) = start();
    gcs.bucket("bkt");
    let keys = ["Z", "a b", "a+b", "a/", "a//b", "a/c", "z", "ü", "\u{fffd}", "😀"];
    for key in keys.iter().rev() {
        gcs.put("bkt", key, "bytes");
    }
    assert!(keys.is_sorted());
    assert_eq!(gcs.keys("bkt"), keys);
    assert_eq!(pages(&http, ""), [keys]);
    assert_eq!(pages(&http, "prefix=a/"), [["a/", "a//b", "a/c"]]);
    assert_eq!(pages(&http, "startOffset=a%2Bb&endOffset=a/c"), [["a+b", "a/", "a//b"]]);
    assert_eq!(pages(&http, "prefix=none"), [[""; 0]]);
    let list = http.get("/storage/v1/b/bkt/o").1;
    for field in [
        "kind",
        "id",
        "name",
        "bucket",
        "generation",
        "metageneration",
        "size",
        "timeCreated",
        "updated",
        "crc32c",
        "md5Hash",
        "storageClass",
        "contentType",
        "etag",
    ] {
        assert!(list["items"][0][field].is_string(), "no {field}");
    }
    assert_eq!(list["items"][0].get("acl"), None);
    let list = http.get("/storage/v1/b/bkt/o?maxResults=1&fields=items(name,size),nextPageToken").1;
    assert_eq!(list["items"], json!([{ "name": "Z", "size": "5" }]));
    assert_eq!(list.as_object().unwrap().len(), 2);
    assert_eq!(reason(&http.get("/storage/v1/b/none/o")), NOT_FOUND);
    assert_eq!(http.get("/storage/v1/b/bkt/o?matchGlob=*").0, 501);
    assert_eq!(reason(&http.get("/storage/v1/b/bkt/o?pageToken=!")), (400, "invalid"));
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn pages_hold_objects_prefixes_and_versions_without_gap_or_repetition_on_fake_gcs() {
    let (gcs, http) = start();
    let mut attributes = soft_delete_for_a_week();
    attributes["versioning"] = json!({ "enabled": true });
    gcs.bucket_with("bkt", attributes);
    for key in ["a", "d/1", "d/2", "d/e/1", "k", "k", "k", "p/1", "q"] {
        gcs.put("bkt", key, "1");
    }
    assert_eq!(pages(&http, "maxResults=3"), [vec!["a", "d/1", "d/2"], vec!["d/e/1", "k", "p/1"], vec!["q"]]);
    assert_eq!(pages(&http, "maxResults=7").len(), 1);
    assert_eq!(pages(&http, "delimiter=/&maxResults=2"), [vec!["a", "d/"], vec!["k", "p/"], vec!["q"]]);
    assert_eq!(pages(&http, "delimiter=/&prefix=d/"), [["d/1", "d/2", "d/e/"]]);
    assert_eq!(pages(&http, "versions=true&prefix=k&maxResults=2"), [vec!["k", "k"], vec!["k"]]);
    for key in ["d%2F1", "d%2F2", "q"] {
        let generation =
            gcs.get("bkt", &key.replace("%2F", "/")).unwrap()["generation"].as_str().unwrap().to_owned();
        http.delete(&format!("/storage/v1/b/bkt/o/{key}?generation={generation}"));
    }
    assert_eq!(pages(&http, "softDeleted=true&maxResults=2"), [vec!["d/1", "d/2"], vec!["q"]]);
    assert_eq!(pages(&http, "softDeleted=true&delimiter=/"), [["q", "d/"]]);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_page_token_outlives_the_objects_it_was_given_for_on_fake_gcs() {
    let (gcs, http) = start();
    gcs.bucket("bkt");
    for number in 0..9 {
        gcs.put("bkt", &format!("k{number}"), "1");
    }
    let page = http.get("/storage/v1/b/bkt/o?maxResults=4").1;
    for number in 2..6 {
        assert_eq!(http.delete(&format!("/storage/v1/b/bkt/o/k{number}")).0, 204);
    }
    let token = page["nextPageToken"].as_str().unwrap();
    let page = http.get(&format!("/storage/v1/b/bkt/o?maxResults=4&pageToken={token}")).1;
    assert_eq!(names(&page), ["k6", "k7", "k8"]);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_page_has_a_thousand_objects_at_most_on_fake_gcs() {
    let (gcs, http) = start();
    gcs.bucket("bkt");
    for number in 0..1001 {
        gcs.put("bkt", &format!("{number:04}"), "");
    }
    for query in ["", "maxResults=5000"] {
        let sizes: Vec<usize> = pages(&http, query).iter().map(Vec::len).collect();
        assert_eq!(sizes, [1000, 1], "{query}");
    }
}
