//! How often one run writes each place: a place that is deleted twice is missing the second time
//! (`docs/argo-gc.md#gcs`).

use crate::argo::artifact::Artifact;
use crate::lint::artifact::{base, key_field};
use crate::lint::model::{Body, Makes};
use crate::lint::path::FieldPath;
use crate::lint::root::Root;
use crate::lint::settings::Local;
use crate::lint::times::Times;
use crate::lint::walk::Usage;
use crate::model::engine::StorageEngine;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// How often one run writes each place, as far as its key is the same for all nodes.
#[derive(Debug, Default)]
pub(crate) struct Written(HashMap<Place, Times>);

/// An engine, a bucket (empty if unknown) and a key.
type Place = (Option<StorageEngine>, String, String);

/// How often an artifact's key is written in one run.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Again {
    /// By the nodes of the run, each attempt not counted.
    pub nodes: Times,
    /// True if each attempt of a node writes it again.
    pub attempts: bool,
}

impl Root<'_> {
    /// Counts the places of the artifacts that count.
    pub fn written(&self, counts: impl Fn(&Artifact) -> bool) -> Written {
        let mut written = Written::default();
        let mut counted = HashSet::new();
        for usage in self.reach.usages.iter().filter(|usage| usage.body.makes == Makes::Pod) {
            // A template that is reached in two ways has all its times in each.
            if !counted.insert((usage.manifest, &usage.body.path)) {
                continue;
            }
            for (_, artifact) in usage.body.artifacts.iter().filter(|(_, artifact)| counts(artifact)) {
                if let Some(place) = place(&self.local, usage.body, artifact) {
                    let times = written.0.entry(place).or_default();
                    *times = times.plus(usage.times);
                }
            }
        }
        written
    }

    pub fn again(&self, written: &Written, usage: &Usage<'_>, artifact: &Artifact) -> Again {
        let nodes = place(&self.local, usage.body, artifact).and_then(|place| written.0.get(&place));
        let attempts = usage.body.retries
            && key(&self.local, usage.body, artifact).is_some_and(|key| is_same_for_attempts(&key));
        Again { nodes: nodes.copied().unwrap_or_default(), attempts }
    }

    /// Returns the artifacts' own keys that are written more than once in a run, or may be, whether or not the artifacts
    /// are to be collected yet.
    pub fn repeated_keys(&self) -> Vec<(usize, FieldPath)> {
        let written = self.written(|_| true);
        let pods = self.reach.usages.iter().filter(|usage| usage.body.makes == Makes::Pod);
        let artifacts = pods.flat_map(|usage| usage.body.artifacts.iter().map(move |found| (usage, found)));
        let repeated = artifacts.filter(|(usage, (_, artifact))| {
            let again = self.again(&written, usage, artifact);
            artifact.location.key().is_some() && (again.attempts || again.nodes.perhaps_again())
        });
        repeated
            .map(|(usage, (path, artifact))| {
                let fields = key_field(artifact.location.kind());
                (usage.manifest, fields.iter().fold(path.clone(), |path, field| path.key(field)))
            })
            .collect()
    }
}

/// Returns the key under which an artifact is saved, with its variables: its own, else one that the key format makes.
pub(crate) fn key<'a>(local: &Local<'_>, body: &Body, artifact: &'a Artifact) -> Option<Cow<'a, str>> {
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

fn place(local: &Local<'_>, body: &Body, artifact: &Artifact) -> Option<Place> {
    let key = key(local, body, artifact).filter(|key| is_same_for_nodes(key))?;
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
fn is_same_for_attempts(key: &str) -> bool {
    const OWN: [&str; 2] = ["pod.name", "retries"];
    !tags(key).any(|tag| tag.starts_with('=') || tag.starts_with("lastRetry.") || OWN.contains(&tag))
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
