//! The manifest of an inventory report of Google's Storage Insights ("Inventory reports" and "ReportConfig", Cloud Storage
//! documentation).
//!
//! All data of a report is of its snapshot's time. The shards lie beside the manifest, whose configuration says whether they
//! have a header. Nothing has a checksum; the number of records is told.

use crate::inventory::manifest::{Columns, Condition, DataFile, Header, Manifest, Of, column, needed};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Told {
    #[serde(alias = "reportConfig")]
    report_config: Config,
    #[serde(alias = "recordsProcessed")]
    records_processed: Value,
    snapshot_time: Timestamp,
    shard_count: Value,
    report_shards_file_names: Vec<String>,
}

#[derive(Deserialize)]
struct Config {
    #[serde(alias = "csvOptions")]
    csv_options: Option<Csv>,
    #[serde(alias = "parquetOptions")]
    parquet_options: Option<Value>,
    #[serde(alias = "objectMetadataReportOptions")]
    object_metadata_report_options: Option<Options>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Csv {
    #[serde(alias = "recordSeparator")]
    record_separator: String,
    delimiter: String,
    #[serde(alias = "headerRequired")]
    header_required: bool,
}

#[derive(Deserialize)]
struct Options {
    #[serde(alias = "metadataFields")]
    metadata_fields: Vec<String>,
    #[serde(alias = "storageFilters")]
    storage_filters: Filters,
}

#[derive(Deserialize)]
struct Filters {
    bucket: String,
}

/// Reads a manifest.
pub(crate) fn manifest(value: Value) -> Result<Manifest, String> {
    let told: Told = serde_json::from_value(value).map_err(|error| format!("its manifest: {error}"))?;
    let names = told.report_shards_file_names;
    if told.report_config.parquet_options.is_some() || names.iter().any(|name| name.ends_with(".parquet")) {
        return Err("its shards are Parquet, and only CSV is read; make one with the format CSV".to_owned());
    }
    if number(&told.shard_count) != Some(names.len() as u64) {
        return Err(format!("its manifest names {} shards of {}", names.len(), told.shard_count));
    }
    let Csv { record_separator, delimiter, header_required } =
        told.report_config.csv_options.unwrap_or_default();
    if !matches!(record_separator.as_str(), "" | "\n" | "\r\n") {
        return Err(format!("its rows end in {record_separator:?}, and only line breaks are understood"));
    }
    let delimiter = match delimiter.as_bytes() {
        [] => b',',
        [one] => *one,
        _ => return Err(format!("its columns are apart by {delimiter:?}, and only one byte is understood")),
    };
    let options = told.report_config.object_metadata_report_options;
    let Options { metadata_fields, storage_filters } =
        options.ok_or("its manifest does not say of which bucket it is")?;
    let file = |name: String| DataFile { name, size: None, md5: None };
    Ok(Manifest {
        of: Of::Gcs(storage_filters.bucket),
        as_of: told.snapshot_time,
        files: names.into_iter().map(file).collect(),
        header: if header_required { Header::Always } else { Header::Never },
        columns: columns(metadata_fields)?,
        delimiter,
        rows: Some(number(&told.records_processed).ok_or("its records_processed is no number")?),
        encodes_keys: false,
    })
}

/// 64-bit numbers may be written as texts.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn columns(names: Vec<String>) -> Result<Columns, String> {
    // Without it copies that were superseded would look like live objects.
    let deleted = needed(&names, "timeDeleted")?;
    Ok(Columns {
        key: needed(&names, "name")?,
        size: needed(&names, "size")?,
        written: needed(&names, "timeCreated")?,
        class: column(&names, "storageClass"),
        bucket: column(&names, "bucket"),
        live: vec![Condition::Empty(deleted)],
        names,
    })
}
