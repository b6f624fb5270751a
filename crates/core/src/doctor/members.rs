//! The workflows that share a cause, counted and named up to a limit.

use crate::doctor::symptom::Account;
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

/// A group in progress.
#[derive(Debug, Default)]
pub(crate) struct GroupMembers {
    /// The workflows; the value is true if the workflow is stuck.
    pub workflows: BTreeMap<Name, bool>,
    /// The number of workflows without a name here.
    pub(crate) more: u64,
    pub(crate) artifacts: u64,
    pub(crate) reasons: BTreeSet<Reason>,
    pub(crate) evidence: Vec<Evidence>,
    pub accounts: BTreeSet<Account>,
    /// Namespace, workflow, and the pod, task or finalizer that the repair names.
    pub objects: BTreeSet<(String, String, String)>,
    /// A value that the repair contains.
    pub detail: String,
}
