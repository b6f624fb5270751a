//! Determines the location of an artifact by Argo's relocation rule, and defines the type in which locations
//! are compared (`docs/argo-gc.md#relocation`).

use crate::argo::artifact::ArtifactLocation;
use crate::argo::login::Login;
use crate::model::bucket::Bucket;
use crate::model::engine::StorageEngine;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use thiserror::Error;

/// The certain location of one object or directory. Equal values mean equal locations; raw keys are never
/// compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    // The fields are compared in this order, so those that differ most come first.
    /// The key as the driver's Save writes it; for engines without keys the URL, path or repository.
    pub key: String,
    /// Bucket or container; empty if the engine has none.
    pub bucket: String,
    /// The host for S3, Azure and OSS, the name for a plugin, else empty.
    pub endpoint: String,
    pub engine: StorageEngine,
}

impl Location {
    /// Returns the bucket, if the plugin can list and delete objects of its engine.
    pub fn bucket(&self) -> Option<Bucket> {
        Bucket::new(self.engine, &self.endpoint, &self.bucket)
    }

    /// Returns the key without the secrets that a URL may contain.
    fn public_key(&self) -> Cow<'_, str> {
        match self.engine {
            StorageEngine::Http | StorageEngine::Artifactory | StorageEngine::Git => public(&self.key),
            _ => Cow::Borrowed(&self.key),
        }
    }
}

/// Returns a URL without user, password and query, because each may be a credential or a signature.
pub fn public(url: &str) -> Cow<'_, str> {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let start = url.find("://").map_or(0, |at| at + 3).min(end);
    let host = url[start..end].find('/').map_or(end, |at| start + at);
    match url[start..host].rfind('@') {
        // The user of `git@host:path` is not a secret.
        Some(at) if start > 0 => Cow::Owned(format!("{}{}", &url[..start], &url[start + at + 1..end])),
        _ => Cow::Borrowed(&url[..end]),
    }
}

/// Returns an endpoint, which may be a host without a scheme, without user, password and query.
pub fn public_endpoint(endpoint: &str) -> Cow<'_, str> {
    match endpoint.contains("://") {
        true => public(endpoint),
        false => public(endpoint.rsplit('@').next().unwrap_or_default()),
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { engine, endpoint, bucket, key } = self;
        if let Some(bucket) = self.bucket() {
            return write!(f, "{bucket}/{key}");
        }
        match engine {
            StorageEngine::Gcs | StorageEngine::S3 | StorageEngine::Oss => {
                write!(f, "{}://{bucket}/{key}", engine.as_str())
            }
            // The endpoint may end with a signature.
            StorageEngine::Azure => {
                write!(f, "{}/{bucket}/{key}", public_endpoint(endpoint).trim_end_matches('/'))
            }
            StorageEngine::Hdfs => write!(f, "hdfs://{endpoint}{key}"),
            StorageEngine::Plugin => write!(f, "plugin://{endpoint}/{key}"),
            StorageEngine::Raw => f.write_str("raw:"),
            StorageEngine::Http | StorageEngine::Artifactory | StorageEngine::Git => {
                f.write_str(&public(key))
            }
        }
    }
}

impl Serialize for Location {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Location", 5)?;
        fields.serialize_field("engine", &self.engine)?;
        if self.endpoint.is_empty() {
            fields.skip_field("endpoint")?;
        } else {
            fields.serialize_field("endpoint", &public_endpoint(&self.endpoint))?;
        }
        fields.serialize_field("bucket", &self.bucket)?;
        fields.serialize_field("key", &self.public_key())?;
        fields.serialize_field("uri", &self.to_string())?;
        fields.end()
    }
}

/// The reason why an artifact has no certain location.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LocationError {
    #[error("the artifact has no storage location: it was never saved")]
    NotSaved,
    #[error("only a key is recorded, and the workflow holds no repository to complete it from")]
    NoRepository,
    #[error("only a key is recorded, and it is uncertain which archive location completes it")]
    NoTemplate,
    #[error("the key is empty")]
    EmptyKey,
    #[error("the key climbs out of the bucket: {0}")]
    ClimbsOut(String),
    #[error("it still has an unresolved variable: {0}")]
    Unresolved(String),
}

/// A resolved location, with the key as Argo's drivers use it.
#[derive(Debug, Clone)]
pub struct Resolved {
    pub location: Location,
    /// The raw key that Argo deletes by; it differs from the location's key if Save cleaned it.
    pub raw_key: String,
    /// True if the node's outputs name only a key, which the archive location or the repository completes.
    pub relocated: bool,
    /// By which account Argo opens the bucket; none if by that of its pod.
    pub login: Option<Arc<Login>>,
}

