//! Decides which of the workflows read are wanted.

use argo_gc_core::argo::names;
use argo_gc_core::argo::workflow::Workflow;
use argo_gc_core::plan::choice::Unselected;
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
    /// By the end of the run; unfinished workflows are not new either.
    pub finished_after: Option<Timestamp>,
    pub prefix: Option<String>,
    pub instance_id: Option<String>,
}

impl Selection {
    pub fn takes(&self, workflow: &Workflow) -> bool {
        self.refusal(workflow).is_none()
    }

    /// Returns the first condition that the workflow does not meet; none if it is selected.
    pub fn refusal(&self, workflow: &Workflow) -> Option<Unselected> {
        let meta = &workflow.metadata;
        let status = &workflow.status;
        let phase = |wanted: &String| wanted.eq_ignore_ascii_case(&status.phase);
        let old = |limit| workflow.ended().is_some_and(|end| end < limit);
        let new = |limit| workflow.ended().is_some_and(|end| end >= limit);
        let conditions = [
            (Unselected::Namespace, self.namespace.as_ref().is_none_or(|name| *name == meta.namespace)),
            (Unselected::Name, self.names.is_empty() || self.names.contains(&meta.name)),
            (Unselected::Phase, self.phases.is_empty() || self.phases.iter().any(phase)),
            (Unselected::Age, self.finished_before.is_none_or(old) && self.finished_after.is_none_or(new)),
            (
                Unselected::Prefix,
                self.prefix.as_ref().is_none_or(|prefix| meta.name.starts_with(prefix.as_str())),
            ),
            (
                Unselected::InstanceId,
                self.instance_id.as_ref().is_none_or(|id| id == meta.label(names::INSTANCE_ID)),
            ),
        ];
        conditions.into_iter().find(|(_, holds)| !holds).map(|(refusal, _)| refusal)
    }
}

/// Says that no workflow has these names.
pub(crate) fn not_found(names: &[&str]) -> String {
    let workflows = if names.len() == 1 { "workflow" } else { "workflows" };
    format!("{workflows} \"{}\" not found", names.join("\", \""))
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
