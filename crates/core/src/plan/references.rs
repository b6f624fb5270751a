//! Who still needs what: every use of a location by anything visible, as hashes.
//!
//! A hundred thousand workflows name millions of locations; sixteen bytes each must do. A collision of two
//! hashes protects an object too many, never too few.

use crate::argo::uses::Use;
use crate::model::location::clean;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hasher};

/// Something that names locations.
#[derive(Debug, Clone)]
pub struct Referrer {
    /// As users know it: `workflow ml/train-x7k2p`, `cache ml/build-cache`.
    pub name: String,
    /// The workflow's UID; empty for other kinds.
    pub uid: String,
}

impl Referrer {
    /// Namespace and name, if it is a workflow.
    pub fn workflow(&self) -> Option<(&str, &str)> {
        self.name.strip_prefix(WORKFLOW)?.split_once('/')
    }
}

/// What the names of workflows begin with.
const WORKFLOW: &str = "workflow ";

/// Number of a [`Referrer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReferrerId(u32);

/// The uses gathered so far.
#[derive(Debug, Default)]
pub struct ReferencesBuilder {
    referrers: Vec<Referrer>,
    uses: Vec<Entry>,
    readers: Vec<Entry>,
    /// Addresses in texts.
    mentions: Vec<Entry>,
    /// Read by keys with a variable and nothing before it: they may read anything.
    anything: Vec<ReferrerId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    hash: u64,
    by: ReferrerId,
    /// An input rather than an output.
    read: bool,
}

/// Where key-only uses of a referrer may lie.
#[derive(Debug, Clone, Default)]
pub struct Buckets(pub Vec<String>);

impl ReferencesBuilder {
    /// Registers a workflow as a referrer.
    pub fn workflow(&mut self, namespace: &str, name: &str, uid: &str) -> ReferrerId {
        self.referrer(format!("{WORKFLOW}{namespace}/{name}"), uid.to_owned())
    }

    /// Registers a referrer.
    pub fn referrer(&mut self, name: String, uid: String) -> ReferrerId {
        let id = ReferrerId(u32::try_from(self.referrers.len()).unwrap_or(u32::MAX));
        self.referrers.push(Referrer { name, uid });
        id
    }

    /// Takes a use in. A key without a bucket lies in one of `buckets`, or, where there are none, in any.
    ///
    /// A read key counts for all objects it is a beginning of: GCS directories are read by bare prefix
    /// (`docs/argo-gc.md#gcs`). Of a read key with a variable the part before it counts, if `open`: a run may come that
    /// fills it in. Output keys with a variable name nothing yet.
    pub fn add(&mut self, by: ReferrerId, found: &Use, buckets: &Buckets, open: bool) {
        let Use { bucket, key, read, mentioned } = found;
        let variable = key.find("{{");
        if (variable.is_some() || bucket.contains("{{")) && !(*read && open) {
            return;
        }
        let bucket = if bucket.contains("{{") { "" } else { bucket.as_str() };
        let key = match variable {
            Some(at) => beginning(key, at),
            // No object's key begins with a slash or climbs, but a driver may make one of such a key.
            None => clean(key).trim_start_matches('/').to_owned(),
        };
        if matches!(key.as_str(), "" | "." | "..") || key.starts_with("../") {
            if *read {
                self.anything.push(by);
            }
            return;
        }
        let known = [bucket.to_owned()];
        let places: &[String] = if bucket.is_empty() && !buckets.0.is_empty() { &buckets.0 } else { &known };
        for place in places {
            let entry = Entry { hash: hash(place, &key), by, read: *read };
            // An exact read needs no second entry: every beginning of a key is looked up among the readers.
            match (*mentioned, *read) {
                (true, _) => self.mentions.push(entry),
                (false, true) => self.readers.push(entry),
                (false, false) => self.uses.push(entry),
            }
        }
    }

