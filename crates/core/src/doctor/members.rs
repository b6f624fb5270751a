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

/// A group in the making.
#[derive(Debug, Default)]
pub(crate) struct GroupMembers {
    /// Each workflow, and whether it is stuck.
    pub workflows: BTreeMap<Name, bool>,
    /// Workflows that are only counted.
    pub(crate) more: u64,
    pub(crate) artifacts: u64,
    pub(crate) reasons: BTreeSet<Reason>,
    pub(crate) evidence: Vec<Evidence>,
    pub accounts: BTreeSet<Account>,
    /// Namespace, workflow and the pod, task or finalizer to name.
    pub objects: BTreeSet<(String, String, String)>,
    /// What a repair has to write.
    pub detail: String,
}
