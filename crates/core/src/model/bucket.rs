//! A bucket with everything that identifies it, as one word.

use crate::model::engine::StorageEngine;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A bucket or container: `gs://NAME`, `s3://NAME` at AWS, `s3://NAME@HOST` elsewhere, or an Azure container's URL,
/// `https://ACCOUNT.blob.core.windows.net/CONTAINER`.
///
/// A bucket of that name at another host is another bucket. AWS's own hosts are no part of the name, however it is
/// written: all of them have the same buckets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket(Arc<str>);

impl Bucket {
    /// Returns the bucket; none for other engines and for an invalid name.
    pub fn new(engine: StorageEngine, endpoint: &str, name: &str) -> Option<Self> {
        let endpoint = endpoint.trim_end_matches('/');
        let text = match engine {
            StorageEngine::Gcs => format!("gs://{name}"),
            StorageEngine::S3 if endpoint.is_empty() => format!("s3://{name}"),
            StorageEngine::S3 => format!("s3://{name}@{}", host(endpoint)),
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
    let is_commercial = |region: &str| !region.starts_with("us-gov-");
    host.is_empty() || s3_region(host, ".amazonaws.com").is_some_and(is_commercial)
}

/// Returns true if a host is an endpoint of Amazon S3 itself, in any partition.
///
/// The domain alone proves nothing: load balancers, gateways and machines of AWS's customers are in it too. Nor does
/// anything that the server says, because other servers call themselves AmazonS3.
pub fn is_amazon_s3(host: &str) -> bool {
    s3_region(host, ".amazonaws.com").or_else(|| s3_region(host, ".amazonaws.com.cn")).is_some()
}

/// Returns the region of an endpoint of Amazon S3, which is empty for the global ones; none for other hosts
/// (docs.aws.amazon.com/general/latest/gr/s3.html).
fn s3_region<'a>(host: &'a str, domain: &str) -> Option<&'a str> {
    let own = host.split(':').next().unwrap_or_default().strip_suffix(domain)?;
    let (service, rest) = own.split_once('.').unwrap_or((own, ""));
    let rest = if rest == "dualstack" { "" } else { rest.strip_prefix("dualstack.").unwrap_or(rest) };
    match (service, service.strip_prefix("s3-")) {
        ("s3" | "s3-fips", _) if rest.is_empty() || is_region(rest) => Some(rest),
        ("s3-accelerate" | "s3-external-1", _) if rest.is_empty() => Some(rest),
        (_, Some(region)) if rest.is_empty() && is_region(region) => Some(region),
        _ => None,
    }
}

/// Returns true for a name such as `eu-central-1`.
fn is_region(name: &str) -> bool {
    let words: Vec<&str> = name.split('-').collect();
    let is_word = |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    match words.split_last() {
        Some((number, words)) => {
            let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
            let is_country = words.first().is_some_and(|word| word.len() == 2);
            is_number && number.len() < 3 && words.len() > 1 && is_country && words.iter().all(is_word)
        }
        None => false,
    }
}

impl Bucket {
    /// Parses the address of an object or a folder, as [`Self::uri`] writes it, into its bucket and key.
    ///
    /// # Errors
    /// It has no bucket.
    pub fn and_key(uri: &str) -> Result<(Self, &str), String> {
        // In an Azure URL the container is the first part of the path. Emulators put the account before it.
        let (scheme, rest) = uri.split_once("://").unwrap_or_default();
        let parts = match scheme {
            "https" => 2,
            "http" => 3,
            _ => 1,
        };
        let length = rest.split_inclusive('/').take(parts).map(str::len).sum();
        let (bucket, key) = rest.split_at(length);
        Ok((format!("{scheme}://{}", bucket.trim_end_matches('/')).parse()?, key))
    }
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
        match (valid, rest.split_once('@')) {
            (false, _) => Err(wrong()),
            (true, Some((name, host))) if is_aws(host) => Ok(Self(format!("{scheme}://{name}").into())),
            (true, _) => Ok(Self(text.into())),
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
    fn only_s3s_own_hosts_are_aws() {
        for host in [
            "s3.amazonaws.com",
            "s3.eu-central-1.amazonaws.com:443",
            "s3-us-west-2.amazonaws.com",
            "s3-fips.dualstack.us-east-1.amazonaws.com",
            "s3.dualstack.eu-west-1.amazonaws.com",
            "s3.ap-southeast-1.amazonaws.com",
            "s3-accelerate.amazonaws.com",
            "s3-accelerate.dualstack.amazonaws.com",
        ] {
            assert!(is_aws(host) && is_amazon_s3(host), "{host}");
        }
        for host in ["s3.us-gov-west-1.amazonaws.com", "s3-us-gov-west-1.amazonaws.com"] {
            assert!(!is_aws(host) && is_amazon_s3(host), "{host}");
        }
        assert!(!is_aws("s3.cn-north-1.amazonaws.com.cn") && is_amazon_s3("s3.cn-north-1.amazonaws.com.cn"));
        for host in [
            // A load balancer, a machine and a gateway of anybody who is AWS's customer.
            "s3-1234567890.eu-west-1.elb.amazonaws.com",
            "s3.1234567890.eu-west-1.elb.amazonaws.com",
            "ec2-1-2-3-4.eu-west-1.compute.amazonaws.com",
            "s3.execute-api.eu-west-1.amazonaws.com",
            // What lists in another order, or whatever a function answers.
            "s3express-use1-az4.us-east-1.amazonaws.com",
            "x.s3-object-lambda.us-east-1.amazonaws.com",
            "s3-outposts.us-east-1.amazonaws.com",
            "x.s3-accesspoint.us-east-1.amazonaws.com",
            "s3-website-us-east-1.amazonaws.com",
            "s3.amazonaws.com.evil.example",
            "evils3.amazonaws.com",
            "amazonaws.com",
            "minio:9000",
        ] {
            assert!(!is_aws(host) && !is_amazon_s3(host), "{host}");
        }
    }

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
        for text in ["s3://b@s3.amazonaws.com", "s3://b@s3.eu-west-1.amazonaws.com"] {
            let bucket: Bucket = text.parse().unwrap();
            assert_eq!(bucket.to_string(), "s3://b");
            assert_eq!(serde_json::from_value::<Bucket>(text.into()).unwrap(), bucket);
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