/// Applies Argo's relocation rule: a full location is used as it is; else a copy of `base` gets the artifact's
/// key.
///
/// `base` is the template's archive location if that is full, else the repository: see [`base`].
///
/// # Errors
/// There is no certain location; see [`LocationError`].
pub fn resolve(own: &ArtifactLocation, base: Option<&ArtifactLocation>) -> Result<Resolved, LocationError> {
    if own.kind().is_none() {
        return Err(LocationError::NotSaved);
    }
    if own.is_full() {
        let place = Place::of(own).ok_or(LocationError::NotSaved)?;
        return place.certain(false);
    }
    let key = own.key().ok_or(LocationError::NotSaved)?;
    let mut place = base.and_then(Place::of).ok_or(LocationError::NoRepository)?;
    place.set_key(key);
    place.certain(true)
}

/// Returns the location from which Argo completes a key: a full `archiveLocation`, else the repository.
pub fn base<'a>(
    archive: Option<&'a ArtifactLocation>,
    repository: Option<&'a ArtifactLocation>,
) -> Option<&'a ArtifactLocation> {
    archive.filter(|location| location.is_full()).or(repository)
}

/// Cleans a path like Go's `filepath.Clean`, which the GCS driver applies to a key before it saves
/// (workflow/artifacts/gcs/gcs.go).
pub fn clean(key: &str) -> String {
    let rooted = key.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in key.split('/') {
        match part {
            "" | "." => {}
            ".." => match parts.last() {
                Some(&last) if last != ".." => {
                    parts.pop();
                }
                _ if rooted => {}
                _ => parts.push(".."),
            },
            _ => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

/// A location whose key is not yet validated.
struct Place {
    engine: StorageEngine,
    endpoint: String,
    bucket: String,
    key: String,
    login: Option<Arc<Login>>,
}

impl Place {
    /// Reads the fields of the type that is set, in Get()'s order of precedence (`docs/argo-gc.md#relocation`).
    fn of(location: &ArtifactLocation) -> Option<Self> {
        let place = |engine, endpoint: &str, bucket: &str, key: &str| {
            Some(Self {
                engine,
                endpoint: endpoint.to_owned(),
                bucket: bucket.to_owned(),
                key: key.to_owned(),
                login: None,
            })
        };
        let with = |login: &Option<Arc<Login>>, place: Option<Self>| {
            place.map(|place| Self { login: login.clone(), ..place })
        };
        let ArtifactLocation { gcs, s3, azure, oss, hdfs, http, artifactory, git, raw, plugin, written: _ } =
            location;
        if let Some(a) = artifactory {
            place(StorageEngine::Artifactory, "", "", &a.url)
        } else if let Some(a) = azure {
            with(&a.login, place(StorageEngine::Azure, &a.endpoint, &a.container, &a.blob))
        } else if let Some(g) = git {
            place(StorageEngine::Git, "", "", &g.repo)
        } else if let Some(g) = gcs {
            with(&g.login, place(StorageEngine::Gcs, "", &g.bucket, &g.key))
        } else if let Some(h) = hdfs {
            place(StorageEngine::Hdfs, &h.addresses.join(","), "", &h.path)
        } else if let Some(h) = http {
            place(StorageEngine::Http, "", "", &h.url)
        } else if let Some(o) = oss {
            place(StorageEngine::Oss, &o.endpoint, &o.bucket, &o.key)
        } else if raw.is_some() {
            place(StorageEngine::Raw, "", "", "")
        } else if let Some(s) = s3 {
            with(&s.login, place(StorageEngine::S3, &s.endpoint, &s.bucket, &s.key))
        } else if let Some(p) = plugin {
            place(StorageEngine::Plugin, &p.name, &p.configuration, &p.key)
        } else {
            None
        }
    }

    /// Sets the key. Artifactory appends the key's path to its own URL; the other engines replace the key.
    fn set_key(&mut self, key: &str) {
        if self.engine == StorageEngine::Artifactory {
            self.key = join_url(&self.key, key);
        } else {
            self.key = key.to_owned();
        }
    }

    fn certain(self, relocated: bool) -> Result<Resolved, LocationError> {
        let Self { engine, endpoint, bucket, key, login } = self;
        if engine == StorageEngine::Raw {
            let location = Location { engine, endpoint, bucket, key: String::new() };
            return Ok(Resolved { location, raw_key: String::new(), relocated, login });
        }
        let is_url = matches!(engine, StorageEngine::Http | StorageEngine::Artifactory | StorageEngine::Git);
        let shown_key = if is_url { public(&key) } else { Cow::Borrowed(&*key) };
        let shown = [public_endpoint(&endpoint), Cow::Borrowed(&*bucket), shown_key];
        if let Some(text) = shown.iter().find(|text| text.contains("{{")) {
            return Err(LocationError::Unresolved(text.to_string()));
        }
        if [&endpoint, &key].into_iter().any(|text| text.contains("{{")) {
            return Err(LocationError::Unresolved("in what may be a password".to_owned()));
        }
        let cleaned = if engine == StorageEngine::Gcs { clean(&key) } else { key.clone() };
        if key.trim_matches('/').is_empty() || cleaned == "." {
            return Err(LocationError::EmptyKey);
        }
        if !is_url && clean(&key).split('/').next() == Some("..") {
            return Err(LocationError::ClimbsOut(key));
        }
        Ok(Resolved {
            location: Location { engine, endpoint, bucket, key: cleaned },
            raw_key: key,
            relocated,
            login,
        })
    }
}

/// Appends a path to a URL's scheme and host, as SetKey does for Artifactory.
fn join_url(url: &str, path: &str) -> String {
    let host_end =
        url.find("://").map(|at| at + 3).and_then(|start| url[start..].find('/').map(|slash| start + slash));
    let host = host_end.map_or(url, |end| &url[..end]);
    format!("{host}/{}", path.trim_start_matches('/'))
}

impl ArtifactLocation {
    /// Returns the engine that would be used; none if no type is set.
    pub fn kind(&self) -> Option<StorageEngine> {
        Place::of(self).map(|place| place.engine)
    }

    /// Returns true if the location is complete, including the key (Argo's HasLocation methods@v4.1.2).
    pub fn is_full(&self) -> bool {
        self.key().is_some() && self.is_complete()
    }

    /// Returns true if the location is complete except perhaps for the key.
    fn is_complete(&self) -> bool {
        let all = |parts: &[&str]| parts.iter().all(|part| !part.is_empty());
        match self.kind() {
            None => false,
            Some(StorageEngine::Gcs) => self.gcs.as_ref().is_some_and(|g| all(&[&g.bucket])),
            Some(StorageEngine::S3) => self.s3.as_ref().is_some_and(|s| all(&[&s.endpoint, &s.bucket])),
            Some(StorageEngine::Azure) => {
                self.azure.as_ref().is_some_and(|a| all(&[&a.endpoint, &a.container]))
            }
            Some(StorageEngine::Oss) => self.oss.as_ref().is_some_and(|o| all(&[&o.endpoint, &o.bucket])),
            Some(StorageEngine::Hdfs) => self.hdfs.as_ref().is_some_and(|h| !h.addresses.is_empty()),
            Some(StorageEngine::Http) => self.http.as_ref().is_some_and(|h| all(&[&h.url])),
            Some(StorageEngine::Artifactory) => {
                self.artifactory.as_ref().is_some_and(|a| !a.url.is_empty() && a.username_secret)
            }
            Some(StorageEngine::Git) => self.git.as_ref().is_some_and(|g| all(&[&g.repo])),
            Some(StorageEngine::Raw) => true,
            Some(StorageEngine::Plugin) => {
                self.plugin.as_ref().is_some_and(|p| all(&[&p.name, &p.configuration]))
            }
        }
    }

    /// The bucket of an engine whose objects we can look at and delete.
    pub fn place(&self) -> Option<Bucket> {
        Place::of(self).and_then(|place| Bucket::new(place.engine, &place.endpoint, &place.bucket))
    }

    /// Returns the name of the bucket or container; none if there is none.
    pub fn bucket(&self) -> Option<String> {
        Place::of(self).map(|place| place.bucket).filter(|bucket| !bucket.is_empty())
    }

    /// Returns the key, blob, path or URL; none if empty.
    pub fn key(&self) -> Option<&str> {
        let key = match self.kind()? {
            StorageEngine::Gcs => &self.gcs.as_ref()?.key,
            StorageEngine::S3 => &self.s3.as_ref()?.key,
            StorageEngine::Azure => &self.azure.as_ref()?.blob,
            StorageEngine::Oss => &self.oss.as_ref()?.key,
            StorageEngine::Hdfs => &self.hdfs.as_ref()?.path,
            StorageEngine::Http => &self.http.as_ref()?.url,
            StorageEngine::Artifactory => &self.artifactory.as_ref()?.url,
            StorageEngine::Git => &self.git.as_ref()?.repo,
            StorageEngine::Raw => return Some(""),
            StorageEngine::Plugin => &self.plugin.as_ref()?.key,
        };
        (!key.is_empty()).then_some(key)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::argo::artifact::ArtifactLocation;

    fn location(json: &str) -> ArtifactLocation {
        let artifact: crate::argo::artifact::Artifact = serde_json::from_str(json).unwrap();
        artifact.location
    }

    fn resolved(own: &str, base: &str) -> Result<String, LocationError> {
        resolve(&location(own), Some(&location(base))).map(|resolved| resolved.location.to_string())
    }

    #[test]
    fn cleans_as_go_does() {
        // Expected values are those of Go's documentation and tests of path.Clean.
        for (raw, want) in [
            ("", "."),
            ("abc", "abc"),
            ("abc/def", "abc/def"),
            (".", "."),
            ("..", ".."),
            ("../../abc", "../../abc"),
            ("/abc", "/abc"),
            ("/", "/"),
            ("abc/", "abc"),
            ("a//b/./c/", "a/b/c"),
            ("abc/def/ghi/../jkl", "abc/def/jkl"),
            ("abc/../../././../def", "../../def"),
            ("/../abc", "/abc"),
        ] {
            assert_eq!(clean(raw), want, "{raw:?}");
        }
    }

    #[test]
    fn a_key_is_completed_from_the_repository() {
        let repository = r#"{"gcs":{"bucket":"b","keyFormat":"x"}}"#;
        assert_eq!(resolved(r#"{"gcs":{"key":"wf/pod/a.tgz"}}"#, repository).unwrap(), "gs://b/wf/pod/a.tgz");
        assert_eq!(resolved(r#"{"gcs":{"bucket":"own","key":"k"}}"#, repository).unwrap(), "gs://own/k");
    }

    #[test]
    fn an_incomplete_location_loses_its_bucket() {
        let repository = r#"{"s3":{"endpoint":"e","bucket":"repo"}}"#;
        assert_eq!(resolved(r#"{"s3":{"bucket":"own","key":"k"}}"#, repository).unwrap(), "s3://repo@e/k");
    }

    #[test]
    fn the_base_decides_the_type() {
        let repository = r#"{"gcs":{"bucket":"b"}}"#;
        assert_eq!(resolved(r#"{"s3":{"key":"k"}}"#, repository).unwrap(), "gs://b/k");
    }

    #[test]
    fn a_url_is_shown_without_its_secrets() {
        for (url, want) in [
            ("https://h/a?X-Goog-Signature=s", "https://h/a"),
            ("https://user:pass@h/a@b#f", "https://h/a@b"),
            ("git@github.com:org/repo.git", "git@github.com:org/repo.git"),
            ("https://h", "https://h"),
        ] {
            let place = resolved(&format!(r#"{{"http":{{"url":"{url}"}}}}"#), "{}").unwrap();
            assert_eq!(place, want);
            let own = location(&format!(r#"{{"http":{{"url":"{url}"}}}}"#));
            let json = serde_json::to_string(&resolve(&own, None).unwrap().location).unwrap();
            assert!(!json.contains("Signature") && !json.contains("pass"), "{json}");
        }
    }

    #[test]
    fn an_endpoint_is_shown_without_its_password() {
        for own in [
            r#"{"s3":{"endpoint":"user:hunter2@minio:9000","bucket":"b","key":"k"}}"#,
            r#"{"s3":{"endpoint":"https://user:hunter2@minio:9000","bucket":"b","key":"k"}}"#,
            r#"{"oss":{"endpoint":"https://user:hunter2@oss","bucket":"b","key":"k"}}"#,
            r#"{"azure":{"endpoint":"https://user:hunter2@a.blob.core.windows.net","container":"c","blob":"k"}}"#,
            r#"{"azure":{"endpoint":"user:hunter2@a.blob.core.windows.net","container":"c","blob":"k"}}"#,
            r#"{"s3":{"endpoint":"user:hunter2@{{x}}","bucket":"b","key":"k"}}"#,
            r#"{"s3":{"endpoint":"user:hunter2{{x}}@minio","bucket":"b","key":"k"}}"#,
        ] {
            let shown = match resolve(&location(own), None) {
                Ok(Resolved { location, .. }) => {
                    format!("{location} {}", serde_json::to_string(&location).unwrap())
                }
                Err(error) => error.to_string(),
            };
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }

    #[test]
    fn refuses_keys_that_are_no_place() {
        let repository = r#"{"gcs":{"bucket":"b"}}"#;
        let refusal =
            |key: &str| resolved(&format!(r#"{{"gcs":{{"key":"{key}"}}}}"#), repository).unwrap_err();
        assert!(matches!(refusal("a/../../b"), LocationError::ClimbsOut(_)));
        assert!(matches!(refusal("{{workflow.name}}/a"), LocationError::Unresolved(_)));
        assert_eq!(refusal("/"), LocationError::EmptyKey);
        assert_eq!(refusal("./"), LocationError::EmptyKey);
        assert_eq!(resolved(r#"{"name":"a"}"#, repository).unwrap_err(), LocationError::NotSaved);
        let alone = resolve(&location(r#"{"gcs":{"key":"k"}}"#), None).unwrap_err();
        assert_eq!(alone, LocationError::NoRepository);
    }
}
