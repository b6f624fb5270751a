//! Look-ups, listings and deletes among names that were made to confuse orders, compared with what a plain client finds.

use crate::on_every_store;
use crate::support::stores::Case;
use argo_gc_core::model::object::ObjectFacts;
use argo_gc_store::store::MANY;
use argo_gc_store::types::{Depth, Outcome, Place, Reach, StoreError};
use futures::StreamExt;
use std::collections::{BTreeMap, BTreeSet};

/// Places that are looked up.
const PLACES: usize = 2500;

/// Requests of the plain client at a time.
const AT_A_TIME: usize = 8;

/// Names that stand before and after a slash, in one order of keys or another, or that somebody on the way might change.
const ODD: [&str; 44] = [
    "a", "a-b", "a.b", "a!", "a b", "a%2Fb", "a+b", "a'b", "a\"b", "A", "ä", "e\u{301}", "é", "😀",
    "\u{ff5e}", "\u{e000}", "a\\b", "a&b=c", "a#b", "a?b", "a;b", "a,b", "a:b", "a*b", "a<b>", "a\tb",
    "a\u{1}b", "a\u{7f}b", ".a", "..a", "...", "a.", "a..", "a ", " a", "~", "a~", "a0", "a_", "-", "%", "+",
    "%41", "a%20b",
];

on_every_store! {
    answers_are_those_of_a_plain_client:
    fn confusing_names_are_found_as_a_plain_client_finds_them_in_a_local_store() by local;
    fn confusing_names_are_found_as_a_plain_client_finds_them_on_fake_gcs() by fake_gcs;
    fn confusing_names_are_found_as_a_plain_client_finds_them_on_moto() by moto;
    fn confusing_names_are_found_as_a_plain_client_finds_them_on_minio() by minio;
    fn confusing_names_are_found_as_a_plain_client_finds_them_on_rclone() by rclone;
    fn confusing_names_are_found_as_a_plain_client_finds_them_on_versitygw() by versitygw;
    fn confusing_names_are_found_as_a_plain_client_finds_them_on_azurite() by azurite;
}

/// A number that tells names apart, the same in every run.
fn number(name: &str) -> u64 {
    name.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
        >> 7
}

/// Folders, what is in them, and their neighbours.
fn names() -> Vec<String> {
    let mut names: BTreeSet<String> = BTreeSet::new();
    for odd in ODD {
        for (at, other) in ODD.into_iter().enumerate() {
            // A tree can hold what is only a file or only a folder.
            names.extend([format!("t/{odd}/{other}"), format!("f/{odd}{other}")]);
            if at.is_multiple_of(11) {
                names.extend([format!("{odd}/{other}"), format!("x/{odd}/{other}/{odd}")]);
            }
        }
        let all = ["", "/", "/x", "/x/", "//x", "-x", "/x-y", "/x/y", ".x", "!x", "x"];
        names.extend(all.iter().map(|end| format!("x/{odd}{end}")));
    }
    names.into_iter().collect()
}

/// As many places, in no order, of which about half can have objects.
fn places(names: &[String]) -> Vec<(String, Reach)> {
    let near = |name: &String| {
        let shorter: String = name.chars().take(name.chars().count() - 1).collect();
        [name.clone(), format!("{name}/"), format!("{name}x"), shorter, format!("{name}/x")]
    };
    let mut places: Vec<String> = names.iter().flat_map(near).filter(|name| !name.is_empty()).collect();
    // Most are where objects are dense.
    let is_sparse = |name: &str| !name.starts_with("x/") && !number(name).is_multiple_of(16);
    places.sort_by_key(|name| (is_sparse(name), number(name)));
    places.dedup();
    let reaches = [Reach::Key, Reach::Directory, Reach::Directory, Reach::Beginning];
    let reach = |name: &str| reaches[(number(&format!("{name} ")) % 4) as usize];
    places.into_iter().take(PLACES).map(|name| (name.clone(), reach(&name))).collect()
}

type Sizes = BTreeMap<String, u64>;

fn sizes(objects: &[ObjectFacts]) -> Sizes {
    let sizes: Sizes = objects.iter().map(|object| (object.key.clone(), object.size)).collect();
    assert_eq!(sizes.len(), objects.len(), "a key comes twice");
    sizes
}

/// What a plain client finds at a place; none if the server refuses to tell.
async fn plainly(case: &Case, key: &str, reach: Reach) -> Option<Sizes> {
    let below = format!("{}/", key.trim_end_matches('/'));
    let mut found: Sizes = match reach {
        Reach::Beginning => case.plain_list(key).await.ok()?.into_iter().collect(),
        Reach::Key | Reach::Listed => Sizes::new(),
        Reach::Directory => case.plain_list(&below).await.ok()?.into_iter().collect(),
    };
    // What a key with a slash at its end marks is listed, too.
    if is_plain(key) && (reach == Reach::Key || reach == Reach::Directory && !key.ends_with('/')) {
        found.extend(case.plain_head(key).await.ok()?.map(|size| (key.to_owned(), size)));
    }
    Some(found)
}

/// True if no URL's parser changes the key.
fn is_plain(key: &str) -> bool {
    key.split('/').all(|part| !matches!(part, "." | ".."))
}

/// True if an empty listing may be that of another spelling: VersityGW drops empty names, and XML has no control characters.
fn may_be_renamed(key: &str) -> bool {
    key.contains("//") || key.contains(|c: char| c < ' ')
}

