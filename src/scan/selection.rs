//! Decides which of the workflows read are selected.

use argo_gc_core::argo::names;
use argo_gc_core::argo::workflow::Workflow;
use argo_gc_core::plan::choice::Unselected;
use jiff::Timestamp;
use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasher, RandomState};

/// The name of a workflow, as a user gives it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// None for the namespaces that are looked in.
    pub namespace: Option<String>,
    pub name: String,
}

impl Name {
    pub fn is(&self, namespace: &str, name: &str) -> bool {
        self.name == name && self.namespace.as_ref().is_none_or(|own| own == namespace)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{namespace}/{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// Conditions the API server can't apply for us; all must hold.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selection {
    pub names: Vec<Name>,
    /// Of names without a namespace, and of all workflows if no names are given; empty for all.
    pub namespaces: Vec<String>,
    pub phases: Vec<String>,
    /// By the end of the run; unfinished workflows are never old.
    pub finished_before: Option<Timestamp>,
    /// By the end of the run; unfinished workflows are not new either.
    pub finished_after: Option<Timestamp>,
    pub prefix: Option<String>,
    pub instance_id: Option<String>,
}

impl Selection {
    fn is_within(&self, namespace: &str) -> bool {
        self.namespaces.is_empty() || self.namespaces.iter().any(|name| name == namespace)
    }

    /// Whether workflows of a namespace may be selected.
    fn covers(&self, namespace: &str) -> bool {
        self.is_within(namespace)
            || self.names.iter().any(|name| name.namespace.as_deref() == Some(namespace))
    }

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
        let named = |name: &Name| match name.namespace {
            Some(_) => name.is(&meta.namespace, &meta.name),
            None => name.name == meta.name && self.is_within(&meta.namespace),
        };
        let conditions = [
            (Unselected::Namespace, self.covers(&meta.namespace)),
            (Unselected::Name, self.names.is_empty() || self.names.iter().any(named)),
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
pub(crate) fn not_found(names: &[&Name]) -> String {
    let workflows = if names.len() == 1 { "workflow" } else { "workflows" };
    format!(
        "{workflows} \"{}\" not found",
        names.iter().map(ToString::to_string).collect::<Vec<_>>().join("\", \"")
    )
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
