//! The manifests of a source: its documents, and what these hold within.

use crate::syntax::diagnostics::{Span, place};
use crate::syntax::source::Source;
use argo_gc_core::lint::path::{FieldError, FieldPath};
use argo_gc_core::lint::types::{Manifest, ManifestKind};
use argo_gc_core::lint::within::{Found, within};

/// What a source holds for `lint`.
#[derive(Debug, Default)]
pub struct Manifests {
    /// Each manifest with the number of the document that it is, or is within.
    pub manifests: Vec<(Manifest, usize)>,
    /// A sentence for each manifest that has a field of the wrong shape.
    pub problems: Vec<String>,
    /// The places that may hold a workflow and could not be looked at, each with the reason.
    pub unseen: Vec<(Span, String)>,
}

/// Reads the manifests of a source. Those that name no namespace get the one given.
pub fn manifests(source: &Source, namespace: &str) -> Manifests {
    let mut found = Manifests::default();
    for (number, document) in source.documents.iter().enumerate() {
        let mut take = |kind: ManifestKind, object, path: &FieldPath, home: &str| match Manifest::read(
            kind, object, path,
        ) {
            Ok(mut manifest) => {
                if manifest.namespace.is_empty() && kind != ManifestKind::ClusterWorkflowTemplate {
                    manifest.namespace = home.to_owned();
                }
                found.manifests.push((manifest, number));
            }
            Err(FieldError { path, message }) => {
                let Span { file, line, column } = place(source, number, &path);
                found.problems.push(format!("{file}: line {line} column {column}: {path}: {message}"));
            }
        };
        if let Some(kind) = ManifestKind::of(&document.kind, &document.value) {
            take(kind, &document.value, &FieldPath::default(), namespace);
        }
        let Found { within, unseen } = within(&document.kind, &document.value);
        let outer = document.value["metadata"]["namespace"].as_str().unwrap_or(namespace);
        within.iter().for_each(|inner| take(inner.kind, &inner.object, &inner.path, outer));
        found
            .unseen
            .extend(unseen.into_iter().map(|unseen| (place(source, number, &unseen.path), unseen.why)));
    }
    found
}
