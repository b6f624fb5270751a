//! References of so many referrers that who they are would take too much memory.

use crate::hashes::Hashes;
use crate::plan::references::referrer::{Entry, ReferrerId, Role};

/// What referrers name, without a word on who they are.
///
/// They give nothing up: these references are for questions where nothing is selected. A hash that two places share
/// protects the other place too.
#[derive(Debug, Default)]
pub struct Crowd {
    outputs: Hashes,
    inputs: Hashes,
    mentions: Hashes,
}

/// A crowd that is asked. To the others it is one referrer.
#[derive(Debug)]
pub(super) struct Asked {
    pub crowd: Crowd,
    pub by: ReferrerId,
}

impl Crowd {
    pub(super) fn add(&mut self, role: Role, hash: u64) {
        match role {
            Role::Input => self.inputs.insert(hash),
            Role::Output => self.outputs.insert(hash),
            Role::Address | Role::Text => self.mentions.insert(hash),
        };
    }
}

impl Asked {
    /// Whether any of them reads anything, so that every beginning of a key has to be looked up.
    pub fn reads(&self) -> bool {
        !self.crowd.inputs.is_empty()
    }

    pub fn len(&self) -> usize {
        self.crowd.outputs.len() + self.crowd.inputs.len() + self.crowd.mentions.len()
    }

    /// Returns an entry of this hash, if any of them has one in this role.
    pub fn entry(&self, role: Role, hash: u64) -> Option<Entry> {
        let hashes = match role {
            Role::Input => &self.crowd.inputs,
            Role::Output => &self.crowd.outputs,
            Role::Address | Role::Text => &self.crowd.mentions,
        };
        hashes.contains(hash).then_some(Entry { hash, by: self.by, read: role != Role::Output })
    }
}
