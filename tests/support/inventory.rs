//! Inventories as the three storages make them, after their documentation.

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::{SignedDuration, Timestamp};
use md5::{Digest, Md5};
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Whose inventory it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    S3,
    Gcs,
    GcsWithHeader,
    Azure,
}

impl Shape {
    pub const ALL: [Self; 4] = [Self::S3, Self::Gcs, Self::GcsWithHeader, Self::Azure];
}

/// What a row is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Live,
    /// A noncurrent version, a snapshot, or a superseded generation.
    Copy,
    /// A delete marker; Google and Azure have rows of deleted objects instead.
    Deleted,
}

/// One row.
#[derive(Debug, Clone)]
pub struct Row {
    pub key: String,
    pub size: u64,
    pub written: Timestamp,
    pub kind: Kind,
}

/// An inventory to be made.
#[derive(Debug, Clone)]
pub struct Made {
    pub shape: Shape,
    pub bucket: String,
    /// The account's URL, for Azure.
    pub endpoint: String,
    pub as_of: Timestamp,
    pub rows: Vec<Row>,
    pub files: usize,
}

/// The files of an inventory: their keys in the bucket that the storage writes them to, and their bytes.
pub struct Files {
    pub manifest: Value,
    /// The key of the manifest.
    pub key: String,
    /// The rows.
    pub data: Vec<(String, Vec<u8>)>,
    /// The checksum beside the manifest, if it is to be the right one.
    pub has_checksum: bool,
}

impl Made {
    /// As of a day ago, in three files.
    pub fn new(shape: Shape, bucket: &str) -> Self {
        let as_of =
            (Timestamp::now() - SignedDuration::from_hours(24)).round(jiff::Unit::Second).expect("a time");
        let endpoint = "https://devstoreaccount1.blob.core.windows.net".to_owned();
        Self { shape, bucket: bucket.to_owned(), endpoint, as_of, rows: Vec::new(), files: 3 }
    }

    /// The bytes of all live objects.
    pub fn bytes(&self) -> u64 {
        self.rows.iter().filter(|row| matches!(row.kind, Kind::Live)).map(|row| row.size).sum()
    }

    /// Adds the live object of a key, so old, whose bytes are its key.
    pub fn add(&mut self, key: &str, age: SignedDuration) -> &mut Self {
        self.add_kind(key, age, Kind::Live)
    }

    pub fn add_kind(&mut self, key: &str, age: SignedDuration, kind: Kind) -> &mut Self {
        let written = Timestamp::now() - age;
        self.rows.push(Row { key: key.to_owned(), size: key.len() as u64, written, kind });
        self
    }

    /// The address of the bucket, as `--repository` takes it.
    pub fn repository(&self) -> String {
        match self.shape {
            Shape::S3 => format!("s3://{}", self.bucket),
            Shape::Gcs | Shape::GcsWithHeader => format!("gs://{}", self.bucket),
            Shape::Azure => format!("{}/{}", self.endpoint, self.bucket),
        }
    }

    pub fn files(&self) -> Files {
        let mut parts = vec![Vec::new(); self.files];
        // Neighbours are in different files, and each file is in no order.
        for (at, row) in self.rows.iter().rev().enumerate() {
            parts[at % self.files].push(row);
        }
        let texts = parts.iter().map(|rows| self.text(rows));
        let folder = match self.shape {
            Shape::S3 => format!("inv/{}/daily", self.bucket),
            Shape::Gcs | Shape::GcsWithHeader => "inv".to_owned(),
            Shape::Azure => "2026/11/01/01-00-00/Rule_1".to_owned(),
        };
        let data: Vec<(String, Vec<u8>)> = texts
            .enumerate()
            .map(|(at, text)| match self.shape {
                Shape::S3 => (format!("{folder}/data/part-{at}.csv.gz"), packed(&text)),
                Shape::Azure => (format!("{folder}/Rule_1_{at}.csv"), text.into_bytes()),
                _ => (format!("{folder}/5f1e_2026-11-01T01:00_{at}.csv"), text.into_bytes()),
            })
            .collect();
        let key = match self.shape {
            Shape::S3 => format!("{folder}/2026-11-01T01-00Z/manifest.json"),
            Shape::Azure => format!("{folder}/Rule_1-manifest.json"),
            _ => format!("{folder}/5f1e_2026-11-01T01:00_manifest.json"),
        };
        let mut files = Files { manifest: Value::Null, key, data, has_checksum: true };
        files.manifest = self.manifest(&files.data);
        files
    }

