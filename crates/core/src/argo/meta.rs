//! Object metadata, with only the fields that are used.

use crate::argo::de;
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;

/// `metadata` of any object.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Meta {
    #[serde(deserialize_with = "de::or_default")]
    pub name: String,
    #[serde(deserialize_with = "de::or_default")]
    pub generate_name: String,
    #[serde(deserialize_with = "de::or_default")]
    pub namespace: String,
    #[serde(deserialize_with = "de::or_default")]
    pub uid: String,
    #[serde(deserialize_with = "de::or_default")]
    pub resource_version: String,
    #[serde(deserialize_with = "de::time")]
    pub creation_timestamp: Option<Timestamp>,
    #[serde(deserialize_with = "de::time")]
    pub deletion_timestamp: Option<Timestamp>,
    #[serde(deserialize_with = "de::or_default")]
    pub labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "de::or_default")]
    pub annotations: BTreeMap<String, String>,
    #[serde(deserialize_with = "de::or_default")]
    pub finalizers: Vec<String>,
    #[serde(deserialize_with = "de::or_default")]
    pub owner_references: Vec<OwnerReference>,
}

/// One owner of an object.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct OwnerReference {
    #[serde(deserialize_with = "de::or_default")]
    pub kind: String,
    #[serde(deserialize_with = "de::or_default")]
    pub name: String,
    #[serde(deserialize_with = "de::or_default")]
    pub uid: String,
}

impl Meta {
    /// Returns the label's value, empty if absent.
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }

    /// Returns true if the object's artifacts must be kept: `argo-gc/keep` as a label or annotation.
    pub fn is_pinned(&self) -> bool {
        [&self.labels, &self.annotations].into_iter().any(|map| {
            // Any value other than "false" keeps the artifacts, because it is not clear consent to delete them.
            map.get(crate::argo::names::KEEP).is_some_and(|value| value != "false")
        })
    }
}
