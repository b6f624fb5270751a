//! Finds literal keys that one manifest keeps and another gives up: the collection takes the object from both.

use crate::argo::artifact::{Artifact, Strategy};
use crate::lint::artifact::{deletes, is_fixed};
use crate::lint::model::{Body, Target};
use crate::lint::path::FieldPath;
use crate::lint::root::about;
use crate::lint::settings::Settings;
use crate::lint::types::{Manifest, Prediction, Severity};
use crate::model::engine::StorageEngine;
use crate::reason::Reason;
use std::collections::HashMap;

/// Engine, bucket and key. The bucket is empty if the repository's is meant.
type Spot = (Option<StorageEngine>, String, String);

/// An artifact of a manifest with a literal key.
struct Writer<'m> {
    manifest: usize,
    template: &'m str,
    path: &'m FieldPath,
    artifact: &'m Artifact,
    /// What becomes of the object, as far as the manifest and the controller's defaults tell.
    strategy: &'m Strategy,
    /// True if no strategy can come from elsewhere, as it can for a template.
    settled: bool,
}

impl Writer<'_> {
    /// Returns how it keeps the object; none if it does not.
    fn keeps(&self) -> Option<&'static str> {
        match self.strategy {
            Strategy::Never => Some("Never"),
            Strategy::Unset if self.settled => Some("no strategy"),
            _ => None,
        }
    }
}

/// Returns a prediction for each artifact whose collection takes what another keeps.
pub(crate) fn predict(manifests: &[Manifest], settings: &Settings) -> Vec<Prediction> {
    let mut writers: HashMap<Spot, Vec<Writer<'_>>> = HashMap::new();
    for (at, manifest) in manifests.iter().enumerate() {
        let defaults = settings.local(&manifest.namespace, &manifest.instance_id, &[]).defaults;
        let levels = [manifest.spec.gc.as_ref(), defaults.and_then(|spec| spec.gc.as_ref())];
        let settled = !manifest.kind.is_template() && manifest.spec.template_ref.is_none();
        let mut bodies: Vec<&Body> = manifest.spec.templates.iter().collect();
        while let Some(body) = bodies.pop() {
            bodies.extend(body.calls.iter().filter_map(|call| match &call.target {
                Target::Inline(body) => Some(&**body),
                _ => None,
            }));
            for (path, artifact) in &body.artifacts {
                let key = artifact.location.key().unwrap_or_default();
                // What Argo can't delete its collection does not take.
                let collects = |engine| deletes(engine, settings.version);
                if !is_fixed(key) || !artifact.location.kind().is_some_and(collects) {
                    continue;
                }
                let bucket = artifact.location.bucket().unwrap_or_default();
                let spot = (artifact.location.kind(), bucket, key.to_owned());
                let own = artifact.artifact_gc.as_ref().map(|gc| &gc.strategy);
                let of_levels = levels.into_iter().flatten().map(|gc| &gc.strategy);
                let mut set = own.into_iter().chain(of_levels).filter(|set| **set != Strategy::Unset);
                let strategy = set.next().unwrap_or(&Strategy::Unset);
                let writer = Writer { manifest: at, template: &body.name, path, artifact, strategy, settled };
                writers.entry(spot).or_default().push(writer);
            }
        }
    }
    let mut found = Vec::new();
    for ((_, _, key), writers) in &writers {
        let mut keepers = writers.iter().filter_map(|writer| Some((writer, writer.keeps()?)));
        let Some((keeper, how)) = keepers.next() else { continue };
        let takes = |writer: &&Writer<'_>| {
            writer.strategy.asks_for_collection() && !manifests[writer.manifest].beside
        };
        for taker in writers.iter().filter(takes) {
            let detail = format!(
                "{} keeps {key:?} ({how}, template {}), and this collection deletes it",
                manifests[keeper.manifest], keeper.template
            );
            found.push(Prediction {
                template: taker.template.to_owned(),
                artifact: taker.artifact.name.clone(),
                ..about(taker.manifest, taker.path.clone(), Severity::Note, Reason::Endangered, detail)
            });
        }
    }
    found
}
