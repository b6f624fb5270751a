//! What a place in storage is: which artifacts of which workflows, and what a purge makes of each of them.

use crate::model::assessment::{ArtifactReport, Assessment};
use crate::model::bucket::Bucket;
use crate::model::engine::StorageEngine;
use crate::model::location::clean;
use crate::plan::choice::{Choice, Unselected};
use crate::plan::rules::Rules;
use crate::plan::select::{Circumstances, choice};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeSet;

/// A place that somebody asks about.
#[derive(Debug, Clone)]
pub struct Asked {
    /// None for engines whose objects this tool can't list.
    bucket: Option<Bucket>,
    /// Empty for a whole bucket.
    key: String,
    /// The address as locations are shown, without a slash at its end.
    uri: String,
}

/// How an artifact lies to a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Relation {
    /// The place is the artifact.
    Same,
    /// The artifact is a directory, and the place is in it.
    Holds,
    /// The artifact is below the place.
    Below,
}

impl Asked {
    /// Asks about a key of a bucket, or about the whole bucket if the key is empty.
    pub fn of(bucket: &Bucket, key: &str) -> Self {
        let bucket = bucket.clone();
        let key = match bucket.engine() {
            // Argo's driver cleans a key before it saves.
            StorageEngine::Gcs if !key.is_empty() => clean(key),
            _ => key.to_owned(),
        };
        let key = key.trim_end_matches('/').to_owned();
        let uri = if key.is_empty() { bucket.to_string() } else { bucket.uri(&key) };
        Self { bucket: Some(bucket), key, uri }
    }

    /// Asks about an address that is none of a bucket, such as `hdfs://HOST/PATH`.
    pub fn other(uri: &str) -> Self {
        Self { bucket: None, key: String::new(), uri: uri.trim_end_matches('/').to_owned() }
    }

    /// Returns the address.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Returns bucket and key; none if it is no bucket's.
    pub fn place(&self) -> Option<(&Bucket, &str)> {
        self.bucket.as_ref().map(|bucket| (bucket, self.key.as_str()))
    }

    /// Returns how an artifact with this address lies to the place; none if they have nothing in common.
    pub fn relation(&self, uri: &str, unarchived: bool) -> Option<Relation> {
        let uri = uri.trim_end_matches('/');
        let is_below =
            |path: &str, folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        if uri == self.uri {
            Some(Relation::Same)
        } else if is_below(uri, &self.uri) {
            Some(Relation::Below)
        } else {
            (unarchived && is_below(&self.uri, uri)).then_some(Relation::Holds)
        }
    }

    /// Returns true if the artifact has the same key in a bucket of the same name elsewhere.
    fn is_namesake(&self, artifact: &ArtifactReport) -> bool {
        let Some(location) = &artifact.location else { return false };
        let Some((bucket, key)) = self.place() else { return false };
        !key.is_empty()
            && location.bucket == bucket.name()
            && location.key.trim_end_matches('/') == key
            && location.bucket().as_ref() != Some(bucket)
    }
}

/// An artifact at a place, with what a purge makes of it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Located {
    pub namespace: String,
    pub workflow: String,
    pub uid: String,
    pub phase: String,
    pub finished_at: Option<Timestamp>,
    /// True for a record of the archive.
    pub archived: bool,
    pub relation: Relation,
    pub artifact: ArtifactReport,
    pub purge: Choice,
}

/// The artifacts at a place.
#[derive(Debug, Default)]
pub struct AtPlace {
    pub located: Vec<Located>,
    /// The number of artifacts that are there too, beyond [`MOST_LOCATED`].
    pub more: u64,
    /// Addresses of the same key in buckets of the same name elsewhere, each once.
    pub namesakes: BTreeSet<String>,
}

/// The number of artifacts of a place that are told one by one: a whole bucket may be asked about.
pub const MOST_LOCATED: usize = 200;

impl AtPlace {
    /// Adds what was found in other workflows.
    pub fn absorb(&mut self, other: Self) {
        let AtPlace { located, more, namesakes } = other;
        let room = MOST_LOCATED.saturating_sub(self.located.len());
        self.more += more + located.len().saturating_sub(room) as u64;
        self.located.extend(located.into_iter().take(room));
        let room = MOST_LOCATED.saturating_sub(self.namesakes.len());
        self.namesakes.extend(namesakes.into_iter().take(room));
    }
}

/// Finds the artifacts of a workflow at a place. `unselected` says why the purge does not select the workflow, if it
/// does not.
pub fn locate(
    asked: &Asked,
    assessment: &Assessment,
    about: &Circumstances,
    rules: &Rules,
    unselected: Option<Unselected>,
) -> AtPlace {
    let mut found = AtPlace::default();
    for artifact in &assessment.artifacts {
        let Some(location) = &artifact.location else { continue };
        let uri = location.to_string();
        let Some(relation) = asked.relation(&uri, artifact.unarchived) else {
            if asked.is_namesake(artifact) {
                found.namesakes.insert(uri);
            }
            continue;
        };
        let purge = match unselected {
            Some(why) => Choice::NotSelected { why },
            None => choice(assessment, artifact, about, rules),
        };
        found.located.push(Located {
            namespace: assessment.namespace.clone(),
            workflow: assessment.name.clone(),
            uid: assessment.uid.clone(),
            phase: assessment.phase.clone(),
            finished_at: assessment.finished_at,
            archived: assessment.archived,
            relation,
            artifact: artifact.clone(),
            purge,
        });
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn asked(bucket: &str, key: &str) -> Asked {
        Asked::of(&bucket.parse().unwrap(), key)
    }

    #[test]
    fn a_place_is_an_artifact_lies_in_it_or_has_it_below() {
        let place = asked("gs://b", "wf/dir");
        for (uri, unarchived, relation) in [
            ("gs://b/wf/dir", false, Some(Relation::Same)),
            ("gs://b/wf/dir/", false, Some(Relation::Same)),
            ("gs://b/wf/dir/x.tgz", false, Some(Relation::Below)),
            ("gs://b/wf", true, Some(Relation::Holds)),
            // What is below the key of an archive is another artifact's.
            ("gs://b/wf", false, None),
            ("gs://b/wf/directory", false, None),
            ("gs://b/w", true, None),
            ("gs://other/wf/dir", false, None),
            ("s3://b/wf/dir", false, None),
        ] {
            assert_eq!(place.relation(uri, unarchived), relation, "{uri}");
        }
        assert_eq!(asked("gs://b", "").relation("gs://b/x", false), Some(Relation::Below));
    }

    #[test]
    fn an_address_is_read_as_locations_are_shown() {
        for (bucket, key, uri) in [
            ("gs://b", "./wf//a.tgz", "gs://b/wf/a.tgz"),
            ("gs://b", "wf/dir/", "gs://b/wf/dir"),
            // S3 keeps what GCS's driver cleans.
            ("s3://b", "wf//a.tgz", "s3://b/wf//a.tgz"),
            ("s3://b@s3.eu-west-1.amazonaws.com", "k", "s3://b/k"),
            ("s3://b@minio:9000", "k/", "s3://b@minio:9000/k"),
            ("https://a.blob.core.windows.net/c", "k", "https://a.blob.core.windows.net/c/k"),
            ("gs://b", "", "gs://b"),
        ] {
            assert_eq!(asked(bucket, key).uri(), uri);
        }
        assert_eq!(Asked::other("hdfs://nn:8020/a/").uri(), "hdfs://nn:8020/a");
        assert!(Asked::other("hdfs://nn/a").place().is_none());
    }
}
