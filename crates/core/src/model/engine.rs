//! The storage engines that Argo knows.

use serde::Serialize;

/// A storage engine, by the name of its field in an artifact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StorageEngine {
    Gcs,
    S3,
    Azure,
    Oss,
    Hdfs,
    Http,
    Artifactory,
    Git,
    Raw,
    Plugin,
}

impl StorageEngine {
    /// Returns the field's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gcs => "gcs",
            Self::S3 => "s3",
            Self::Azure => "azure",
            Self::Oss => "oss",
            Self::Hdfs => "hdfs",
            Self::Http => "http",
            Self::Artifactory => "artifactory",
            Self::Git => "git",
            Self::Raw => "raw",
            Self::Plugin => "plugin",
        }
    }
}
