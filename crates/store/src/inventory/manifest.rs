//! What a manifest says, in whichever of the three formats.

use crate::inventory::limits::Limits;
use jiff::Timestamp;
use md5::{Digest, Md5};
use std::fmt;

/// What an inventory is of.
#[derive(Debug, Clone)]
pub(crate) enum Of {
    /// A bucket's name.
    S3(String),
    /// A bucket's name.
    Gcs(String),
    /// Containers of an account, as far as a rule takes them.
    Azure { endpoint: String, limits: Limits },
}

impl fmt::Display for Of {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::S3(name) => write!(f, "s3://{name}"),
            Self::Gcs(name) => write!(f, "gs://{name}"),
            Self::Azure { endpoint, .. } => f.write_str(endpoint),
        }
    }
}

/// A file with rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DataFile {
    /// Its key in the bucket that the storage wrote it to, or its name beside the manifest.
    pub name: String,
    pub size: Option<u64>,
    /// In lower-case hexadecimal digits.
    pub md5: Option<String>,
}

/// Whether files begin with the names of their columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Header {
    Never,
    Always,
}

/// A manifest that says that its inventory is complete.
#[derive(Debug, Clone)]
pub(crate) struct Manifest {
    pub of: Of,
    pub as_of: Timestamp,
    pub files: Vec<DataFile>,
    pub header: Header,
    pub columns: Columns,
    pub delimiter: u8,
    /// All rows of all files but the headers, if that is told.
    pub rows: Option<u64>,
    /// Keys are encoded as in HTML forms.
    pub encodes_keys: bool,
}

/// What tells a live object from copies, delete markers and folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    True(usize),
    /// No value counts as false.
    False(usize),
    Empty(usize),
    /// Where there is a version, it is the current one.
    Current {
        version: usize,
        current: usize,
    },
}

/// Where in a row its values are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Columns {
    pub names: Vec<String>,
    pub key: usize,
    pub size: usize,
    pub written: usize,
    pub class: Option<usize>,
    pub bucket: Option<usize>,
    pub live: Vec<Condition>,
}

/// Returns the number of a column.
pub(crate) fn column(names: &[String], name: &str) -> Option<usize> {
    names.iter().position(|known| known.eq_ignore_ascii_case(name))
}

/// Returns the number of a column that can't be done without.
pub(crate) fn needed(names: &[String], name: &str) -> Result<usize, String> {
    column(names, name).ok_or_else(|| {
        format!("it has no column {name}; add this field to its configuration for the next one")
    })
}

/// A checksum in lower-case hexadecimal digits.
pub(crate) fn hexadecimal(hasher: Md5) -> String {
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
