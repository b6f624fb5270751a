//! Many places looked up together: what is found is what each would find by itself, with far fewer requests.

use crate::support::faulty_storage::{Answer, Asked, END, FaultyStorage, answer, azure, gcs, listing, s3};
use argo_gc_core::model::bucket::Bucket;
use argo_gc_core::model::object::ObjectFacts;
use argo_gc_store::store::{MANY, Store};
use argo_gc_store::types::{Depth, Place, Reach, StoreError};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};

/// A bucket, and the manner of its server.
#[derive(Debug, Clone, Default)]
struct Held {
    keys: BTreeSet<String>,
    /// Objects a page at the most.
    page: usize,
    /// Each listing begins with an empty page, as GCS may.
    empty: bool,
    /// Nobody may list.
    closed: bool,
    /// Listings go backwards, which no storage's should.
    backwards: bool,
    /// There is an object whose entry in a listing can't be read.
    damaged: bool,
    /// A relative of S3 with an order of its own: folder by folder, whose names it compares without their slash.
    by_folder: bool,
    /// As older MinIO and SeaweedFS: what begins before the prefix finds nothing.
    strict: bool,
    /// So many listings are answered well, and the next ones by this status.
    fails: Option<(Arc<AtomicUsize>, u16)>,
}

/// Where a key stands among the others of a server.
fn place_of(key: &str, by_folder: bool) -> Vec<&str> {
    if by_folder { key.split('/').collect() } else { vec![key] }
}

impl Held {
    /// As GCS or S3 would, by what is asked.
    fn answer(&self, asked: &Asked) -> Answer {
        let is_gcs = asked.path.starts_with("/storage/v1/b/b/o");
        let key = asked.path.strip_prefix(if is_gcs { "/storage/v1/b/b/o" } else { "/b" }).unwrap();
        let key =
            form_urlencoded::parse(format!("{}=", &key[1.min(key.len())..].replace('+', "%2B")).as_bytes())
                .next()
                .map_or_else(String::new, |(key, _)| key.into_owned());
        let is_listing = key.is_empty() && asked.get("max-keys") != "1";
        if let Some((left, status)) = self.fails.as_ref().filter(|_| is_listing)
            && left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_err()
        {
            return answer(*status, &[], "<Error><Code>NoSuchBucket</Code></Error>");
        }
        match (is_gcs, key.is_empty()) {
            (false, true) if asked.get("comp") == "list" => self.azure_page(asked),
            (true, true) => self.gcs_page(asked),
            (false, true) => self.s3_page(asked),
            (true, false) if self.keys.contains(&key) => answer(200, &[], item(&key).to_string()),
            (true, false) => {
                answer(404, &[], json!({ "error": { "message": "No such object" } }).to_string())
            }
            (false, false) if self.keys.contains(&key) => answer(
                200,
                &[
                    ("etag", "\"e\""),
                    ("last-modified", "Mon, 02 Nov 2026 00:00:00 GMT"),
                    ("content-length", "1"),
                ],
                "",
            ),
            (false, false) => {
                answer(404, &[("x-amz-request-id", "1"), ("x-ms-error-code", "BlobNotFound")], "")
            }
        }
    }

    /// What is listed from a place on, and where to go on.
    fn part(
        &self,
        asked: &Asked,
        begins: impl Fn(&str) -> bool,
        token: &str,
        most: &str,
    ) -> (Vec<&str>, Option<String>) {
        let prefix = asked.get("prefix");
        let most = asked.get(most).parse().unwrap_or(1000).min(self.page);
        if self.empty && token.is_empty() {
            return (Vec::new(), Some("0".to_owned()));
        }
        let mut rest: Vec<&str> = self
            .keys
            .iter()
            .map(String::as_str)
            .filter(|key| key.starts_with(prefix) && begins(key))
            .collect();
        rest.sort_by_key(|key| place_of(key, self.by_folder && asked.path == "/b/"));
        if self.backwards {
            rest.reverse();
        }
        let mut rest = rest.into_iter();
        let at: usize = token.parse().unwrap_or_default();
        let page: Vec<&str> = rest.by_ref().skip(at).take(most).collect();
        (page, rest.next().map(|_| (at + most).to_string()))
    }

