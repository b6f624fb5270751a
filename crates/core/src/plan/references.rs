//! Keeps every use of a location by any visible object, as hashes, to find out which objects are still needed.
//!
//! A hundred thousand workflows name millions of locations, so each use takes only sixteen bytes. A collision
//! of two hashes can protect an additional object, but never leaves one unprotected.

pub mod later;

use crate::argo::uses::Use;
use crate::model::location::clean;
use crate::plan::told::Told;
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hasher};

/// Something that names locations.
#[derive(Debug, Clone)]
pub struct Referrer {
    /// The name for users: `workflow ml/train-x7k2p`, `cache ml/build-cache`.
    pub name: String,
    /// The workflow's UID; empty for other kinds.
    pub uid: String,
}

impl Referrer {
    /// Returns namespace and name if the referrer is a workflow.
    pub fn workflow(&self) -> Option<(&str, &str)> {
        self.name.strip_prefix(WORKFLOW)?.split_once('/')
    }
}

/// What a referrer's name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReferrerName<'a> {
    /// `workflow`, `cron workflow`, `cache`, …
    pub kind: &'a str,
    /// Empty for what is in no namespace.
    pub namespace: &'a str,
    pub name: &'a str,
    /// Another cluster that told of it; empty for this one.
    pub cluster: &'a str,
}

impl<'a> ReferrerName<'a> {
    /// Takes a referrer's name apart.
    pub fn parse(name: &'a str) -> Self {
        let (own, cluster) = name.split_once(OF_CLUSTER).unwrap_or((name, ""));
        let (kind, object) = own.rsplit_once(' ').unwrap_or(("", own));
        let (namespace, name) = object.split_once('/').unwrap_or(("", object));
        Self { kind, namespace, name, cluster }
    }
}

/// The prefix of the names of workflows.
const WORKFLOW: &str = "workflow ";

/// What stands between the name of another cluster's referrer and that of the cluster.
const OF_CLUSTER: &str = " of the cluster ";

/// The way in which a referrer names an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// It wrote the object.
    Output,
    /// It reads the object, or may.
    Input,
    /// The object's address stands in it.
    Address,
    /// Its text names the object in another way.
    Text,
}

/// How much of an object's key a reference names. The order is from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extent {
    /// The beginning, which ends within a name.
    Beginning,
    /// A folder that the object is in.
    Folder,
    /// All of it.
    Whole,
}

/// One reference to an object.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'r> {
    pub referrer: &'r Referrer,
    pub role: Role,
    /// True if the referrer gives the object up, because it is selected itself.
    pub released: bool,
    pub extent: Extent,
}

/// The index of a [`Referrer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReferrerId(u32);

/// The uses gathered so far.
#[derive(Debug, Default)]
pub struct ReferencesBuilder {
    referrers: Vec<Referrer>,
    uses: Vec<Entry>,
    readers: Vec<Entry>,
    /// Uses by an address in some text.
    mentions: Vec<Entry>,
    /// Referrers that read a key that starts with a variable: they may read any object.
    anything: Vec<ReferrerId>,
    /// What each referrer needs in plain words, if it is to be told to others.
    told: Option<Vec<Told>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    hash: u64,
    by: ReferrerId,
    /// True for an input, false for an output.
    read: bool,
}

/// The buckets that may hold the objects a referrer names by key only.
#[derive(Debug, Clone, Default)]
pub struct Buckets(pub Vec<String>);

impl ReferencesBuilder {
    /// Begins to gather in plain words too, which takes more memory.
    pub fn telling() -> Self {
        Self { told: Some(Vec::new()), ..Self::default() }
    }

    /// Returns true if it gathers in plain words too.
    pub fn is_telling(&self) -> bool {
        self.told.is_some()
    }

    /// Returns what was gathered in plain words, and gathers no more of it.
    pub fn take_told(&mut self) -> Vec<Told> {
        self.told.take().unwrap_or_default()
    }

    /// Adds the text of a referrer that is not over. It counts only for what is told to others.
    pub fn text(&mut self, by: ReferrerId, text: &str) {
        if let Some(told) = self.told_of(by) {
            told.add_words(text);
        }
    }

    fn told_of(&mut self, by: ReferrerId) -> Option<&mut Told> {
        self.told.as_mut()?.get_mut(by.0 as usize)
    }

    /// Adds what another cluster told of one of its referrers.
    pub fn hear(&mut self, told: &Told, cluster: &str) {
        let by = self.referrer(format!("{}{OF_CLUSTER}{cluster}", told.name), String::new());
        for found in &told.uses {
            self.add(by, found, &Buckets::default(), true);
        }
        for key in told.paths() {
            let found = Use { bucket: String::new(), key, read: true, mentioned: true };
            self.add(by, &found, &Buckets::default(), true);
        }
    }

    /// Registers a workflow as a referrer.
    pub fn workflow(&mut self, namespace: &str, name: &str, uid: &str) -> ReferrerId {
        self.referrer(format!("{WORKFLOW}{namespace}/{name}"), uid.to_owned())
    }

