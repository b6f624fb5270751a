//! Tells whose manifest one is, and refuses it if its inventory is not whole.

use crate::inventory::manifest::{DataFile, Manifest, hexadecimal};
use crate::inventory::source::Source;
use crate::inventory::types::InventoryError;
use crate::inventory::{of_azure, of_gcs, of_s3};
use argo_gc_core::model::object::is_safe;
use md5::{Digest, Md5};
use serde_json::Value;
use std::collections::HashSet;

/// Reads the manifest, and refuses one that does not make sense.
pub(crate) async fn read_manifest(source: &Source) -> Result<Manifest, InventoryError> {
    let unusable = |why: String| InventoryError::Unusable { name: source.name(), why };
    let text = source.manifest().await?;
    let value: Value = serde_json::from_slice(&text)
        .map_err(|error| unusable(format!("its manifest is no JSON: {error}")))?;
    let (manifest, has_checksum) = if value.get("fileSchema").is_some() {
        (of_s3::manifest(value), true)
    } else if value.get("report_shards_file_names").is_some() {
        (of_gcs::manifest(value), false)
    } else if value.get("ruleDefinition").is_some() {
        (of_azure::manifest(value), true)
    } else {
        let why =
            "this is no manifest of Amazon S3 Inventory, Google's Storage Insights or Azure's blob inventory";
        return Err(unusable(why.to_owned()));
    };
    let manifest = manifest.map_err(unusable)?;
    if has_checksum {
        let told = source.checksum().await?;
        if told != hexadecimal(Md5::new_with_prefix(&text)) {
            return Err(unusable("its manifest does not have the checksum in the file beside it".to_owned()));
        }
    }
    check_files(&manifest.files).map_err(unusable)?;
    Ok(manifest)
}

/// A name may lead nowhere else, and no file may count twice, whether it is in its folder or beside the manifest.
fn check_files(files: &[DataFile]) -> Result<(), String> {
    let mut met = HashSet::new();
    for DataFile { name, .. } in files {
        if !is_safe(name) || name.contains('\\') {
            return Err(format!("{name:?} is no name of a file"));
        }
        let last = name.rsplit('/').next().unwrap_or(name);
        if !met.insert(last) {
            return Err(format!("its manifest names {last:?} twice"));
        }
    }
    Ok(())
}