    fn gcs_page(&self, asked: &Asked) -> Answer {
        if self.closed {
            return answer(
                403,
                &[],
                json!({ "error": { "message": "no storage.objects.list" } }).to_string(),
            );
        }
        let from = asked.get("startOffset");
        let (page, token) = self.part(asked, |key| key >= from, asked.get("pageToken"), "maxResults");
        let items: Vec<Value> = page.into_iter().map(item).collect();
        let mut body = json!({ "kind": "storage#objects", "items": items });
        if self.damaged {
            body["items"].as_array_mut().unwrap().push(json!({ "size": "1" }));
        }
        if let Some(token) = token {
            body["nextPageToken"] = json!(token);
        }
        answer(200, &[], body.to_string())
    }

    fn azure_page(&self, asked: &Asked) -> Answer {
        if self.closed {
            return answer(403, &[("x-ms-error-code", "AuthorizationPermissionMismatch")], "");
        }
        let (page, token) = self.part(asked, |_| true, asked.get("marker"), "maxresults");
        let blobs: String = page
            .iter()
            .map(|key| {
                format!(
                    "<Blob><Name>{key}</Name><Properties><Etag>e</Etag><Content-Length>1</Content-Length>\
                     <Last-Modified>Mon, 02 Nov 2026 00:00:00 GMT</Last-Modified></Properties></Blob>"
                )
            })
            .collect();
        let marker = token.unwrap_or_default();
        let body = format!(
            "<EnumerationResults><Blobs>{blobs}</Blobs><NextMarker>{marker}</NextMarker></EnumerationResults>"
        );
        answer(200, &[], body)
    }

    fn s3_page(&self, asked: &Asked) -> Answer {
        if self.closed && asked.get("max-keys") != "1" {
            return answer(403, &[], "<Error><Code>AccessDenied</Code><Message>no</Message></Error>");
        }
        let after = asked.get("start-after");
        if self.strict && !after.is_empty() && !after.starts_with(asked.get("prefix")) {
            return listing(&[], END);
        }
        let is_after = |key: &str| place_of(key, self.by_folder) > place_of(after, self.by_folder);
        let (page, token) = self.part(asked, is_after, asked.get("continuation-token"), "max-keys");
        match token {
            Some(token) => listing(
                &page,
                &format!(
                    "<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>"
                ),
            ),
            None => listing(&page, END),
        }
    }
}

fn item(key: &str) -> Value {
    json!({ "name": key, "generation": "1", "size": "1", "timeCreated": "2026-11-02T00:00:00Z" })
}

struct Server {
    held: Arc<Mutex<Held>>,
    faulty: FaultyStorage,
    store: Store,
}

impl Server {
    async fn start() -> Self {
        let held: Arc<Mutex<Held>> = Arc::default();
        let shown = Arc::clone(&held);
        let faulty = FaultyStorage::start(move |asked| shown.lock().unwrap().answer(asked)).await;
        let store = faulty.store();
        Self { held, faulty, store }
    }

    /// What is found at the places, and by how many requests.
    async fn find(&self, bucket: &Bucket, places: &[(String, Reach)]) -> (Vec<Vec<String>>, usize) {
        let places: Vec<Place> = places.iter().map(|(key, reach)| Place { key, reach: *reach }).collect();
        let before = self.faulty.asked.lock().unwrap().len();
        let found = self.store.objects_at(bucket, &places, Depth::Listed, MANY).await;
        let names = |(objects, place): (Result<Vec<ObjectFacts>, StoreError>, &Place)| match objects {
            Ok(objects) => objects.into_iter().map(|object| object.key).collect(),
            // Such a server may keep it under a key without the empty names: an error there is no answer.
            Err(_) if has_empty_names(place.key) && *bucket == s3() => vec![NO_ANSWER.to_owned()],
            Err(error) => panic!("{}: {error}", place.key),
        };
        let found = found.into_iter().zip(&places).map(names).collect();
        (found, self.faulty.asked.lock().unwrap().len() - before)
    }
}

/// What stands for the objects of a place where the server's listing shows nothing.
const NO_ANSWER: &str = "no answer";

fn has_empty_names(key: &str) -> bool {
    key.starts_with('/') || key.contains("//")
}

/// What belongs to a place, by its definition.
fn belongs(keys: &BTreeSet<String>, (key, reach): &(String, Reach)) -> Vec<String> {
    let below = format!("{}/", key.trim_end_matches('/'));
    let is_its = |other: &&String| match reach {
        Reach::Key | Reach::Listed => *other == key,
        Reach::Directory => *other == key || other.starts_with(&below),
        Reach::Beginning => other.starts_with(key.as_str()),
    };
    keys.iter().filter(is_its).cloned().collect()
}

