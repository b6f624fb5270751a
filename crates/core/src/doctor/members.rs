//! The workflows that share a cause, counted and named up to a limit.

use crate::doctor::folders::Folders;
use crate::doctor::step::is_plain;
use crate::model::account::Account;
use crate::model::assessment::Evidence;
use crate::reason::Reason;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// A workflow by namespace and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Name {
    pub namespace: String,
    pub name: String,
}

impl Name {
    /// Returns true if both parts may stand in a command.
    pub(crate) fn is_plain(&self) -> bool {
        is_plain(&self.namespace) && is_plain(&self.name)
    }
}

/// An object that a repair names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NamedObject {
    pub namespace: String,
    pub workflow: String,
    /// The name of the pod or task, or the index of the finalizer.
    pub object: String,
}

/// A group in progress.
#[derive(Debug, Default)]
pub(crate) struct GroupMembers {
    /// The workflows; the value is true if the workflow is stuck.
    pub workflows: BTreeMap<Name, bool>,
    /// Where the artifacts are that are left of them.
    pub folders: BTreeMap<Name, Folders>,
    /// The number of workflows without a name here.
    pub(crate) more: u64,
    pub(crate) artifacts: u64,
    pub(crate) reasons: BTreeSet<Reason>,
    pub(crate) evidence: Vec<Evidence>,
    pub accounts: BTreeSet<Account>,
    pub objects: BTreeSet<NamedObject>,
    /// A value that the repair contains.
    pub detail: String,
}
