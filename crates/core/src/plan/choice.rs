//! What a purge makes of a workflow and of an artifact before it asks storage.

use crate::model::protection::Protection;
use crate::plan::rules::Unwanted;
use serde::Serialize;

/// Why a purge does not select a workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unselected {
    /// Its name is none of those given.
    Name,
    /// It is in another namespace.
    Namespace,
    /// Its phase is none of those given.
    Phase,
    /// It did not end, or not in the time asked for.
    Age,
    /// Its name does not begin as asked for.
    Prefix,
    /// It is another controller's.
    InstanceId,
    /// Its labels do not match.
    Labels,
    /// Nothing is selected.
    Nothing,
}

/// What a purge makes of an artifact before it asks storage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub enum Choice {
    NotSelected {
        why: Unselected,
    },
    NotAskedFor {
        why: Unwanted,
    },
    /// It is kept, or its whole workflow is.
    Kept {
        protection: Protection,
        #[serde(skip_serializing_if = "String::is_empty")]
        detail: String,
    },
    /// Its objects decide.
    Candidate,
}