    /// Registers a referrer.
    pub fn referrer(&mut self, name: String, uid: String) -> ReferrerId {
        let id = ReferrerId(u32::try_from(self.referrers.len()).unwrap_or(u32::MAX));
        if let Some(told) = &mut self.told {
            told.push(Told::new(&name));
        }
        self.referrers.push(Referrer { name, uid });
        id
    }

    /// Adds a use. A key without a bucket is in one of `buckets`, or, if `buckets` is empty, in any bucket.
    ///
    /// A read key refers to all objects whose keys start with it, because Argo reads GCS directories by bare
    /// prefix (`docs/argo-gc.md#gcs`). If `open` is true, a future run may fill in the variable of a read key,
    /// so the part before the variable counts as a read key. An output key with a variable refers to no object
    /// yet.
    pub fn add(&mut self, by: ReferrerId, found: &Use, buckets: &Buckets, open: bool) {
        let Use { bucket, key, read, mentioned } = found;
        let variable = key.find("{{");
        if (variable.is_some() || bucket.contains("{{")) && !(*read && open) {
            return;
        }
        let bucket = if bucket.contains("{{") { "" } else { bucket.as_str() };
        let key = match variable {
            Some(at) => beginning(key, at),
            // No object has a key that starts with a slash or contains `..`, but a driver may clean such a key
            // into one that exists.
            None => clean(key).trim_start_matches('/').to_owned(),
        };
        if matches!(key.as_str(), "" | "." | "..") || key.starts_with("../") {
            if *read {
                self.anything.push(by);
                self.tell(by, Use { read: true, ..Use::default() });
            }
            return;
        }
        let known = [bucket.to_owned()];
        let places: &[String] = if bucket.is_empty() && !buckets.0.is_empty() { &buckets.0 } else { &known };
        for place in places {
            let entry = Entry { hash: hash(place, &key), by, read: *read };
            self.tell(
                by,
                Use { bucket: place.clone(), key: key.clone(), read: *read, mentioned: *mentioned },
            );
            // An exact read needs no second entry, because `find` looks up every prefix of a key among the
            // readers.
            match (*mentioned, *read) {
                (true, _) => self.mentions.push(entry),
                (false, true) => self.readers.push(entry),
                (false, false) => self.uses.push(entry),
            }
        }
    }

    fn tell(&mut self, by: ReferrerId, found: Use) {
        if let Some(told) = self.told_of(by) {
            told.uses.insert(found);
        }
    }

    /// Adds everything that `other` gathered.
    pub fn absorb(&mut self, other: Self) {
        let offset = u32::try_from(self.referrers.len()).unwrap_or(u32::MAX);
        let shift = |id: ReferrerId| ReferrerId(id.0.saturating_add(offset));
        self.referrers.extend(other.referrers);
        if let (Some(told), Some(more)) = (&mut self.told, other.told) {
            told.extend(more);
        }
        self.uses.extend(other.uses.into_iter().map(|entry| Entry { by: shift(entry.by), ..entry }));
        self.readers.extend(other.readers.into_iter().map(|entry| Entry { by: shift(entry.by), ..entry }));
        self.mentions.extend(other.mentions.into_iter().map(|entry| Entry { by: shift(entry.by), ..entry }));
        self.anything.extend(other.anything.into_iter().map(shift));
    }

    /// Sorts the entries and makes them searchable.
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

/// All uses, sorted for searches.
#[derive(Debug, Default)]
pub struct References {
    gathered: ReferencesBuilder,
}

/// Locations that selected workflows give up, and the workflows themselves.
#[derive(Debug, Default)]
pub struct Released {
    workflows: HashSet<String>,
    /// Sorted hashes of UID and place. Each takes eight bytes only, because there may be millions.
    places: Vec<u64>,
    whole: HashSet<String>,
    settled: HashSet<Run>,
}

/// The entries of one list that have one hash: all uses of one place, all its readers, or all mentions of it.
type Run = (Role, u64);

/// The number of entries above which it is remembered that none of them holds. Thousands of workflows may name one
/// place, and each of them asks who holds it.
const MANY: usize = 16;

impl Released {
    /// Adds a workflow that passed all guards. Its inputs no longer protect objects.
    pub fn workflow(&mut self, uid: &str) {
        self.workflows.insert(uid.to_owned());
    }

    /// Adds a workflow of an existing plan. None of its references protect objects, because the plan does not
    /// contain the objects it keeps.
    pub fn whole(&mut self, uid: &str) {
        self.whole.insert(uid.to_owned());
    }

    /// Adds an artifact that the workflow gives up.
    pub fn place(&mut self, uid: &str, bucket: &str, key: &str) {
        self.places.extend([place_of(uid, hash(bucket, key)), place_of(uid, hash("", key))]);
    }

