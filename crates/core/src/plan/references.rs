//! Keeps every use of a location by any visible object, as hashes, to find out which objects are still needed.
//!
//! A hundred thousand workflows name millions of locations, so each use takes only sixteen bytes. A collision
//! of two hashes can protect an additional object, but never leaves one unprotected.

pub mod crowd;
pub mod later;
pub mod referrer;
pub mod released;

use crate::argo::uses::Use;
use crate::model::location::clean;
use crate::plan::references::crowd::{Asked, Crowd};
use crate::plan::references::referrer::{Entry, OF_CLUSTER, Run, WORKFLOW, hash, hasher};
use crate::plan::told::Told;
use std::collections::{BTreeMap, HashSet};
use std::hash::Hasher;

pub use crate::plan::references::referrer::{Referrer, ReferrerId, ReferrerName, Role};
pub use crate::plan::references::released::Released;

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

    /// Moves everything into a crowd. Only those who may read anything are kept by name, in `named`.
    pub fn join(self, crowd: &mut Crowd, named: &mut Self) {
        let lists = [(Role::Output, self.uses), (Role::Input, self.readers), (Role::Address, self.mentions)];
        for (role, entries) in lists {
            entries.into_iter().for_each(|entry| crowd.add(role, entry.hash));
        }
        let (mut anything, referrers) = (self.anything, self.referrers);
        anything.sort_unstable();
        anything.dedup();
        for by in anything {
            if let Some(Referrer { name, uid }) = referrers.get(by.0 as usize).cloned() {
                let by = named.referrer(name, uid);
                named.anything.push(by);
            }
        }
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
        References { gathered: self, crowd: None }
    }
}

/// All uses, sorted for searches, and a crowd's.
#[derive(Debug, Default)]
pub struct References {
    gathered: ReferencesBuilder,
    crowd: Option<Asked>,
}

/// The number of entries above which it is remembered that none of them holds. Thousands of workflows may name one
/// place, and each of them asks who holds it.
const MANY: usize = 16;

impl References {
    /// Adds what a crowd refers to.
    pub fn with(mut self, crowd: Crowd) -> Self {
        let by = self.gathered.referrer("a workflow".to_owned(), String::new());
        self.crowd = Some(Asked { crowd, by });
        self
    }

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
        let reads = !gathered.readers.is_empty() || self.crowd.as_ref().is_some_and(Asked::reads);
        let mut hashed = 0;
        for at in 0..bytes.len() {
            let whole = bytes.get(at + 1).is_none_or(|next| *next == b'/');
            if !whole && !reads {
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
                .filter(|(_, counts, _)| *counts)
                .flat_map(|(role, _, entries)| {
                    let most = if settled.contains(&(role, hash)) { 0 } else { usize::MAX };
                    let crowd = self.crowd.as_ref().and_then(|crowd| crowd.entry(role, hash));
                    let named = find(entries, hash).take(most).copied();
                    named.chain(crowd).map(move |entry| (entry, role))
                })
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
        let ReferencesBuilder { uses, readers, mentions, .. } = &self.gathered;
        uses.len() + readers.len() + mentions.len() + self.crowd.as_ref().map_or(0, Asked::len)
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

#[cfg(test)]
mod tests;
