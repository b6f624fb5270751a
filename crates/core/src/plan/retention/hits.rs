//! Which parts of a policy matched a workflow. A name that is mistyped keeps nothing, and only this shows it.

use std::collections::BTreeSet;

/// The parts of a policy that matched: overrides by number, and of each pin its names, or 0 if it has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hits {
    pub(crate) overrides: BTreeSet<usize>,
    pub(crate) pins: BTreeSet<(usize, usize)>,
}

impl Hits {
    /// Adds what matched elsewhere.
    pub fn absorb(&mut self, other: Self) {
        self.overrides.extend(other.overrides);
        self.pins.extend(other.pins);
    }
}

/// Where a policy's parts are in its file. A policy of flags has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// The file's name, as messages write it.
    pub file: String,
    /// The line of each override.
    pub overrides: Vec<u64>,
    /// For each pin the line of each of its names, or its own line if it has none.
    pub pins: Vec<Vec<u64>>,
}

/// A part of a policy that matched nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Idle {
    pub line: u64,
    pub what: String,
}