    /// Sorts the places for searches.
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
    /// Returns the first referrer that still needs the object, if there is one.
    pub fn holder(&self, bucket: &str, key: &str, released: &Released) -> Option<&Referrer> {
        self.holder_within(bucket, key, key, released)
    }

    /// Works like [`Self::holder`], for an object that belongs to the artifact with the key `artifact`.
    ///
    /// An address in some text counts only if it names the artifact's key or something below it. The address of
    /// a folder above the artifact does not protect any particular object in it.
    pub fn holder_within(
        &self,
        bucket: &str,
        key: &str,
        artifact: &str,
        released: &Released,
    ) -> Option<&Referrer> {
        let settled = &released.settled;
        self.find(bucket, key, artifact.len(), settled, &mut |entry, _| !self.is_released(entry, released))
    }

    /// Remembers the places that all of their many holders give up. These are the references that the released places
    /// are asked of from then on.
    pub fn settle(&self, released: &mut Released) {
        let ReferencesBuilder { readers, uses, mentions, .. } = &self.gathered;
        for (role, entries) in [(Role::Input, readers), (Role::Output, uses), (Role::Address, mentions)] {
            for run in entries.chunk_by(|a, b| a.hash == b.hash).filter(|run| run.len() > MANY) {
                if run.iter().all(|entry| self.is_released(entry, released)) {
                    released.settled.insert((role, run[0].hash));
                }
            }
        }
    }

    /// Returns every reference to the object, of those that [`Self::holder_within`] looks for.
    pub fn all_within(
        &self,
        bucket: &str,
        key: &str,
        artifact: &str,
        released: &Released,
    ) -> Vec<Standing<'_>> {
        let mut found: BTreeMap<(ReferrerId, Role), (bool, Extent)> = BTreeMap::new();
        self.find(bucket, key, artifact.len(), &HashSet::new(), &mut |entry, (role, extent)| {
            let gives_up = self.is_released(entry, released);
            // What it gives up by one name and needs by another it needs.
            let known = found.entry((entry.by, role)).or_insert((true, extent));
            *known = (known.0 && gives_up, known.1.max(extent));
            false
        });
        let standing = |((id, role), (released, extent)): ((ReferrerId, Role), (bool, Extent))| {
            let referrer = self.gathered.referrers.get(id.0 as usize)?;
            Some(Standing { referrer, role, released, extent })
        };
        found.into_iter().filter_map(standing).collect()
    }

    /// Returns the workflows other than the one with this UID that refer to the object, including those that
    /// give it up.
    pub fn others(&self, bucket: &str, key: &str, uid: &str) -> Vec<(ReferrerId, &Referrer)> {
        let mut others: Vec<ReferrerId> = Vec::new();
        self.find(bucket, key, key.len(), &HashSet::new(), &mut |entry, _| {
            others.push(entry.by);
            false
        });
        others.sort_unstable();
        others.dedup();
        let referrer = |id: ReferrerId| Some((id, self.gathered.referrers.get(id.0 as usize)?));
        let is_other = |referrer: &Referrer| !referrer.uid.is_empty() && referrer.uid != uid;
        others.into_iter().filter_map(referrer).filter(|(_, referrer)| is_other(referrer)).collect()
    }

    /// Returns the first referrer to the object that has an entry for which `wanted` returns true. The entries of `settled`
    /// are passed over.
    fn find(
        &self,
        bucket: &str,
        key: &str,
        artifact: usize,
        settled: &HashSet<Run>,
        wanted: &mut dyn FnMut(&Entry, (Role, Extent)) -> bool,
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
                let extent = match whole {
                    true if at + 1 == bytes.len() => Extent::Whole,
                    true => Extent::Folder,
                    false => Extent::Beginning,
                };
                let found = [
                    (Role::Input, true, &gathered.readers),
                    (Role::Output, whole, &gathered.uses),
                    (Role::Address, whole && at + 1 >= artifact, &gathered.mentions),
                ]
                .into_iter()
                .filter(|(role, counts, _)| *counts && !settled.contains(&(*role, hash)))
                .flat_map(|(role, _, entries)| find(entries, hash).map(move |entry| (entry, role)))
                .find(|(entry, role)| wanted(entry, (*role, extent)));
                if let Some((entry, _)) = found {
                    return self.gathered.referrers.get(entry.by.0 as usize);
                }
            }
            hashed = at + 1;
        }
        None
    }

    /// Returns the referrers that read a key that starts with a variable: it is unknown which objects they
    /// read.
    pub fn readers_of_anything(&self) -> impl Iterator<Item = &Referrer> {
        self.gathered.anything.iter().filter_map(|id| self.gathered.referrers.get(id.0 as usize))
    }

    /// Returns the number of uses.
    pub fn len(&self) -> usize {
        self.gathered.uses.len() + self.gathered.readers.len() + self.gathered.mentions.len()
    }

    /// Returns true if there are no uses.
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

/// Returns the constant prefix of a key with a variable at this index, or an empty text if the key may be
/// anywhere.
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
mod tests;
