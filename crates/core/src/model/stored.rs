//! Sums of the objects of an artifact in storage.

use crate::model::object::ObjectFacts;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;

/// The objects of one artifact.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stored {
    /// The number of objects; 0 if there are none.
    pub objects: u64,
    pub bytes: u64,
    /// The time at which the newest object was written.
    pub newest: Option<Timestamp>,
    /// Bytes by storage class.
    pub classes: BTreeMap<String, u64>,
    /// Deleted and overwritten copies that the bucket keeps; none if this is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copies: Option<Copies>,
}

/// Copies that readers no longer see but that are still billed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Copies {
    pub objects: u64,
    pub bytes: u64,
    /// Bytes by storage class.
    pub classes: BTreeMap<String, u64>,
}

impl Stored {
    /// Adds the sums of `other`.
    pub fn add(&mut self, other: &Self) {
        self.objects += other.objects;
        self.bytes += other.bytes;
        self.newest = self.newest.max(other.newest);
        add_classes(&mut self.classes, &other.classes);
        if let Some(copies) = &other.copies {
            let own = self.copies.get_or_insert_default();
            own.objects += copies.objects;
            own.bytes += copies.bytes;
            add_classes(&mut own.classes, &copies.classes);
        }
    }
}

pub(crate) fn add_classes(sums: &mut BTreeMap<String, u64>, more: &BTreeMap<String, u64>) {
    for (class, bytes) in more {
        *sums.entry(class.clone()).or_default() += bytes;
    }
}

pub(crate) fn class(object: &ObjectFacts) -> String {
    if object.storage_class.is_empty() { "STANDARD".to_owned() } else { object.storage_class.to_string() }
}
