//! Which cluster, namespace and files a document covers.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The cluster or files that an inspection covers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Scope {
    /// `cluster` or `files`.
    pub kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// The namespace; none for all.
    pub namespace: Option<String>,
    /// True if some workflows were not selected.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub filtered: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// The report of the storage's own that tells of objects, if they were not looked up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inventory: Option<Report>,
}

/// A report of what was stored at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The address of its manifest.
    pub name: String,
    pub as_of: Timestamp,
}

impl Scope {
    pub(crate) fn holds(&self, namespace: &str) -> bool {
        self.namespace.as_deref().is_none_or(|only| only == namespace)
    }
}
