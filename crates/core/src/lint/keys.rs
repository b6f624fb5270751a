//! Where artifacts are saved, and which of their keys several nodes or attempts share.

use crate::argo::artifact::{Artifact, ArtifactLocation};
use crate::lint::model::Body;
use crate::lint::settings::Local;
use crate::lint::times::Times;
use crate::model::engine::StorageEngine;
use std::borrow::Cow;
use std::collections::HashMap;

/// The names of a field and those around it, below the artifact.
pub(crate) type Fields = &'static [&'static str];

/// How often one run writes each place, as far as its key is the same for all nodes.
#[derive(Debug, Default)]
pub(crate) struct Written(pub HashMap<Place, Times>);

/// An engine, a bucket (empty if unknown) and a key.
pub(crate) type Place = (Option<StorageEngine>, String, String);

/// How often an artifact's key is written in one run.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Again {
    /// By the nodes of the run, each attempt not counted.
    pub nodes: Times,
    /// True if each attempt of a node writes it again.
    pub attempts: bool,
}

/// Returns the location from which a key is completed: the template's archive location if it names a place,
/// else the repository.
pub(crate) fn base<'a>(local: &Local<'a>, body: &'a Body) -> Option<&'a ArtifactLocation> {
    // In a manifest its key may still be missing, because the default key format fills it in.
    let own = body.archive_location.as_ref().filter(|location| location.kind().is_some());
    own.or(local.repository.map(|repository| &repository.location))
}

/// Returns the key under which an artifact is saved, with its variables: its own, else one that the key format makes.
pub(crate) fn written_key<'a>(
    local: &Local<'_>,
    body: &Body,
    artifact: &'a Artifact,
) -> Option<Cow<'a, str>> {
    if let Some(own) = artifact.location.key() {
        return Some(own.into());
    }
    let of_template = body.archive_location.as_ref().filter(|location| location.kind().is_some());
    let format = match of_template {
        Some(location) => location.key()?,
        None => &local.repository?.key_format,
    };
    // What a file is called depends on how it is packed; the same artifact is always called the same.
    Some(format!("{format}/{}", artifact.name).into())
}

pub(crate) fn place(local: &Local<'_>, body: &Body, artifact: &Artifact) -> Option<Place> {
    let key = written_key(local, body, artifact).filter(|key| is_same_for_nodes(key))?;
    let own = &artifact.location;
    let base = base(local, body);
    let place = if own.is_full() { Some(own) } else { base.filter(|base| base.kind().is_some()) };
    let engine = place.and_then(|place| place.kind()).or(own.kind());
    let bucket = place.and_then(|place| place.bucket()).or_else(|| own.bucket()).unwrap_or_default();
    Some((engine, bucket, key.into_owned()))
}

/// The tags of a key, without the white space at their ends; an expression begins with `=`.
fn tags(key: &str) -> impl Iterator<Item = &str> {
    key.split("{{").skip(1).filter_map(|rest| rest.split_once("}}")).map(|(tag, _)| tag.trim())
}

/// Returns true if all nodes of a run write the same key: its variables are those of the workflow.
fn is_same_for_nodes(key: &str) -> bool {
    tags(key).all(|tag| tag.starts_with("workflow."))
}

/// Returns true if all attempts of a node write the same key. An expression may use anything.
pub(crate) fn is_same_for_attempts(key: &str) -> bool {
    const OWN: [&str; 2] = ["pod.name", "retries"];
    !tags(key).any(|tag| tag.starts_with('=') || tag.starts_with("lastRetry.") || OWN.contains(&tag))
}

pub(crate) fn field(engine: Option<StorageEngine>) -> Fields {
    match engine {
        Some(StorageEngine::Gcs) => &["gcs"],
        Some(StorageEngine::S3) => &["s3"],
        Some(StorageEngine::Azure) => &["azure"],
        Some(StorageEngine::Oss) => &["oss"],
        Some(StorageEngine::Hdfs) => &["hdfs"],
        Some(StorageEngine::Http) => &["http"],
        Some(StorageEngine::Artifactory) => &["artifactory"],
        Some(StorageEngine::Git) => &["git"],
        Some(StorageEngine::Raw) => &["raw"],
        Some(StorageEngine::Plugin) => &["plugin"],
        None => &[],
    }
}

pub(crate) fn key_field(engine: Option<StorageEngine>) -> Fields {
    match engine {
        Some(StorageEngine::Gcs) => &["gcs", "key"],
        Some(StorageEngine::S3) => &["s3", "key"],
        Some(StorageEngine::Azure) => &["azure", "blob"],
        Some(StorageEngine::Oss) => &["oss", "key"],
        Some(StorageEngine::Plugin) => &["plugin", "key"],
        other => field(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_keys_that_nodes_and_attempts_share() {
        for key in ["a.tgz", "{{workflow.uid}}/a.tgz", "{{ workflow.parameters.day }}/a"] {
            assert!(is_same_for_nodes(key) && is_same_for_attempts(key), "{key}");
        }
        for key in ["{{pod.name}}/a", "{{=workflow.name}}/a"] {
            assert!(!is_same_for_nodes(key) && !is_same_for_attempts(key), "{key}");
        }
        assert!(
            !is_same_for_nodes("{{inputs.parameters.p}}") && is_same_for_attempts("{{inputs.parameters.p}}")
        );
        assert!(!is_same_for_attempts("{{retries}}/a"));
    }
}
