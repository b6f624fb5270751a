//! Kustomizations: which of the files given are changed before they are applied, so that none says what will run.

use crate::syntax::paths::plain;
use crate::syntax::source::Source;
use crate::syntax::tree;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// The names under which kustomize looks for its file.
const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// The fields that change what the resources say.
const CHANGES: [&str; 7] = [
    "patches",
    "patchesStrategicMerge",
    "patchesJson6902",
    "components",
    "replacements",
    "transformers",
    "generators",
];

/// The fields that name files or folders.
const RESOURCES: [&str; 3] = ["resources", "bases", "components"];

/// Whether a source is a file of kustomize itself.
pub fn is_kustomization(source: &Source) -> bool {
    let file = Path::new(&source.name).file_name().and_then(|name| name.to_str());
    file.is_some_and(|file| NAMES.contains(&file))
}

/// The sources that a kustomization changes before they are applied, each with that kustomization's folder.
pub fn changed(sources: &[Source]) -> BTreeMap<usize, PathBuf> {
    let at: BTreeMap<PathBuf, usize> = sources
        .iter()
        .enumerate()
        .map(|(number, source)| (resolved(Path::new(&source.name)), number))
        .collect();
    let kustomizations = sources.iter().filter(|source| is_kustomization(source));
    let kustomizations = kustomizations.filter_map(|source| {
        let folder = resolved(Path::new(&source.name).parent()?);
        Some((folder, tree::parse(&source.text).ok()?.first()?.value()))
    });
    let kustomizations: BTreeMap<PathBuf, Value> = kustomizations.collect();
    let mut found = BTreeMap::new();
    for (folder, fields) in &kustomizations {
        if CHANGES.iter().any(|field| !fields[*field].is_null()) {
            let mut walk = Walk { at: &at, kustomizations: &kustomizations, top: folder, found: &mut found };
            walk.folder(folder, 0);
        }
    }
    found
}

struct Walk<'w> {
    at: &'w BTreeMap<PathBuf, usize>,
    kustomizations: &'w BTreeMap<PathBuf, Value>,
    /// The folder of the kustomization that makes the changes.
    top: &'w Path,
    found: &'w mut BTreeMap<usize, PathBuf>,
}

impl Walk<'_> {
    /// Follows the resources and patches of a folder's kustomization; kustomizations may name one another in a ring.
    fn folder(&mut self, folder: &Path, depth: usize) {
        let Some(fields) = self.kustomizations.get(folder).filter(|_| depth < 20) else { return };
        let texts = |field: &str| fields[field].as_array().into_iter().flatten().filter_map(Value::as_str);
        let patches = ["patches", "patchesJson6902"].into_iter();
        let patches = patches.flat_map(|field| fields[field].as_array().into_iter().flatten());
        let patches = patches.filter_map(|patch| patch["path"].as_str());
        let named =
            RESOURCES.into_iter().flat_map(texts).chain(texts("patchesStrategicMerge")).chain(patches);
        for name in named {
            let path = resolved(&folder.join(name));
            match self.at.get(&path) {
                Some(number) => {
                    self.found.entry(*number).or_insert_with(|| self.top.to_owned());
                }
                None => self.folder(&path, depth + 1),
            }
        }
    }
}

/// A path without `.` and with `..` resolved as far as it goes.
fn resolved(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in plain(path).components() {
        match part {
            Component::ParentDir if out.file_name().is_some() => {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn source(name: &str, text: &str) -> Source {
        Source::parse(name.to_owned(), text.to_owned()).unwrap()
    }

    #[test]
    fn what_a_kustomization_patches_is_known_through_its_bases() {
        let template = "kind: WorkflowTemplate\nmetadata: {name: k}\n";
        let sources = [
            source("x/over/kustomization.yaml", "resources: [../base/]\npatches: [{path: p.yaml}]\n"),
            source("x/over/p.yaml", template),
            source("./x/base/kustomization.yaml", "resources: [w.yaml]\n"),
            source("x/base/w.yaml", template),
            source("x/base/other.yaml", template),
            source("plain/kustomization.yml", "kind: Kustomization\nresources: [w.yaml]\nnamePrefix: a-\n"),
            source("plain/w.yaml", template),
        ];
        let over = || PathBuf::from("x/over");
        assert_eq!(changed(&sources), BTreeMap::from([(1, over()), (3, over())]));
    }
}
