//! One symptom of a workflow: a cause with its subject and evidence.

use crate::doctor::cause::Cause;
use crate::doctor::folders::Folders;
use crate::model::assessment::Evidence;
use crate::reason::Reason;
use std::collections::BTreeSet;

/// One sign of a cause in one workflow.
#[derive(Debug, Clone)]
pub(crate) struct Symptom {
    pub(crate) cause: Cause,
    /// The particular subject, if a cause has several forms with different repairs.
    pub(crate) subject: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// True if the workflow's finalizer stays until somebody acts.
    pub(crate) stuck: bool,
    pub(crate) artifacts: u64,
    pub(crate) reasons: BTreeSet<Reason>,
    pub(crate) evidence: Vec<Evidence>,
    pub(crate) account: Option<String>,
    /// The pod, task or finalizer that the repair names.
    pub(crate) object: Option<String>,
    /// A value that the repair contains: a container's name, an instance ID.
    pub(crate) detail: String,
    /// Where the artifacts are that are left of the workflow.
    pub(crate) folders: Folders,
}

pub(crate) fn symptom(cause: Cause, namespace: &str, name: &str) -> Symptom {
    Symptom {
        cause,
        subject: String::new(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        stuck: false,
        artifacts: 0,
        reasons: BTreeSet::new(),
        evidence: Vec::new(),
        account: None,
        object: None,
        detail: String::new(),
        folders: Folders::default(),
    }
}
