//! The filters of a rule of Azure's inventory.

use serde::Deserialize;

/// The filters of a rule. Prefixes begin with the container.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Limits {
    prefix_match: Vec<String>,
    exclude_prefix: Vec<String>,
    blob_types: Vec<String>,
    pub include_snapshots: bool,
    pub include_blob_versions: bool,
    pub include_deleted: bool,
    creation_time: Option<CreationTime>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreationTime {
    last_n_days: Option<u64>,
}

impl Limits {
    /// Says what is left out of the names that begin so.
    ///
    /// # Errors
    /// All of them are; the error says what the inventory is of.
    pub fn of(&self, place: &str) -> Result<Vec<String>, String> {
        let prefixes: Vec<&String> = self.prefix_match.iter().filter(|prefix| !prefix.is_empty()).collect();
        let mut left_out = Vec::new();
        if !prefixes.is_empty() && !prefixes.iter().any(|prefix| place.starts_with(prefix.as_str())) {
            let names: Vec<&str> = prefixes.iter().map(|prefix| prefix.as_str()).collect();
            let names = names.join(", ");
            if !prefixes.iter().any(|prefix| prefix.starts_with(place)) {
                return Err(names);
            }
            left_out.push(format!("has only names that begin with {names}"));
        }
        for prefix in self.exclude_prefix.iter().filter(|prefix| !prefix.is_empty()) {
            if place.starts_with(prefix.as_str()) {
                return Err(format!("names that don't begin with {prefix}"));
            }
            if prefix.starts_with(place) {
                left_out.push(format!("leaves out names that begin with {prefix}"));
            }
        }
        if !self.blob_types.is_empty() && !self.blob_types.iter().any(|kind| kind == "blockBlob") {
            return Err(self.blob_types.join(", "));
        }
        if let Some(days) = self.creation_time.as_ref().and_then(|time| time.last_n_days) {
            left_out.push(format!("has only what was made in the {days} days before it"));
        }
        Ok(left_out)
    }
}
