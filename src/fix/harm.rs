//! What a change of manifests makes worse: a collection that fails, or one that takes what is still needed.

use crate::fix::readers::Readers;
use argo_gc_core::lint::types::{Prediction, Severity};
use argo_gc_core::reason::Reason;
use serde_json::Value;

/// What is wrong with a document.
#[derive(Debug, Default)]
pub struct Harm {
    pub failing: Vec<Prediction>,
    /// The artifacts that are collected although something else may need the object.
    pub taken: Vec<Prediction>,
}

impl Harm {
    /// Adds one of all predictions.
    pub fn add(&mut self, prediction: &Prediction, all: &[Prediction]) {
        if prediction.severity == Severity::Failing {
            self.failing.push(prediction.clone());
        }
        if takes(prediction, all) {
            self.taken.push(prediction.clone());
        }
    }

    /// Returns what is worse than it was before, and why, if something is. `value` is the document afterwards.
    pub fn worse_than(
        &self,
        before: Option<&Self>,
        value: &Value,
        readers: &Readers,
        unique_keys: bool,
    ) -> Option<(&Prediction, String)> {
        let (failed, took) = before.map_or((0, 0), |harm| (harm.failing.len(), harm.taken.len()));
        if let Some(first) = self.failing.first().filter(|_| self.failing.len() > failed) {
            let why = format!("the result would be worse: {} ({})", first.detail, first.reason.code());
            return Some((first, why));
        }
        let first = self.taken.first().filter(|_| self.taken.len() > took)?;
        let shared = self.taken.iter().find(|taken| taken.reason == Reason::SharedKey);
        let key = |taken: &Prediction| taken.path.of(value).and_then(Value::as_str).map(str::to_owned);
        let read = shared.and_then(key).filter(|key| readers.has(key));
        let why = match read {
            Some(key) => format!("a given manifest reads {key:?}, which Argo would then delete"),
            None => format!(
                "Argo would then delete what may be needed: {} ({})",
                first.detail,
                first.reason.code()
            ),
        };
        let keys = match shared.is_some() && !unique_keys {
            true => ", or let --unique-keys give each run a key of its own",
            false => "",
        };
        let why = format!("{why}; keep it with artifactGC: {{strategy: Never}} on the artifact{keys}");
        Some((first, why))
    }
}

/// Returns true for a note that the collection of an artifact takes what something else may need, if it is collected at all.
pub fn takes(note: &Prediction, all: &[Prediction]) -> bool {
    let is_left = |other: &Prediction| {
        other.severity != Severity::Note
            && other.manifest == note.manifest
            && note.path.0.starts_with(&other.path.0)
    };
    matches!(note.reason, Reason::Endangered | Reason::SharedKey) && !all.iter().any(is_left)
}