    /// Takes over what was gathered elsewhere.
    pub fn absorb(&mut self, other: Self) {
        let offset = u32::try_from(self.referrers.len()).unwrap_or(u32::MAX);
        let shift = |id: ReferrerId| ReferrerId(id.0.saturating_add(offset));
        self.referrers.extend(other.referrers);
        self.uses.extend(other.uses.into_iter().map(|entry| Entry { by: shift(entry.by), ..entry }));
        self.readers.extend(other.readers.into_iter().map(|entry| Entry { by: shift(entry.by), ..entry }));
        self.mentions.extend(other.mentions.into_iter().map(|entry| Entry { by: shift(entry.by), ..entry }));
        self.anything.extend(other.anything.into_iter().map(shift));
    }

    /// Sorts what was gathered, ready to be asked.
    pub fn finish(mut self) -> References {
        for entries in [&mut self.uses, &mut self.readers, &mut self.mentions] {
            entries.sort_unstable();
            entries.dedup();
            entries.shrink_to_fit();
        }
        self.anything.sort_unstable();
        self.anything.dedup();
        References { gathered: self }
    }
}

/// All uses, ready to be asked.
#[derive(Debug, Default)]
pub struct References {
    gathered: ReferencesBuilder,
}

/// Locations that selected workflows give up, and the workflows themselves.
#[derive(Debug, Default)]
pub struct Released {
    workflows: HashSet<String>,
    /// Hashes of UID and place, sorted; eight bytes each, for there may be millions.
    places: Vec<u64>,
    whole: HashSet<String>,
}

impl Released {
    /// A workflow all guards let through: what it merely reads does not count.
    pub fn workflow(&mut self, uid: &str) {
        self.workflows.insert(uid.to_owned());
    }

    /// A workflow of a plan already made: whatever of it was to be kept is not in the plan.
    pub fn whole(&mut self, uid: &str) {
        self.whole.insert(uid.to_owned());
    }

    /// An artifact the workflow gives up.
    pub fn place(&mut self, uid: &str, bucket: &str, key: &str) {
        self.places.extend([place_of(uid, hash(bucket, key)), place_of(uid, hash("", key))]);
    }

    /// Sorts what was added, ready to be asked.
    pub fn finish(&mut self) {
        self.places.sort_unstable();
        self.places.dedup();
        self.places.shrink_to_fit();
    }

    fn has(&self, uid: &str, hash: u64) -> bool {
        self.places.binary_search(&place_of(uid, hash)).is_ok()
    }
}

impl References {
    /// The first referrer that still needs the object, if any.
    pub fn holder(&self, bucket: &str, key: &str, released: &Released) -> Option<&Referrer> {
        self.holder_within(bucket, key, key, released)
    }

    /// As [`Self::holder`], for an object of the artifact with a key: an address in some text counts from there
    /// on. One of a folder above names whatever is written there, and holds nothing in particular.
    pub fn holder_within(
        &self,
        bucket: &str,
        key: &str,
        artifact: &str,
        released: &Released,
    ) -> Option<&Referrer> {
        self.find(bucket, key, artifact.len(), &mut |entry| !self.is_released(entry, released))
    }

    /// Other workflows than the one with this UID that refer to the object, whether they give it up or not.
    pub fn others(&self, bucket: &str, key: &str, uid: &str) -> Vec<&Referrer> {
        let mut others: Vec<&Referrer> = Vec::new();
        self.find(bucket, key, key.len(), &mut |entry| {
            if let Some(referrer) = self.gathered.referrers.get(entry.by.0 as usize)
                && !referrer.uid.is_empty()
                && referrer.uid != uid
                && others.iter().all(|other| other.uid != referrer.uid)
            {
                others.push(referrer);
            }
            false
        });
        others
    }

