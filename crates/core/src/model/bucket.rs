//! A bucket with everything that identifies it, as one word.

use crate::model::engine::StorageEngine;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A bucket or container: `gs://NAME`, `s3://NAME` at AWS, `s3://NAME@HOST` elsewhere, or an Azure container's URL,
/// `https://ACCOUNT.blob.core.windows.net/CONTAINER`.
///
/// A bucket of that name at another host is another bucket.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket(Arc<str>);

impl Bucket {
    /// Returns the bucket; none for other engines and for an invalid name.
    pub fn new(engine: StorageEngine, endpoint: &str, name: &str) -> Option<Self> {
        let endpoint = endpoint.trim_end_matches('/');
        let text = match engine {
            StorageEngine::Gcs => format!("gs://{name}"),
            StorageEngine::S3 => match host(endpoint) {
                host if is_aws(host) => format!("s3://{name}"),
                host => format!("s3://{name}@{host}"),
            },
            StorageEngine::Azure if endpoint.contains("://") => format!("{endpoint}/{name}"),
            StorageEngine::Azure => format!("https://{endpoint}/{name}"),
            _ => return None,
        };
        text.parse().ok().filter(|bucket: &Self| bucket.name() == name)
    }

    /// Returns the engine: GCS, S3 or Azure.
    pub fn engine(&self) -> StorageEngine {
        match self.0.split_once("://") {
            Some(("gs", _)) => StorageEngine::Gcs,
            Some(("s3", _)) => StorageEngine::S3,
            _ => StorageEngine::Azure,
        }
    }

    /// Returns the name of the bucket only.
    pub fn name(&self) -> &str {
        let (_, rest) = self.0.split_once("://").unwrap_or_default();
        match self.engine() {
            StorageEngine::Azure => rest.rsplit_once('/').unwrap_or_default().1,
            _ => rest.split('@').next().unwrap_or_default(),
        }
    }

    /// Returns the account's URL for Azure, the host for an S3-compatible server other than AWS, else an empty
    /// text.
    pub fn endpoint(&self) -> &str {
        match self.engine() {
            StorageEngine::Azure => self.0.rsplit_once('/').unwrap_or_default().0,
            _ => self.0.split_once('@').unwrap_or_default().1,
        }
    }

    /// Returns the address of an object in the bucket.
    pub fn uri(&self, key: &str) -> String {
        format!("{self}/{key}")
    }
}

/// Returns host and port of a URL, or of a text that is only a host.
pub fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default()
}

/// Returns true if an endpoint is AWS's own, in any region, where bucket names are unique. AWS China and
/// GovCloud do not count, because their buckets may have the same names; nor do endpoints of access points.
pub fn is_aws(host: &str) -> bool {
    let host = host.split(':').next().unwrap_or_default();
    let is_own = |rest: &str| {
        (rest == "s3" || rest.starts_with("s3.") || rest.starts_with("s3-"))
            && !["us-gov-", "s3-outposts", "s3-object-lambda"].iter().any(|other| rest.contains(other))
    };
    host.is_empty() || host.strip_suffix(".amazonaws.com").is_some_and(is_own)
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Bucket {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            "use gs://BUCKET, s3://BUCKET, s3://BUCKET@HOST or https://ACCOUNT.blob.core.windows.net/CONTAINER"
                .to_owned()
        };
        let is_word = |word: &str| {
            !word.is_empty() && !word.contains(|c: char| "/@?#{}\\".contains(c) || c.is_whitespace())
        };
        // The name becomes a host's label or a part of a path, so it must have no special meaning in either.
        let is_name = |name: &str| {
            name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.$".contains(c))
                && !matches!(name, "" | "." | "..")
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let valid = match scheme {
            "gs" => is_name(rest),
            "s3" => rest.split_once('@').map_or(is_name(rest), |(name, host)| is_name(name) && is_word(host)),
            // Emulators put the account into the path.
            "https" | "http" => {
                rest.split_once('/').is_some_and(|(host, path)| is_word(host) && path.split('/').all(is_name))
            }
            _ => false,
        };
        match valid {
            true => Ok(Self(text.into())),
            false => Err(wrong()),
        }
    }
}

impl Serialize for Bucket {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bucket {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// The domains of Azure's own storage, of the public and the other clouds.
pub(crate) const AZURE: [&str; 3] =
    [".blob.core.windows.net", ".blob.core.usgovcloudapi.net", ".blob.core.chinacloudapi.cn"];

/// Returns true if a host belongs to an account at Azure itself.
pub fn is_azure(host: &str) -> bool {
    let account = AZURE.iter().find_map(|domain| host.strip_suffix(domain));
    account.is_some_and(|account| !account.trim_end_matches(".privatelink").contains('.'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::model::engine::StorageEngine;

    #[test]
    fn a_bucket_is_told_by_all_that_makes_it_one() {
        for (engine, endpoint, name, text, of) in [
            (StorageEngine::Gcs, "", "b", "gs://b", ""),
            (StorageEngine::S3, "s3.amazonaws.com", "b", "s3://b", ""),
            (StorageEngine::S3, "https://s3.eu-central-1.amazonaws.com", "b", "s3://b", ""),
            (
                StorageEngine::S3,
                "s3.cn-north-1.amazonaws.com.cn",
                "b",
                "s3://b@s3.cn-north-1.amazonaws.com.cn",
                "s3.cn-north-1.amazonaws.com.cn",
            ),
            (
                StorageEngine::S3,
                "s3.us-gov-west-1.amazonaws.com",
                "b",
                "s3://b@s3.us-gov-west-1.amazonaws.com",
                "s3.us-gov-west-1.amazonaws.com",
            ),
            (StorageEngine::S3, "s3.dualstack.eu-west-1.amazonaws.com:443", "b", "s3://b", ""),
            (StorageEngine::S3, "minio:9000", "b", "s3://b@minio:9000", "minio:9000"),
            (StorageEngine::S3, "evil.example/s3.amazonaws.com", "b", "s3://b@evil.example", "evil.example"),
            (
                StorageEngine::Azure,
                "https://a.blob.core.windows.net/",
                "c",
                "https://a.blob.core.windows.net/c",
                "https://a.blob.core.windows.net",
            ),
        ] {
            let bucket = Bucket::new(engine, endpoint, name).unwrap();
            assert_eq!(bucket.to_string(), text);
            assert_eq!((bucket.engine(), bucket.endpoint(), bucket.name()), (engine, of, name));
            assert_eq!(text.parse::<Bucket>().unwrap(), bucket);
        }
        for (engine, name) in [
            (StorageEngine::Oss, "b"),
            (StorageEngine::Gcs, ""),
            (StorageEngine::Gcs, "a/b"),
            (StorageEngine::S3, "b@evil"),
            (StorageEngine::Azure, "a/b"),
            // In a URL these would be other buckets, or none.
            (StorageEngine::Gcs, ".."),
            (StorageEngine::S3, "."),
            (StorageEngine::S3, "other%2Fdir"),
            (StorageEngine::S3, "%2e%2e"),
            (StorageEngine::Azure, ".."),
        ] {
            assert_eq!(Bucket::new(engine, "e", name), None, "{name}");
        }
        for text in [
            "b",
            "gs://",
            "gs://b/k",
            "s3://b@",
            "s3://b@h/k",
            "https://h",
            "ftp://h/b",
            "gs://b b",
            "s3://..@h",
            "https://h/..",
            "https://h/../c",
        ] {
            assert!(text.parse::<Bucket>().is_err(), "{text}");
        }
    }
}
