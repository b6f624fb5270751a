//! What selected workflows give up.

use crate::plan::references::referrer::{Run, hash, hasher};
use std::collections::HashSet;
use std::hash::Hasher;

/// Locations that selected workflows give up, and the workflows themselves.
#[derive(Debug, Default)]
pub struct Released {
    pub(super) workflows: HashSet<String>,
    /// Sorted hashes of UID and place. Each takes eight bytes only, because there may be millions.
    places: Vec<u64>,
    pub(super) whole: HashSet<String>,
    pub(super) settled: HashSet<Run>,
}

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

    pub(super) fn has(&self, uid: &str, hash: u64) -> bool {
        self.places.binary_search(&place_of(uid, hash)).is_ok()
    }
}

fn place_of(uid: &str, hash: u64) -> u64 {
    let mut hasher = hasher(uid);
    hasher.write_u64(hash);
    hasher.finish()
}
