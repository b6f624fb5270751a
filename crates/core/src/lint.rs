//! Predicts from manifests which artifacts will not be collected once they run, and why
//! (`docs/argo-gc.md#strategy`, `#finalizer`, `#inline-templates`).
//!
//! A root is a manifest that can be submitted, and is followed to every template it reaches. What the
//! controller finds at first, and the effect of one inline template on the others, are decided per root.

pub mod artifact;
pub mod endangered;
pub mod keys;
pub mod level;
pub mod model;
pub mod path;
pub mod root;
pub mod settings;
pub mod times;
pub mod types;
pub mod walk;
pub mod within;
pub mod written;

use crate::lint::path::FieldPath;
use crate::lint::root::Root;
use crate::lint::settings::Settings;
use crate::lint::types::{Manifest, Prediction};
use crate::lint::walk::Library;
use crate::model::account::Account;
use crate::reason::Reason;
use std::collections::{BTreeSet, HashMap};

/// Returns the predictions for all manifests together, sorted by manifest and place.
pub fn lint(manifests: &[Manifest], settings: &Settings) -> Vec<Prediction> {
    let library = Library::of(manifests);
    let mut found: Vec<Prediction> = Vec::new();
    let mut known: HashMap<(usize, FieldPath, Reason), usize> = HashMap::new();
    for (at, _) in manifests.iter().enumerate().filter(|(_, manifest)| !manifest.beside) {
        for mut prediction in root::predict(at, &library, settings) {
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

/// Returns the keys that several nodes or attempts of one run write, or may write: each as the manifest and the field.
pub fn repeated_keys(manifests: &[Manifest], settings: &Settings) -> BTreeSet<(usize, FieldPath)> {
    each_root(manifests, settings, |root| root.repeated_keys())
}

/// Returns the service accounts that GC pods of these manifests will run as.
pub fn accounts(manifests: &[Manifest], settings: &Settings) -> BTreeSet<Account> {
    each_root(manifests, settings, |root| root.accounts())
}

/// Returns the manifests whose workflow-level block some way of running them reads: workflows, and templates that have an
/// entrypoint or are run as a whole by another manifest.
pub fn is_block_read(manifests: &[Manifest], at: usize) -> bool {
    let manifest = &manifests[at];
    let library = Library::of_names(manifests);
    let whole = |(other, caller): (usize, &Manifest)| {
        caller.spec.template_ref.as_ref().is_some_and(|reference| library.find(reference, other) == Some(at))
    };
    !manifest.kind.is_template()
        || !manifest.spec.entrypoint.is_empty()
        || manifests.iter().enumerate().any(whole)
}

fn each_root<T: Ord>(
    manifests: &[Manifest],
    settings: &Settings,
    of: impl Fn(&Root<'_>) -> Vec<T>,
) -> BTreeSet<T> {
    let library = Library::of(manifests);
    let roots = manifests.iter().enumerate().filter(|(_, manifest)| !manifest.beside);
    let roots = roots.filter_map(|(at, _)| Root::new(at, &library, settings));
    roots.flat_map(|root| of(&root)).collect()
}
