//! The keys of a plan, as hashes, to find out which of them a text names.
//!
//! There is no end of ways to write an object's address, so texts are not searched for addresses. They are searched
//! for the keys themselves, and for the folders above them that still tell a workflow. Whatever is around a path
//! in a text ends it; within a text, every path that begins and ends at a slash is looked up.

mod decode;
mod path;
mod text;
mod tokens;

use crate::plan::planned_keys::path::{Kind, hash, is_all_plain, runs, trim};
use crate::plan::rules::Allowed;
use std::collections::HashSet;
use std::fmt;

/// Hashes are sorted and freed of duplicates whenever so many were added.
const COMPACT: usize = 1_000_000;

/// The shortest part of a key that is looked for in place of the whole, if it holds characters that end a path.
const SHORTEST: usize = 4;

/// An artifact whose objects are to be deleted.
#[derive(Debug, Clone, Copy)]
pub struct PlannedKey<'a> {
    pub bucket: &'a str,
    /// The artifact's key. If it is a directory, what a text names below it counts as well.
    pub key: &'a str,
    /// The workflow's name, or that of the folder in which orphans are.
    pub workflow: &'a str,
    /// The workflow's UID; empty for orphans.
    pub uid: &'a str,
}

/// The keys of a plan, gathered one by one.
#[derive(Debug, Default)]
pub struct PlannedKeysBuilder {
    constants: Constants,
    hashes: Vec<u64>,
    /// The number of hashes that are sorted and differ.
    compacted: usize,
    wide: bool,
}

/// Bucket names with the beginnings that all keys of a repository have in common.
#[derive(Debug, Clone, Default)]
struct Constants(Vec<(String, String)>);

/// The keys of a plan. Each takes a few times eight bytes, whatever its length.
///
/// Share it in an `Arc`: it does not change, and a search needs no memory but for what it finds.
#[derive(Debug, Default)]
pub struct PlannedKeys {
    constants: Constants,
    /// Sorted.
    hashes: Vec<u64>,
    /// A bit for each hash, by its first bits: most paths of a text are none of the plan's.
    filter: Vec<u64>,
    /// True if characters beyond ASCII must be looked for.
    wide: bool,
}

/// What a text names, as hashes for [`PlannedKeys::find`].
pub type Hits = HashSet<u64>;

/// The way in which a text names an artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Naming {
    /// The path in the text: the key, a part of it or a folder.
    Path(String),
    /// The end of the key, after a variable or a wildcard.
    Tail(String),
    /// The key has nothing that can be looked for.
    Unknown,
}

impl fmt::Display for Naming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "its text names {path}"),
            Self::Tail(path) => write!(f, "its text names {path} after a variable or wildcard"),
            Self::Unknown => f.write_str("the key can't be searched for in its text"),
        }
    }
}

impl PlannedKeysBuilder {
    /// Begins with the places at which deletion is allowed. The constant beginning of a repository's keys is in many
    /// texts, and names no object.
    pub fn new(allowed: &Allowed) -> Self {
        let constants =
            allowed.constants().map(|(bucket, prefix)| (bucket.to_owned(), prefix.to_owned())).collect();
        Self { constants: Constants(constants), ..Self::default() }
    }

    /// Adds an artifact.
    pub fn add(&mut self, planned: &PlannedKey) {
        let Self { constants, hashes, wide, .. } = self;
        constants.paths(planned, &mut |kind, path| {
            *wide |= !path.is_ascii();
            hashes.extend(number(kind, path));
        });
        if self.hashes.len() > 2 * self.compacted + COMPACT {
            self.compact();
        }
    }

    fn compact(&mut self) {
        self.hashes.sort_unstable();
        self.hashes.dedup();
        self.compacted = self.hashes.len();
    }

    /// Makes the keys searchable.
    pub fn finish(mut self) -> PlannedKeys {
        self.compact();
        self.hashes.shrink_to_fit();
        let Self { constants, hashes, wide, .. } = self;
        let mut keys = PlannedKeys { constants, wide, ..PlannedKeys::default() };
        // Sixteen bits for each hash: one in sixteen of other hashes passes.
        keys.filter = vec![0; (hashes.len() / 4).next_power_of_two()];
        for hash in &hashes {
            let (word, bit) = keys.bit(*hash);
            keys.filter[word] |= bit;
        }
        keys.hashes = hashes;
        keys
    }
}

impl PlannedKeys {
    /// Returns true if nothing is planned.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Searches a text, which may be an object as JSON, for all keys at once.
    ///
    /// The work grows with the length of the text, and hardly with the number of keys. Find out with [`Self::find`]
    /// whether an artifact is among the hits.
    pub fn named_in(&self, text: &str) -> Hits {
        let mut hits = Hits::new();
        if self.is_empty() {
            return hits;
        }
        let mut take = |hash| {
            if self.has(hash) {
                hits.insert(hash);
            }
        };
        hash("anything").into_iter().for_each(|hash| take(hash.of(Kind::Anything)));
        text::search(text, self.wide, &mut |kind, hash| take(hash.of(kind)));
        hits
    }

    /// Returns the first value that `wanted` has for a hash of the artifact, and how the text of that hash names it.
    ///
    /// `wanted` is asked with the hashes of [`Self::named_in`].
    pub fn find<T>(
        &self,
        planned: &PlannedKey,
        mut wanted: impl FnMut(u64) -> Option<T>,
    ) -> Option<(T, Naming)> {
        let mut found = None;
        self.constants.paths(planned, &mut |kind, path| {
            if found.is_none() {
                found = number(kind, path).and_then(&mut wanted).map(|value| (value, naming(kind, path)));
            }
        });
        found
    }

