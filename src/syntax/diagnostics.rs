//! The findings that `lint` shows, with their places in files.

use crate::syntax::source::{Source, reach};
use crate::syntax::tree;
use crate::syntax::tree::{Node, Shape, Style};
use argo_gc_core::diff::lint::{Identity, LintFinding};
use argo_gc_core::lint::path::FieldPath;
use argo_gc_core::lint::types::{Manifest, Prediction, Severity};
use argo_gc_core::lint::within::masked;
use argo_gc_core::model::gap::Gap;
use argo_gc_core::model::scope::Scope;
use serde::Serialize;
use std::collections::BTreeMap;

/// A place in a file; lines and columns count from one, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Span {
    pub file: String,
    pub line: usize,
    pub column: usize,
}

/// One prediction, ready to be shown.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// None for objects that were read from a cluster.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub at: Option<Span>,
    /// The path of the field within its object.
    pub field: String,
    pub kind: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub template: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub artifact: String,
    pub severity: Severity,
    pub code: &'static str,
    pub title: &'static str,
    /// What the finding is about in this object.
    pub why: String,
    pub remedy: &'static str,
    /// Other objects that use this one, as `Kind/name`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reached_from: Vec<String>,
}

impl Finding {
    /// Finds the place of a prediction.
    pub fn new(
        prediction: Prediction,
        manifests: &[Manifest],
        origins: &[Origin],
        sources: &[Source],
    ) -> Self {
        let manifest = &manifests[prediction.manifest];
        let entry = prediction.reason.entry();
        let at = match origins.get(prediction.manifest) {
            Some(Origin::File { source, document }) => {
                Some(place(&sources[*source], *document, &prediction.path))
            }
            _ => None,
        };
        Self {
            at,
            field: prediction.path.to_string(),
            kind: manifest.kind.as_str(),
            namespace: manifest.namespace.clone(),
            name: manifest.name.clone(),
            template: prediction.template,
            artifact: prediction.artifact,
            severity: prediction.severity,
            code: prediction.reason.code(),
            title: entry.title,
            why: prediction.detail,
            remedy: entry.remedy,
            reached_from: prediction.reached_from.iter().map(|at| manifests[*at].to_string()).collect(),
        }
    }

    /// As a lint report holds it.
    pub fn told(&self) -> LintFinding {
        let identity = Identity {
            kind: self.kind.to_owned(),
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            template: self.template.clone(),
            artifact: self.artifact.clone(),
            code: self.code.to_owned(),
        };
        let at = self.at.as_ref();
        LintFinding {
            identity,
            severity: self.severity,
            why: self.why.clone(),
            file: at.map(|at| at.file.clone()),
            line: at.map(|at| at.line as u64),
            column: at.map(|at| at.column as u64),
            field: self.field.clone(),
        }
    }

    /// `file:line:column`, or the object's field if there is no file.
    pub fn place(&self) -> String {
        match &self.at {
            Some(Span { file, line, column }) => format!("{file}:{line}:{column}"),
            None => self.field.clone(),
        }
    }
}

/// The place of a path, or of the longest part of it that exists.
pub fn place(source: &Source, document: usize, path: &FieldPath) -> Span {
    let (node, rest) = reach(&source.documents[document].node, path);
    let within = within(&source.text, node, &rest);
    let (line, column) = within.unwrap_or((node.line, node.column));
    Span { file: source.name.clone(), line, column }
}

/// The place of a path within the manifest that a block text holds, whose lines are lines of the file.
fn within(text: &str, node: &Node, path: &FieldPath) -> Option<(usize, usize)> {
    let Shape::Scalar { text: inner, style: Style::Block } = &node.shape else { return None };
    if path.0.is_empty() {
        return None;
    }
    let documents = tree::parse(&masked(inner)).ok()?;
    let (found, _) = reach(documents.first()?, path);
    let wanted = inner.lines().nth(found.line - 1)?;
    let before = text.get(..node.span.start)?.matches('\n').count();
    // The text begins on the line of its header, or on the next.
    [before, before + 1].into_iter().find_map(|first| {
        let line = text.lines().nth(first + found.line - 1)?;
        let indent = line.strip_suffix(wanted).filter(|indent| indent.trim().is_empty())?;
        Some((first + found.line, indent.chars().count() + found.column))
    })
}

/// Where a manifest was read from.
#[derive(Debug, Clone, Copy)]
pub enum Origin {
    File { source: usize, document: usize },
    Cluster,
}

/// The result of a whole run.
#[derive(Debug, Clone)]
pub struct Report {
    pub argo_version: String,
    pub source: Scope,
    pub manifests: usize,
    pub findings: Vec<Finding>,
    pub gaps: Vec<Gap>,
}

impl Report {
    /// The number of findings of each severity.
    pub fn counts(&self) -> BTreeMap<Severity, usize> {
        let mut counts = BTreeMap::new();
        self.findings.iter().for_each(|finding| *counts.entry(finding.severity).or_default() += 1);
        counts
    }
}
