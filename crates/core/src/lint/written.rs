//! How often one run writes each place: a place that is deleted twice is missing the second time
//! (`docs/argo-gc.md#gcs`).

use crate::argo::artifact::Artifact;
use crate::lint::keys::{Again, Written, is_same_for_attempts, key_field, place, written_key};
use crate::lint::model::Makes;
use crate::lint::path::FieldPath;
use crate::lint::root::Root;
use crate::lint::walk::Usage;
use std::collections::HashSet;

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
            && written_key(&self.local, usage.body, artifact).is_some_and(|key| is_same_for_attempts(&key));
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