    /// The first referrer to the object of whose entries one is wanted.
    fn find(
        &self,
        bucket: &str,
        key: &str,
        artifact: usize,
        wanted: &mut dyn FnMut(&Entry) -> bool,
    ) -> Option<&Referrer> {
        let mut hashers = [hasher(bucket), hasher("")];
        let (bytes, gathered) = (key.as_bytes(), &self.gathered);
        let mut hashed = 0;
        for at in 0..bytes.len() {
            let whole = bytes.get(at + 1).is_none_or(|next| *next == b'/');
            if !whole && gathered.readers.is_empty() {
                continue;
            }
            for hasher in &mut hashers {
                hasher.write(&bytes[hashed..=at]);
                let hash = hasher.finish();
                let found = find(&gathered.readers, hash)
                    .chain(find(if whole { &gathered.uses } else { &[] }, hash))
                    .chain(find(if whole && at + 1 >= artifact { &gathered.mentions } else { &[] }, hash))
                    .find(|entry| wanted(entry));
                if let Some(entry) = found {
                    return self.gathered.referrers.get(entry.by.0 as usize);
                }
            }
            hashed = at + 1;
        }
        None
    }

    /// Those that read keys made of variables alone: what they read can't be told.
    pub fn readers_of_anything(&self) -> impl Iterator<Item = &Referrer> {
        self.gathered.anything.iter().filter_map(|id| self.gathered.referrers.get(id.0 as usize))
    }

    /// Uses held.
    pub fn len(&self) -> usize {
        self.gathered.uses.len() + self.gathered.readers.len() + self.gathered.mentions.len()
    }

    /// Nothing refers to anything.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn is_released(&self, entry: &Entry, released: &Released) -> bool {
        let Some(referrer) = self.gathered.referrers.get(entry.by.0 as usize) else { return false };
        if referrer.uid.is_empty() {
            return false;
        }
        if released.whole.contains(&referrer.uid) {
            return true;
        }
        match entry.read {
            true => released.workflows.contains(&referrer.uid),
            false => released.has(&referrer.uid, entry.hash),
        }
    }
}

/// The constant beginning of a key with a variable at this place; empty when it may lie anywhere.
fn beginning(key: &str, variable: usize) -> String {
    let (constant, rest) = key.split_at(variable);
    if rest.contains("/..") {
        return String::new();
    }
    let constant = constant.trim_start_matches('/');
    let Some((folder, last)) = constant.rsplit_once('/') else { return constant.to_owned() };
    match clean(folder).as_str() {
        "." => last.to_owned(),
        folder => format!("{folder}/{last}"),
    }
}

fn find(entries: &[Entry], hash: u64) -> impl Iterator<Item = &Entry> {
    let start = entries.partition_point(|entry| entry.hash < hash);
    entries[start..].iter().take_while(move |entry| entry.hash == hash)
}

fn place_of(uid: &str, hash: u64) -> u64 {
    let mut hasher = hasher(uid);
    hasher.write_u64(hash);
    hasher.finish()
}

fn hasher(bucket: &str) -> DefaultHasher {
    let mut hasher = DefaultHasher::new();
    hasher.write(bucket.as_bytes());
    hasher.write(b"\0");
    hasher
}

