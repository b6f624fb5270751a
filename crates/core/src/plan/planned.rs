//! A plan: the objects to delete and those to keep, workflow by workflow.

use crate::model::bucket::Bucket;
use crate::model::protection::Protection;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;

/// An object to be deleted. There may be a million: what many have in common is shared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedObject {
    pub bucket: Bucket,
    pub key: Box<str>,
    pub generation: Box<str>,
    /// Bytes.
    pub size: u64,
    pub created: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub storage_class: Arc<str>,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub crc32c: Box<str>,
    pub artifact: Arc<str>,
    pub node_id: Arc<str>,
    /// The verdict's reason code.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub reason: Cow<'static, str>,
    /// Other selected workflows that refer to it, and give it up: none of them may have run again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared_with: Vec<Sharer>,
}

/// A workflow that shares an object with the one it is planned for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Sharer {
    pub namespace: String,
    pub name: String,
    pub uid: String,
}

/// Something that stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptObject {
    /// The object or artifact; empty for a whole workflow.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub location: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub artifact: String,
    pub protection: Protection,
    /// What in particular: the referrer, the time, the hold.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// One workflow's share of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedWorkflow {
    pub namespace: String,
    pub name: String,
    pub uid: String,
    pub phase: String,
    pub finished_at: Option<Timestamp>,
    pub delete: Vec<PlannedObject>,
    pub keep: Vec<KeptObject>,
    /// Addresses of artifacts of which nothing is left in storage.
    pub absent: Vec<String>,
    /// No workflow at all: objects that no record refers to, by the name in their keys.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub orphans: bool,
    /// Its stuck finalizer goes once all its artifacts are verifiably gone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub release_finalizer: bool,
}

impl PlannedWorkflow {
    /// Bytes to be deleted.
    pub fn bytes(&self) -> u64 {
        self.delete.iter().map(|object| object.size).sum()
    }
}
