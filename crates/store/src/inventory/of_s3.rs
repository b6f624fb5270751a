//! The manifest of Amazon S3 Inventory ("Locating your inventory list" and "Cataloging and analyzing your data with S3
//! Inventory", Amazon S3 User Guide).
//!
//! The time is that at which the scan began. A file has no header, and keys are URL-encoded, spaces as `+`
//! (cloud-custodian/cloud-custodian#1997). The manifest does not say whether the inventory is limited to a prefix.

use crate::inventory::manifest::{Columns, Condition, DataFile, Header, Manifest, Of, column, needed};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    source_bucket: String,
    creation_timestamp: Value,
    file_schema: String,
    files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    key: String,
    size: u64,
    #[serde(rename = "MD5checksum")]
    md5: String,
}

/// Reads a manifest.
pub(crate) fn manifest(value: Value) -> Result<Manifest, String> {
    let format = value.get("fileFormat").and_then(Value::as_str).unwrap_or_default();
    if !format.eq_ignore_ascii_case("CSV") {
        return Err(format!(
            "its files are {format:?}, and only CSV is read; make one with the output format CSV"
        ));
    }
    let told: Told = serde_json::from_value(value).map_err(|error| format!("its manifest: {error}"))?;
    let Told { source_bucket, creation_timestamp, file_schema, files } = told;
    // Milliseconds, written as a text.
    let time = creation_timestamp.as_str().and_then(|time| time.parse().ok()).or(creation_timestamp.as_i64());
    let as_of = time.and_then(|time| Timestamp::from_millisecond(time).ok());
    let file = |File { key, size, md5 }: File| DataFile {
        name: key,
        size: Some(size),
        md5: Some(md5.trim().to_ascii_lowercase()),
    };
    Ok(Manifest {
        of: Of::S3(source_bucket),
        as_of: as_of.ok_or("its creationTimestamp is no time")?,
        files: files.into_iter().map(file).collect(),
        header: Header::Never,
        columns: columns(&file_schema)?,
        delimiter: b',',
        rows: None,
        encodes_keys: true,
    })
}

fn columns(schema: &str) -> Result<Columns, String> {
    let names: Vec<String> = schema.split(',').map(|name| name.trim().to_owned()).collect();
    let latest = column(&names, "IsLatest").map(Condition::True);
    let marker = column(&names, "IsDeleteMarker").map(Condition::False);
    if column(&names, "VersionId").is_some() && (latest.is_none() || marker.is_none()) {
        return Err("it has versions, and no column that shows which are the latest".to_owned());
    }
    Ok(Columns {
        key: needed(&names, "Key")?,
        size: needed(&names, "Size")?,
        written: needed(&names, "LastModifiedDate")?,
        class: column(&names, "StorageClass"),
        bucket: Some(needed(&names, "Bucket")?),
        live: latest.into_iter().chain(marker).collect(),
        names,
    })
}
