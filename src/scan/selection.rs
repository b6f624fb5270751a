//! Decides which of the workflows read are wanted.

use argo_gc_core::argo::names;
use argo_gc_core::argo::workflow::Workflow;
use jiff::Timestamp;
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

/// Conditions the API server can't apply for us; all must hold.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selection {
    pub names: Vec<String>,
    pub namespace: Option<String>,
    pub phases: Vec<String>,
    /// By the end of the run; unfinished workflows are never old.
    pub finished_before: Option<Timestamp>,
    pub prefix: Option<String>,
    pub instance_id: Option<String>,
}

impl Selection {
    pub fn takes(&self, workflow: &Workflow) -> bool {
        let meta = &workflow.metadata;
        let status = &workflow.status;
        let phase = |wanted: &String| wanted.eq_ignore_ascii_case(&status.phase);
        (self.names.is_empty() || self.names.contains(&meta.name))
            && self.namespace.as_ref().is_none_or(|namespace| *namespace == meta.namespace)
            && (self.phases.is_empty() || self.phases.iter().any(phase))
            && self.finished_before.is_none_or(|limit| workflow.ended().is_some_and(|end| end < limit))
            && self.prefix.as_ref().is_none_or(|prefix| meta.name.starts_with(prefix.as_str()))
            && self.instance_id.as_ref().is_none_or(|id| id == meta.label(names::INSTANCE_ID))
    }
}

/// What was met so far, as hashes.
#[derive(Default)]
pub(crate) struct Seen {
    hashes: HashSet<u64>,
    state: RandomState,
}

impl Seen {
    /// Whether it is met for the first time; what has no identity always is.
    pub fn is_new(&mut self, identity: &str) -> bool {
        identity.is_empty() || self.hashes.insert(self.state.hash_one(identity))
    }
}
