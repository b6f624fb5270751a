//! The manifest of an Azure Storage blob inventory ("Azure Storage blob inventory", Microsoft Learn).
//!
//! An inventory is of an account, as far as the filters of its rule take it; names begin with the container. The first row
//! is always the schema. The files' only checksum is their size, and the number of objects.

use crate::inventory::limits::Limits;
use crate::inventory::manifest::{Columns, Condition, DataFile, Header, Manifest, Of, column, needed};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    endpoint: String,
    files: Vec<File>,
    status: String,
    inventory_start_time: Option<Timestamp>,
    rule_definition: Rule,
    summary: Summary,
}

#[derive(Deserialize)]
struct File {
    blob: String,
    size: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    object_count: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    format: String,
    object_type: String,
    schema_fields: Vec<String>,
    filters: Option<Limits>,
}

/// Reads a manifest.
pub(crate) fn manifest(value: Value) -> Result<Manifest, String> {
    let told: Told = serde_json::from_value(value).map_err(|error| format!("its manifest: {error}"))?;
    let Told { endpoint, files, status, inventory_start_time, rule_definition, summary } = told;
    let Rule { format, object_type, schema_fields, filters } = rule_definition;
    if status != "Succeeded" {
        return Err(format!("its run is {status:?}, and only one that succeeded is complete"));
    }
    if !format.eq_ignore_ascii_case("csv") {
        return Err(format!("its files are {format:?}, and only CSV is read; make one with the format CSV"));
    }
    if !object_type.eq_ignore_ascii_case("blob") {
        return Err(format!("it lists what is of type {object_type:?}, not blobs"));
    }
    let limits = filters.unwrap_or_default();
    let columns = columns(schema_fields, &limits)?;
    let file = |File { blob, size }: File| DataFile { name: blob, size: Some(size), md5: None };
    Ok(Manifest {
        of: Of::Azure { endpoint, limits },
        as_of: inventory_start_time.ok_or("its manifest has no inventoryStartTime")?,
        files: files.into_iter().map(file).collect(),
        header: Header::Always,
        columns,
        delimiter: b',',
        rows: Some(summary.object_count),
        encodes_keys: false,
    })
}

fn columns(names: Vec<String>, limits: &Limits) -> Result<Columns, String> {
    let mut live = Vec::new();
    match column(&names, "Snapshot") {
        Some(snapshot) => live.push(Condition::Empty(snapshot)),
        None if limits.include_snapshots => live.push(Condition::Empty(needed(&names, "Snapshot")?)),
        None => {}
    }
    if limits.include_blob_versions || column(&names, "VersionId").is_some() {
        let (version, current) = (needed(&names, "VersionId")?, needed(&names, "IsCurrentVersion")?);
        live.push(Condition::Current { version, current });
    }
    match column(&names, "Deleted") {
        Some(deleted) => live.push(Condition::False(deleted)),
        None if limits.include_deleted => live.push(Condition::False(needed(&names, "Deleted")?)),
        None => {}
    }
    live.extend(column(&names, "hdi_isfolder").map(Condition::False));
    Ok(Columns {
        key: needed(&names, "Name")?,
        size: needed(&names, "Content-Length")?,
        written: needed(&names, "Last-Modified")?,
        class: column(&names, "AccessTier"),
        bucket: None,
        live,
        names,
    })
}