#[test]
fn together_is_as_each_by_itself() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let server = runtime.block_on(Server::start());
    let key = || prop_oneof!["[ab/]{1,5}", "[a-cé😀\u{e000}/_~-]{1,4}", "a/[0-9]{1,4}", "b/[0-9]{2}/[ab]"];
    let reach = prop_oneof![Just(Reach::Key), Just(Reach::Directory), Just(Reach::Beginning)];
    // Of two parties in turn, whose keys may be the same.
    let keys = proptest::collection::btree_set(key(), 0..150);
    let places = proptest::collection::vec((key(), reach, any::<proptest::sample::Index>()), 0..60);
    let strategy = (keys, places, 2..40_usize, any::<[bool; 8]>());
    let config = ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() };
    proptest::test_runner::TestRunner::new(config)
        .run(
            &strategy,
            |(keys, places, page, [empty, closed, backwards, damaged, known, by_folder, strict, within])| {
                // All in one folder, which is looked for itself.
                let folder = |key: String| if within { format!("a/{key}") } else { key };
                let keys: BTreeSet<String> = keys.into_iter().map(folder).collect();
                let all: Vec<&String> = keys.iter().collect();
                let is_path = |key: &str| !key.split('/').any(|part| part == "." || part == "..");
                // A directory has to be listed, in its order.
                let is_odd = closed || backwards || damaged || by_folder;
                let reach_of = |reach| if is_odd { Reach::Key } else { reach };
                let places: Vec<(String, Reach)> = places
                    .into_iter()
                    .map(|(key, reach, at)| {
                        let key =
                            if known && !all.is_empty() { (*at.get(&all)).clone() } else { folder(key) };
                        (key, reach_of(reach))
                    })
                    .chain(within.then(|| ("a".to_owned(), reach_of(Reach::Directory))))
                    .filter(|(key, _)| is_path(key))
                    .collect();
                *server.held.lock().unwrap() = Held {
                    keys: keys.clone(),
                    page,
                    empty,
                    closed,
                    backwards,
                    damaged,
                    by_folder,
                    strict,
                    fails: None,
                };
                let expected: Vec<Vec<String>> = places.iter().map(|place| belongs(&keys, place)).collect();
                for bucket in [gcs(), s3(), azure()] {
                    let (found, _) = runtime.block_on(server.find(&bucket, &places));
                    let pairs = found.iter().zip(&expected).filter(|(found, _)| *found != &[NO_ANSWER]);
                    let (found, expected): (Vec<_>, Vec<_>) = pairs.unzip();
                    prop_assert_eq!(found, expected, "{}", bucket);
                }
                Ok(())
            },
        )
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_lies_together_takes_a_listing_what_lies_apart_a_look_each() {
    let server = Server::start().await;
    let key = |workflow: usize, n: usize| format!("argo/train-{workflow:05}/{n:02}.tgz");
    let keys = (0..5000).flat_map(|workflow| (0..10).map(move |n| key(workflow, n))).collect();
    *server.held.lock().unwrap() = Held { keys, page: 1000, ..Held::default() };
    let all = |workflows: &mut dyn Iterator<Item = usize>, each: usize| -> Vec<(String, Reach)> {
        workflows.flat_map(|workflow| (0..each).map(move |n| (key(workflow, n), Reach::Key))).collect()
    };
    // Places, and the most requests that they may take.
    for (what, places, most) in [
        ("all of 500 workflows", all(&mut (1000..1500), 10), 5 * 2),
        ("all of every other workflow", all(&mut (1000..1500).step_by(2), 10), 10),
        ("one of each workflow", all(&mut (1000..1500), 1), 10),
        ("all of every hundredth", all(&mut (0..5000).step_by(100), 10), 50 + 1),
        ("two of every hundredth", all(&mut (0..5000).step_by(100), 2), 100 + 1),
        ("three", all(&mut (7..10), 1), 3),
    ] {
        for bucket in [gcs(), s3()] {
            let (found, asked) = server.find(&bucket, &places).await;
            assert!(
                found.iter().zip(&places).all(|(found, (key, _))| found == std::slice::from_ref(key)),
                "{what}"
            );
            assert!(asked <= most, "{bucket}, {what}: {asked} requests for {} places", places.len());
        }
    }
}