async fn answers_are_those_of_a_plain_client(cases: Vec<Case>) {
    for case in cases {
        let there = fill(&case).await;
        let (bucket, store) = (&case.bucket, &case.store);
        same(bucket, "all", &sizes(&store.list(bucket, "").await.unwrap()), &there);

        let asked = places(&names());
        assert_eq!(asked.len(), PLACES);
        let plain = futures::stream::iter(&asked).map(|(key, reach)| plainly(&case, key, *reach));
        let plain: Vec<Option<Sizes>> = plain.buffered(AT_A_TIME).collect().await;
        let some = plain.iter().flatten().filter(|found| !found.is_empty()).count();
        assert!(some > PLACES / 15, "{bucket}: {some} places have objects");
        let wanted: Vec<Place> = asked.iter().map(|(key, reach)| Place { key, reach: *reach }).collect();
        let mut wrong = Vec::new();
        for depth in [Depth::Listed, Depth::Whole] {
            let found = store.objects_at(bucket, &wanted, depth, MANY).await;
            for ((place, found), plain) in wanted.iter().zip(found).zip(&plain) {
                let is_right = match (&found, plain) {
                    (Ok(found), Some(plain)) => sizes(found) == *plain,
                    (Ok(found), None) => found.is_empty(),
                    // What no request can name is said to be so.
                    (Err(StoreError::BadKey(_)), Some(plain)) => !is_plain(place.key) || plain.is_empty(),
                    (Err(_), None) => true,
                    (Err(_), Some(_)) => may_be_renamed(place.key),
                };
                if !is_right {
                    let found = found.map(|found| sizes(&found)).map_err(|error| error.to_string());
                    wrong.push(format!("{place:?} {depth:?}: {found:?}, plainly {plain:?}"));
                }
            }
        }
        let few = wrong[..wrong.len().min(40)].join("\n");
        assert!(wrong.is_empty(), "{bucket}: {} answers differ:\n{few}", wrong.len());

        deletes_hit_what_they_name(&case, there).await;
    }
}

/// Writes about a thousand of the names, as far as the store takes them; what a plain client lists then.
async fn fill(case: &Case) -> Sizes {
    let names = names();
    let dense = |name: &String| number(name).is_multiple_of(if name.starts_with("x/") { 2 } else { 7 });
    let put = async |(at, name): (usize, &String)| {
        // What marks a folder must be empty on many a server.
        let length = if name.ends_with('/') { 0 } else { 1 + at % 50 };
        case.try_put(name, &"x".repeat(length)).await.err()
    };
    let wanted = names.iter().filter(|name| dense(name) && !case.lacks(name)).enumerate();
    // One by one: rclone lists a file that was written while a folder of its name was, and shows none.
    let refused: Vec<_> = futures::stream::iter(wanted).then(put).collect().await;
    let there: Sizes = case.plain_list("").await.unwrap().into_iter().collect();
    println!(
        "{}: {} objects; {} names are not taken",
        case.bucket,
        there.len(),
        refused.iter().flatten().count()
    );
    assert!(there.len() > 400, "{}: {}", case.bucket, there.len());
    there
}

fn same(bucket: &argo_gc_core::model::bucket::Bucket, what: &str, ours: &Sizes, plain: &Sizes) {
    let differ: Vec<_> = ours
        .iter()
        .filter(|(key, size)| plain.get(*key) != Some(size))
        .map(|object| ("ours", object))
        .chain(
            plain.iter().filter(|(key, size)| ours.get(*key) != Some(size)).map(|object| ("plain", object)),
        )
        .collect();
    assert!(
        differ.is_empty(),
        "{bucket}, {what}: {} differ: {:?}",
        differ.len(),
        &differ[..differ.len().min(40)]
    );
}

/// Each fourth object goes, by its pin; what was written anew since stays, and so does everything else.
async fn deletes_hit_what_they_name(case: &Case, there: Sizes) {
    let (bucket, store) = (&case.bucket, &case.store);
    // A replacement character stands for what XML can't hold: there is nothing of that name.
    let is_exact = |key: &&String| is_plain(key) && !key.ends_with('/') && !key.contains('\u{fffd}');
    let chosen: Vec<&String> =
        there.keys().filter(|key| number(key).is_multiple_of(4)).filter(is_exact).collect();
    let looks = futures::stream::iter(&chosen).map(|key| store.head(bucket, key)).buffered(AT_A_TIME);
    let pins: Vec<String> = looks.map(|found| found.unwrap().unwrap().generation).collect().await;
    // S3 and folders tell writes apart by the second and by size.
    let mut left = there.clone();
    let mut wrong = Vec::new();
    for (at, (key, pin)) in chosen.iter().zip(&pins).enumerate() {
        if at % 10 == 0 {
            case.put(key, &"new".repeat(40)).await;
            left.insert((*key).clone(), 120);
        }
        match (store.delete(bucket, key, pin).await, at % 10) {
            (Outcome::Changed, 0) => {}
            (Outcome::Deleted, 1..) => {
                left.remove(*key);
            }
            (outcome, _) => wrong.push(format!("{key:?}: {outcome:?}")),
        }
    }
    assert!(
        wrong.is_empty(),
        "{bucket}: {} deletes: {}",
        wrong.len(),
        wrong[..wrong.len().min(40)].join("\n")
    );
    let now: Sizes = case.plain_list("").await.unwrap().into_iter().collect();
    same(bucket, "after deletes", &left, &now);
    for key in chosen {
        assert_eq!(case.plain_head(key).await, Ok(left.get(key).copied()), "{bucket} {key:?}");
    }
}
