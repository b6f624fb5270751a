//! Manifests rewritten so that their artifacts are collected: text is edited at parsed places, never written anew.
//!
//! Each edit is checked: the new text must parse to exactly the value that was meant, or the place is refused.

mod defaults;
mod edit;
mod keys;
mod lift;
mod moved;
mod scope;
mod strategy;
mod vars;

pub use defaults::defaults;
pub use keys::{read_keys, unique_keys};
pub use lift::lift;
pub use strategy::set_strategy;

use crate::gc::lint::ManifestKind;
use crate::lint::{Document, Fault, Source};
use serde_json::Value;

/// A place that was left as it is, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refusal {
    /// In the text as it was given, from one.
    pub line: usize,
    pub column: usize,
    pub what: String,
    pub why: String,
}

/// A text with what was done to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fixed {
    pub text: String,
    /// How many places were changed.
    pub changed: usize,
    pub refused: Vec<Refusal>,
}

/// Layout that edits don't dare to touch.
const LAYOUT: &str = "its layout can't be edited safely";

/// Reads a text that this module made or was given.
fn read(text: &str) -> Result<Source, Fault> {
    Source::parse(String::new(), text.to_owned())
}

fn kind(document: &Document) -> Option<ManifestKind> {
    ManifestKind::from_name(&document.kind)
}

/// Whether a text means the documents of `before`, with the one at `at` replaced.
fn means(text: &str, before: &Source, at: usize, expected: &Value) -> bool {
    read(text).is_ok_and(|after| {
        after.documents.len() == before.documents.len()
            && after.documents.iter().enumerate().all(|(number, document)| {
                let wanted = if number == at { expected } else { &before.documents[number].value };
                document.value == *wanted
            })
    })
}