/// What a server's listing leaves out, for whatever reason of its own, is not called gone by it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_listing_of_a_relative_leaves_out_is_looked_for() {
    let server = Server::start().await;
    let keys: BTreeSet<String> =
        ["out", "out/1", "out/2", "out-1/1", "out-1/2", "out-1/3"].map(str::to_owned).into();
    let places = |reach| -> Vec<(String, Reach)> { keys.iter().map(|key| (key.clone(), reach)).collect() };
    let ordinary = Held { keys: keys.clone(), page: 3, ..Held::default() };
    for (what, held) in [
        ("nothing where it is to begin before the prefix", Held { strict: true, ..ordinary.clone() }),
        ("what another order puts on the next page", Held { by_folder: true, ..ordinary.clone() }),
        ("both", Held { by_folder: true, strict: true, ..ordinary }),
    ] {
        *server.held.lock().unwrap() = held;
        let (found, _) = server.find(&s3(), &places(Reach::Key)).await;
        let expected: Vec<Vec<String>> = keys.iter().map(|key| vec![key.clone()]).collect();
        assert_eq!(found, expected, "{what}");
    }
}

/// Where folders stand in an order of their own, nobody can be given what lies beyond a key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listing_of_a_relative_is_not_shared() {
    let server = Server::start().await;
    // After its first page the half of what is left would begin in `d/Z-`, which its server puts after `d/Z/`.
    let keys: BTreeSet<String> = ["d/Y/-", "d/Y/Z", "d/Z/0", "d/Z/1"].map(str::to_owned).into();
    *server.held.lock().unwrap() = Held { keys: keys.clone(), page: 2, by_folder: true, ..Held::default() };
    let listed = server.store.list(&s3(), "d/").await.unwrap();
    assert_eq!(listed.into_iter().map(|object| object.key).collect::<BTreeSet<_>>(), keys);
}

/// A listing that breaks off leaves every place found as it is, or not known.
#[test]
fn a_listing_that_breaks_off_makes_nothing_gone() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let server = runtime.block_on(Server::start());
    let key = || prop_oneof!["[ab/]{1,5}", "a/[0-9]{1,4}", "b/[0-9]{2}/[ab]"];
    let reach = prop_oneof![Just(Reach::Key), Just(Reach::Directory), Just(Reach::Beginning)];
    let places = proptest::collection::vec((key(), reach), 4..60);
    let status = prop_oneof![Just(200_u16), Just(400), Just(403), Just(404)];
    let strategy = (proptest::collection::btree_set(key(), 20..150), places, 2..20_usize, 0..6_usize, status);
    let config = ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() };
    proptest::test_runner::TestRunner::new(config)
        .run(&strategy, |(keys, places, page, well, status)| {
            for bucket in [gcs(), s3(), azure()] {
                let fails = Some((Arc::new(AtomicUsize::new(well)), status));
                *server.held.lock().unwrap() = Held { keys: keys.clone(), page, fails, ..Held::default() };
                let wanted: Vec<Place> =
                    places.iter().map(|(key, reach)| Place { key, reach: *reach }).collect();
                let found = runtime.block_on(server.store.objects_at(&bucket, &wanted, Depth::Listed, MANY));
                for (place, found) in places.iter().zip(found) {
                    let Ok(found) = found else { continue };
                    let found: Vec<String> = found.into_iter().map(|object| object.key).collect();
                    prop_assert_eq!(found, belongs(&keys, place), "{} {:?}", bucket, place);
                }
            }
            Ok(())
        })
        .unwrap();
}

/// A storage that writes a name in another way lists that, and shows the object to whoever asks for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_is_listed_in_another_way_is_looked_for() {
    let held = Held { keys: ["a/b".to_owned()].into(), page: 100, ..Held::default() };
    let faulty = FaultyStorage::start(move |asked| match asked.get("comp") {
        "list" => held.answer(asked),
        _ => answer(
            200,
            &[("etag", "\"e\""), ("last-modified", "Mon, 02 Nov 2026 00:00:00 GMT"), ("content-length", "1")],
            "",
        ),
    })
    .await;
    let keys = ["/a/b", "a//b", "a/b.", "a./b", "a\\b"];
    let places: Vec<Place> = keys.iter().map(|key| Place { key, reach: Reach::Key }).collect();
    let found = faulty.store().objects_at(&azure(), &places, Depth::Listed, MANY).await;
    for (key, found) in keys.iter().zip(found) {
        assert_eq!(found.unwrap().len(), 1, "{key}");
    }
}