fn hash(bucket: &str, key: &str) -> u64 {
    let mut hasher = hasher(bucket);
    hasher.write(key.as_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::argo::uses::Use;
    use crate::model::location::clean;
    use proptest::prelude::*;

    fn references(uses: &[(&str, &str, bool)]) -> References {
        let mut gathering = ReferencesBuilder::default();
        let by = gathering.referrer("workflow ml/w".into(), "u1".into());
        for (bucket, key, read) in uses {
            let found = Use { bucket: (*bucket).into(), key: (*key).into(), read: *read, ..Use::default() };
            gathering.add(by, &found, &Buckets(vec!["repo".into()]), true);
        }
        gathering.finish()
    }

    fn held(references: &References, bucket: &str, key: &str) -> bool {
        references.holder(bucket, key, &Released::default()).is_some()
    }

    #[test]
    fn an_output_holds_itself_and_what_lies_below_but_no_neighbour() {
        let references = references(&[("b", "a/b", false)]);
        assert!(held(&references, "b", "a/b") && held(&references, "b", "a/b/c"));
        assert!(
            !held(&references, "b", "a/bc") && !held(&references, "b", "a") && !held(&references, "c", "a/b")
        );
    }

    #[test]
    fn a_reader_holds_all_that_its_key_begins() {
        let references = references(&[("b", "a/b", true)]);
        assert!(held(&references, "b", "a/b") && held(&references, "b", "a/bc"));
        assert!(!held(&references, "b", "a/c"));
    }

    #[test]
    fn a_key_alone_lies_in_the_repository_or_anywhere() {
        assert!(held(&references(&[("", "k", false)]), "repo", "k"));
        assert!(!held(&references(&[("", "k", false)]), "other", "k"));
        let mut gathering = ReferencesBuilder::default();
        let by = gathering.referrer("cache ml/c".into(), String::new());
        gathering.add(by, &Use { key: "k".into(), ..Use::default() }, &Buckets::default(), true);
        assert!(held(&gathering.finish(), "other", "k"));
    }

    #[test]
    fn forms_of_one_key_are_one_key() {
        assert!(held(&references(&[("b", "./a//b/", false)]), "b", "a/b"));
    }

    #[test]
    fn forms_of_a_read_beginning_are_one_too() {
        for key in ["data//{{x}}", "./data/{{x}}", "/data/{{x}}", "a/../data/{{x}}/y", "/data/1"] {
            assert!(held(&references(&[("b", key, true)]), "b", "data/1"), "{key}");
        }
        for key in ["./{{x}}", "/{{x}}", "../{{x}}", "data/{{x}}/../../other", "/"] {
            assert_eq!(references(&[("b", key, true)]).readers_of_anything().count(), 1, "{key}");
        }
    }

    #[test]
    fn an_address_holds_its_object_or_the_artifact_it_lies_in_but_no_folder_above() {
        let mut gathering = ReferencesBuilder::default();
        let by = gathering.referrer("workflow template x/t".into(), String::new());
        let found = Use { bucket: "b".into(), key: "argo/dir".into(), read: true, mentioned: true };
        gathering.add(by, &found, &Buckets::default(), true);
        let (references, released) = (gathering.finish(), Released::default());
        let held = |key, artifact| references.holder_within("b", key, artifact, &released).is_some();
        assert!(held("argo/dir/x", "argo/dir") && held("argo/dir", "argo/dir") && held("argo/dir/x", "argo"));
        assert!(!held("argo/dir/x", "argo/dir/x") && !held("argo/dirx", "argo/dirx"));
    }

    #[test]
    fn variables_hold_what_may_be_read_only() {
        let with_inputs = references(&[("b", "data/{{x}}", true), ("b", "out/{{x}}", false)]);
        assert!(held(&with_inputs, "b", "data/1") && !held(&with_inputs, "b", "out/1"));
        let anything = references(&[("b", "{{x}}", true)]);
        assert!(!held(&anything, "b", "data/1"));
        assert_eq!(anything.readers_of_anything().count(), 1);
    }

    #[test]
    fn what_a_workflow_gives_up_does_not_hold() {
        let references = references(&[("b", "k", false), ("b", "in", true), ("b", "kept", false)]);
        let mut released = Released::default();
        released.workflow("u1");
        released.place("u1", "b", "k");
        released.finish();
        assert!(references.holder("b", "k", &released).is_none());
        assert!(references.holder("b", "in", &released).is_none());
        assert!(references.holder("b", "kept", &released).is_some());
    }

    proptest! {
        #[test]
        fn hashing_by_parts_is_hashing_the_whole(bucket in "[a-z]{0,4}", key in ".{1,30}") {
            let references = references(&[(&bucket, &key, false)]);
            let cleaned = clean(&key);
            let place = if bucket.is_empty() { "repo" } else { &bucket };
            // No other key is ever deleted.
            prop_assume!(crate::model::object::is_safe(&cleaned));
            prop_assert!(held(&references, place, &cleaned));
        }
    }
}
