//! The result of a fix: the new text, and the places that were refused.

use crate::syntax::source::{Document, Source};
use crate::syntax::tree::SyntaxError;
use argo_gc_core::lint::types::ManifestKind;
use serde_json::Value;
use std::collections::BTreeMap;

/// The documents of a text that must stay as they are, each with the reason.
pub type Barred = BTreeMap<usize, String>;

/// A place that was not changed, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refusal {
    /// The line in the original text, counted from one.
    pub line: usize,
    pub column: usize,
    pub what: String,
    pub why: String,
}

/// A fixed text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fixed {
    pub text: String,
    /// The number of places that were changed.
    pub changed: usize,
    pub refused: Vec<Refusal>,
}

/// Parses a text, before or after a fix.
pub(crate) fn read(text: &str) -> Result<Source, SyntaxError> {
    Source::parse(String::new(), text.to_owned())
}

pub(crate) fn kind(document: &Document) -> Option<ManifestKind> {
    ManifestKind::of(&document.kind, &document.value)
}

/// Whether a text has the documents of `before`, with the one at `at` replaced.
pub(crate) fn means(text: &str, before: &Source, at: usize, expected: &Value) -> bool {
    read(text).is_ok_and(|after| {
        after.documents.len() == before.documents.len()
            && after.documents.iter().enumerate().all(|(number, document)| {
                let wanted = if number == at { expected } else { &before.documents[number].value };
                document.value == *wanted
            })
    })
}
