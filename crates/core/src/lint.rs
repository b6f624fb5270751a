//! Predicts from manifests which artifacts will not be collected once they run, and why
//! (`docs/argo-gc.md#strategy`, `#finalizer`, `#inline-templates`).
//!
//! A root is a manifest that can be submitted, and is followed to every template it reaches. What the
//! controller finds at first, and the effect of one inline template on the others, are decided per root.

pub mod artifact;
pub mod endangered;
pub mod model;
pub mod path;
pub mod root;
pub mod types;
pub mod walk;

use crate::lint::path::FieldPath;
use crate::lint::types::{Manifest, Prediction, Settings};
use crate::reason::Reason;
use std::collections::HashMap;

/// Returns the predictions for all manifests together, sorted by manifest and place.
pub fn lint(manifests: &[Manifest], settings: &Settings) -> Vec<Prediction> {
    let library = walk::Library::of(manifests);
    let mut found: Vec<Prediction> = Vec::new();
    let mut known: HashMap<(usize, FieldPath, Reason), usize> = HashMap::new();
    for (at, manifest) in manifests.iter().enumerate().filter(|(_, manifest)| !manifest.beside) {
        for mut prediction in root::predict(at, manifest, &library, settings) {
            let key = (prediction.manifest, prediction.path.clone(), prediction.reason);
            let other = prediction.manifest != at;
            match known.get(&key) {
                Some(&first) => {
                    if other && !found[first].reached_from.contains(&at) {
                        found[first].reached_from.push(at);
                    }
                }
                None => {
                    prediction.reached_from = if other { vec![at] } else { Vec::new() };
                    known.insert(key, found.len());
                    found.push(prediction);
                }
            }
        }
    }
    found.extend(endangered::predict(manifests, settings));
    found.sort_by(|a, b| (a.manifest, &a.path, a.severity).cmp(&(b.manifest, &b.path, b.severity)));
    found
}