    fn has(&self, hash: u64) -> bool {
        let (word, bit) = self.bit(hash);
        self.filter.get(word).is_some_and(|bits| bits & bit != 0) && self.hashes.binary_search(&hash).is_ok()
    }

    /// Returns the place of a hash in the filter, whose length is a power of two.
    fn bit(&self, hash: u64) -> (usize, u64) {
        let words = self.filter.len().max(1) as u64;
        ((hash >> 6 & (words - 1)) as usize, 1 << (hash & 63))
    }
}

fn number(kind: Kind, path: &str) -> Option<u64> {
    hash(path).map(|hash| hash.of(kind))
}

fn naming(kind: Kind, path: &str) -> Naming {
    match kind {
        Kind::Anything => Naming::Unknown,
        Kind::Tail => Naming::Tail(path.to_owned()),
        _ => Naming::Path(path.to_owned()),
    }
}

impl Constants {
    /// Calls `take` with all paths that name the artifact, and with how each must stand in a text.
    fn paths(&self, planned: &PlannedKey, take: &mut dyn FnMut(Kind, &str)) {
        let PlannedKey { bucket, key, .. } = *planned;
        match searched(key) {
            Some(run) => take(Kind::Key, run),
            None => take(Kind::Anything, "anything"),
        }
        let telling = telling(planned);
        let slashes = || key.match_indices('/').map(|(at, _)| at);
        for end in slashes() {
            let folder = &key[..end];
            let tells = telling.as_ref().is_some_and(|telling| end >= telling.end);
            let kind = if tells { folder_kind(folder) } else { Kind::Place };
            match kind {
                _ if tells && !is_all_plain(folder) => odd_folder(folder, planned, take),
                Kind::Folder => take(kind, folder),
                // With its bucket any folder is named for certain, except that in which all keys of a repository are.
                _ if self.is_constant(bucket, folder) => {}
                _ => {
                    let placed = format!("{bucket}/{folder}");
                    runs(&placed, true).take(1).for_each(|run| take(Kind::Place, run));
                }
            }
            if kind == Kind::Word {
                take(kind, folder);
            }
        }
        if let Some(telling) = telling {
            let name = &key[telling.clone()];
            for (at, _) in name.match_indices(['-', '_', '.']) {
                take(Kind::Head, &format!("{bucket}/{}", &key[..telling.start + at]));
            }
        }
        let last = slashes().next_back().map_or(0, |at| at + 1);
        let parts = key[last..].match_indices(['-', '_']).map(|(at, _)| last + at);
        for begin in slashes().chain(parts) {
            runs(&key[begin..], false).take(1).for_each(|run| take(Kind::Tail, run));
        }
    }

    /// Returns true if all keys of a repository are in this folder.
    fn is_constant(&self, bucket: &str, folder: &str) -> bool {
        let holds = |prefix: &str| {
            prefix.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.0.iter().any(|(name, prefix)| name == bucket && holds(prefix))
    }
}

/// Returns the longest part of a key that can be looked for, if there is one.
fn searched(key: &str) -> Option<&str> {
    let longest = |wide| runs(key, wide).max_by_key(|run| run.len());
    let tells = |run: &&str| is_all_plain(key) || run.len() >= SHORTEST && run.contains('/');
    longest(false).filter(tells).or_else(|| longest(true))
}

/// Takes a folder that tells a workflow, and that has characters which end a path.
fn odd_folder(folder: &str, planned: &PlannedKey, take: &mut dyn FnMut(Kind, &str)) {
    let tells = |run: &&str| run.split('/').any(|part| is_of(part, planned));
    match runs(folder, false).last().filter(|run| tells(run) && trim(folder).ends_with(run)) {
        Some(run) => take(folder_kind(run), run),
        None => runs(folder, false).filter(tells).take(1).for_each(|run| take(folder_kind(run), run)),
    }
}

/// Returns the part of a key, without its last segment, that is the name or UID of its workflow.
fn telling(planned: &PlannedKey) -> Option<std::ops::Range<usize>> {
    let PlannedKey { key, workflow, .. } = *planned;
    let (folders, _) = key.rsplit_once('/')?;
    // Orphans may be known by several segments.
    if workflow.contains('/') {
        let whole = |at: &usize| {
            let rest = &key[at + workflow.len()..];
            (*at == 0 || key[..*at].ends_with('/')) && rest.starts_with('/')
        };
        return key.match_indices(workflow).map(|(at, _)| at).find(whole).map(|at| at..at + workflow.len());
    }
    let mut start = 0;
    for part in folders.split('/') {
        let end = start + part.len();
        if is_of(part, planned) {
            return Some(start..end);
        }
        start = end + 1;
    }
    None
}

/// Returns true if a segment has the workflow's name or UID in it, as a word of its own.
fn is_of(segment: &str, planned: &PlannedKey) -> bool {
    let has = |name: &str| {
        !name.is_empty()
            && segment.match_indices(name).any(|(at, _)| {
                let (before, after) = (&segment[..at], &segment[at + name.len()..]);
                !before.ends_with(char::is_alphanumeric) && !after.starts_with(char::is_alphanumeric)
            })
    };
    has(planned.workflow) || has(planned.uid)
}

/// Returns how a folder that tells a workflow must stand in a text. A name such as `train` may be any word.
fn folder_kind(folder: &str) -> Kind {
    // What Kubernetes appends to a `generateName`.
    const GENERATED: &str = "bcdfghjklmnpqrstvwxz2456789";
    let last = folder.rsplit('-').next().unwrap_or_default();
    let generated = last.len() == 5 && last != folder && last.chars().all(|c| GENERATED.contains(c));
    let numbered = folder.len() >= 6 && folder.contains(|c: char| c.is_ascii_digit());
    if folder.contains('/') || generated || numbered { Kind::Folder } else { Kind::Word }
}

#[cfg(test)]
mod tests;
