//! A plan: the objects to delete and those to keep, workflow by workflow.

use crate::model::bucket::Bucket;
use crate::model::protection::Protection;
use crate::plan::claim::Claimant;
use crate::plan::planned_keys::PlannedKey;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;

/// An object to be deleted. A plan may have a million of them, so equal values are shared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedObject {
    pub bucket: Bucket,
    pub key: Box<str>,
    /// The artifact's key, if the artifact is a directory and the object is in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_key: Option<Arc<str>>,
    pub generation: Box<str>,
    /// The size in bytes.
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
    /// Other selected workflows that refer to the object and give it up, as the number of a set of the plan's
    /// [`Sharing`](crate::plan::sharing::Sharing).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_with: Option<u32>,
}

/// An object, an artifact or a workflow that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptObject {
    /// The object or artifact; empty for a whole workflow.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub location: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub artifact: String,
    pub protection: Protection,
    /// The detail of the protection: the referrer, the time, the hold, or the bucket of a foreign location.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// Where an object is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectPlace {
    pub bucket: Bucket,
    pub key: Box<str>,
}

/// An artifact whose objects can't be asked for their marks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreadPlace {
    #[serde(flatten)]
    pub place: ObjectPlace,
    pub why: String,
}

/// One workflow's share of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedWorkflow {
    pub namespace: String,
    pub name: String,
    pub uid: String,
    pub phase: String,
    pub finished_at: Option<Timestamp>,
    pub delete: Vec<PlannedObject>,
    pub keep: Vec<KeptObject>,
    /// Objects that are only marked, and deleted by a later run ([`quarantine`](crate::plan::quarantine)).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mark: Vec<PlannedObject>,
    /// Objects that are needed again, and lose their marks. They are marked, or it can't be read whether they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lift: Vec<ObjectPlace>,
    /// What is kept because something needs it, and `keep` does not name: artifacts of a pinned workflow, and objects that were
    /// orphans otherwise. A quarantine looks for marks there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needed: Vec<ObjectPlace>,
    /// Of these, the ones that may have marked objects, and that can't be looked through.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<UnreadPlace>,
    /// Addresses of artifacts that have no objects in storage.
    pub absent: Vec<String>,
    /// Objects that an earlier part of the same run deleted. It may not have verified that they are gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<PlannedObject>,
    /// True if the workflow is in the archive only, so nothing can be recorded in it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub archived: bool,
    /// True if this is not a workflow: then it holds objects that no record refers to, under the name in their
    /// keys.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub orphans: bool,
    /// True if the workflow's stuck finalizer is removed once all its artifacts are verified to be deleted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub release_finalizer: bool,
}

impl PlannedObject {
    /// Returns the object's artifact as what texts are searched for.
    /// `name` and `uid` are those of its workflow.
    pub fn planned_key<'a>(&'a self, name: &'a str, uid: &'a str) -> PlannedKey<'a> {
        let key = self.artifact_key.as_deref().unwrap_or(&self.key);
        PlannedKey { bucket: self.bucket.name(), key, workflow: name, uid }
    }
}

impl<'a> From<&'a PlannedWorkflow> for Claimant<'a> {
    fn from(plan: &'a PlannedWorkflow) -> Self {
        Self { namespace: &plan.namespace, name: &plan.name, uid: &plan.uid }
    }
}

impl PlannedWorkflow {
    /// Returns the objects that are deleted or marked.
    pub fn touched(&self) -> impl Iterator<Item = &PlannedObject> {
        self.delete.iter().chain(&self.mark)
    }

    /// Returns the number of bytes to delete.
    pub fn bytes(&self) -> u64 {
        self.delete.iter().map(|object| object.size).sum()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_bytes_are_those_of_all_objects() {
        let object = |size: u64| {
            let json = serde_json::json!({
                "bucket": "gs://b", "key": "k", "generation": "1", "size": size, "created": null,
                "artifact": "a", "nodeId": "n",
            });
            serde_json::from_value::<PlannedObject>(json).unwrap()
        };
        let plan = PlannedWorkflow { delete: vec![object(2), object(40)], ..PlannedWorkflow::default() };
        assert_eq!((plan.bytes(), PlannedWorkflow::default().bytes()), (42, 0));
    }
}
