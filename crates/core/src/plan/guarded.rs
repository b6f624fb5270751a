//! Keeps the names of workflows and namespaces in whose folders nothing is an orphan.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Folders whose objects are not orphans: an unfinished run may still read objects that no record names, or a
/// pin keeps them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guarded {
    /// Names of workflows; the names of their pods start with them.
    workflows: BTreeSet<String>,
    /// UIDs of workflows, names of pinned namespaces, and IDs of runs of Kubeflow Pipelines.
    #[serde(rename = "folders")]
    others: BTreeSet<String>,
}

impl Guarded {
    /// Guards all paths that contain the name of a workflow or its UID.
    pub fn workflow(&mut self, name: &str, uid: &str) {
        self.workflows.insert(name.to_owned());
        self.others.insert(uid.to_owned());
    }

    /// Guards all paths that contain the name: of a namespace, or of a run of Kubeflow Pipelines.
    pub fn folder(&mut self, name: &str) {
        self.others.insert(name.to_owned());
    }

    /// Adds everything that `other` guards.
    pub fn absorb(&mut self, other: Self) {
        self.workflows.extend(other.workflows);
        self.others.extend(other.others);
    }

    /// Returns the part of a path that is guarded, if there is one.
    pub fn holder<'p>(&self, path: &'p str) -> Option<&'p str> {
        let of_workflow = |part: &str| {
            let ends = part.match_indices('-').map(|(at, _)| at).chain([part.len()]);
            ends.into_iter().any(|end| self.workflows.contains(&part[..end]))
        };
        path.split('/')
            .filter(|part| !part.is_empty())
            .find(|part| self.others.contains(*part) || of_workflow(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guarded_name_guards_its_pods_and_no_neighbour() {
        let mut guarded = Guarded::default();
        guarded.workflow("train", "u1");
        guarded.folder("ml");
        for path in ["train/1/a", "x/train-main-123/a", "x/u1/a", "ml/gone/a"] {
            assert!(guarded.holder(path).is_some(), "{path}");
        }
        let mut all = Guarded::default();
        all.folder("team");
        all.absorb(guarded.clone());
        for path in ["train/1/a", "x/u1/a", "team/a"] {
            assert!(all.holder(path).is_some(), "{path}");
        }
        for path in ["trainer/1/a", "ml-train/a", "retrain/a", "gone//a"] {
            assert!(guarded.holder(path).is_none(), "{path}");
        }
    }
}