    fn manifest(&self, data: &[(String, Vec<u8>)]) -> Value {
        match self.shape {
            Shape::S3 => json!({
                "sourceBucket": self.bucket,
                "destinationBucket": "arn:aws:s3:::reports",
                "version": "2016-11-30",
                "creationTimestamp": self.as_of.as_millisecond().to_string(),
                "fileFormat": "CSV",
                "fileSchema": "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass",
                "files": data.iter().map(|(key, bytes)| json!({
                    "key": key, "size": bytes.len(), "MD5checksum": md5(bytes),
                })).collect::<Vec<_>>(),
            }),
            Shape::Azure => json!({
                "destinationContainer": "reports",
                "endpoint": self.endpoint,
                "files": data.iter().map(|(key, bytes)| json!({ "blob": key, "size": bytes.len() }))
                    .collect::<Vec<_>>(),
                "inventoryCompletionTime": self.as_of + SignedDuration::from_mins(10),
                "inventoryStartTime": self.as_of,
                "ruleDefinition": {
                    "filters": {
                        "blobTypes": ["blockBlob"], "includeBlobVersions": true, "includeSnapshots": true,
                        "includeDeleted": true, "prefixMatch": [],
                    },
                    "format": "csv", "objectType": "blob", "schedule": "daily",
                    "schemaFields": [
                        "Name", "Creation-Time", "Last-Modified", "Content-Length", "Etag", "Snapshot", "VersionId",
                        "IsCurrentVersion", "Deleted", "AccessTier",
                    ],
                },
                "ruleName": "Rule_1",
                "status": "Succeeded",
                "summary": { "objectCount": self.rows.len(), "totalObjectSize": 1 },
                "version": "1.0",
            }),
            Shape::Gcs | Shape::GcsWithHeader => json!({
                "report_config": {
                    "name": "projects/p/locations/eu/reportConfigs/5f1e",
                    "csv_options": {
                        "record_separator": "\n", "delimiter": ",",
                        "header_required": self.shape == Shape::GcsWithHeader,
                    },
                    "object_metadata_report_options": {
                        "metadata_fields": [
                            "project", "bucket", "name", "size", "timeCreated", "timeDeleted", "storageClass",
                        ],
                        "storage_filters": { "bucket": self.bucket },
                        "storage_destination_options": { "bucket": "reports", "destination_path": "inv" },
                    },
                },
                "records_processed": self.rows.len(),
                "snapshot_time": self.as_of,
                "shard_count": data.len(),
                "report_shards_file_names":
                    data.iter().map(|(key, _)| key.rsplit('/').next().unwrap_or_default()).collect::<Vec<_>>(),
            }),
        }
    }

    fn text(&self, rows: &[&Row]) -> String {
        let mut text = String::new();
        let header: &[&str] = match self.shape {
            Shape::S3 | Shape::Gcs => &[],
            // Google does not promise the order of the configuration.
            Shape::GcsWithHeader => {
                &["name", "bucket", "project", "size", "timeCreated", "timeDeleted", "storageClass"]
            }
            Shape::Azure => &[
                "Name",
                "Creation-Time",
                "Last-Modified",
                "Content-Length",
                "Etag",
                "Snapshot",
                "VersionId",
                "IsCurrentVersion",
                "Deleted",
                "AccessTier",
            ],
        };
        if !header.is_empty() {
            text = format!("{}\n", header.join(","));
        }
        for Row { key, size, written, kind } in rows {
            let (size, time) = (size.to_string(), written.to_string());
            let is = |is: bool| is.to_string();
            let gone = if *kind == Kind::Live { "" } else { &*time };
            let cells: Vec<String> = match self.shape {
                Shape::S3 => {
                    let marker = *kind == Kind::Deleted;
                    let size = if marker { String::new() } else { size };
                    let version = format!("v{}", text.len());
                    // Of a key that is deleted the marker is the latest.
                    let (latest, marker) = (is(*kind != Kind::Copy), is(marker));
                    [
                        &*self.bucket,
                        &form_encoded(key),
                        &version,
                        &latest,
                        &marker,
                        &size,
                        &time,
                        "e",
                        "STANDARD",
                    ]
                    .map(str::to_owned)
                    .to_vec()
                }
                Shape::Gcs => {
                    ["1", &*self.bucket, key, &size, &time, gone, "STANDARD"].map(str::to_owned).to_vec()
                }
                Shape::GcsWithHeader => {
                    [key, &*self.bucket, "1", &size, &time, gone, "STANDARD"].map(str::to_owned).to_vec()
                }
                Shape::Azure => {
                    let name = format!("{}/{key}", self.bucket);
                    let snapshot = if *kind == Kind::Copy { &*time } else { "" };
                    let deleted = if *kind == Kind::Deleted { "true" } else { "" };
                    [&name, &time, &time, &size, "0x1", snapshot, "", "", deleted, "Hot"]
                        .map(str::to_owned)
                        .to_vec()
                }
            };
            let always = self.shape == Shape::S3;
            let cells: Vec<String> = cells.iter().map(|cell| quoted(cell, always)).collect();
            text.push_str(&cells.join(","));
            text.push('\n');
        }
        text
    }

    /// Writes it into a folder as the storage does; gives the path of the manifest.
    pub fn write(&self, folder: &Path) -> PathBuf {
        self.files().write(folder)
    }
}

impl Files {
    /// Every file with its bytes, the manifest first.
    pub fn all(&self) -> Vec<(String, Vec<u8>)> {
        let text = serde_json::to_vec_pretty(&self.manifest).expect("JSON");
        let sum = md5(&text);
        let mut all = vec![(self.key.clone(), text)];
        if self.has_checksum {
            all.push((self.key.replace(".json", ".checksum"), format!("{sum}\n").into_bytes()));
        }
        all.extend(self.data.clone());
        all
    }

    pub fn write(&self, folder: &Path) -> PathBuf {
        for (key, bytes) in self.all() {
            let path = folder.join(key);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, bytes).expect("a file");
        }
        folder.join(&self.key)
    }

    /// Writes all into one folder.
    pub fn write_flat(&self, folder: &Path) -> PathBuf {
        for (key, bytes) in self.all() {
            fs::write(folder.join(key.rsplit('/').next().expect("a name")), bytes).expect("a file");
        }
        folder.join(self.key.rsplit('/').next().expect("a name"))
    }
}

pub fn packed(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).expect("memory");
    encoder.finish().expect("memory")
}

pub fn md5(bytes: &[u8]) -> String {
    Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn quoted(cell: &str, always: bool) -> String {
    match always || cell.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell.to_owned(),
    }
}

fn form_encoded(key: &str) -> String {
    key.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' | b'/' => {
                char::from(byte).to_string()
            }
            b' ' => "+".to_owned(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
