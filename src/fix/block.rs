//! Adds a strategy and a service account to the workflow-level block of manifests that set none.

use crate::fix::edit::{Edits, Layout};
use crate::fix::outcome::{Barred, Fixed, Refusal, kind, means, read};
use crate::fix::{LAYOUT, edit};
use crate::syntax::source::{Document, Source};
use crate::syntax::tree::{Node, Shape, SyntaxError};
use argo_gc_core::argo::artifact::Strategy;
use argo_gc_core::lint::path::FieldPath;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What is to be set.
#[derive(Debug, Clone, Copy)]
pub struct Block<'b> {
    pub strategy: Option<&'b Strategy>,
    pub account: Option<&'b str>,
    /// The documents whose block nothing reads.
    pub unread: &'b BTreeSet<usize>,
}

/// A field of the block and its value.
type Field<'f> = (&'static str, &'f str);

/// Sets the fields in every workflow, cron workflow and template that sets none; an account only where something is to be
/// collected. `Never` counts as set.
///
/// # Errors
/// The text can't be read.
pub fn set_block(text: &str, block: &Block<'_>, barred: &Barred) -> Result<Fixed, SyntaxError> {
    let mut source = read(text)?;
    let mut fixed = Fixed { text: text.to_owned(), ..Fixed::default() };
    for at in 0..source.documents.len() {
        let document = &source.documents[at];
        let Some(kind) = kind(document) else { continue };
        let path = kind.spec_path();
        let fields = path.of(&document.value).map(|spec| block.missing_in(spec)).unwrap_or_default();
        if fields.is_empty() {
            continue;
        }
        let text = match (barred.get(&at), block.unread.contains(&at)) {
            (Some(why), _) => Err(why.clone()),
            (None, true) => {
                Err("there is no entrypoint, so only templateRef leads here, and for that the block is not \
                                 read; set it in the workflows that run these templates, or on each artifact"
                    .to_owned())
            }
            (None, false) => one(&source, at, &path, &fields).ok_or_else(|| LAYOUT.to_owned()),
        };
        match text {
            Ok(text) => {
                source = read(&text)?;
                fixed.text = text;
                fixed.changed += 1;
            }
            Err(why) => {
                let spec = document.at(&path);
                let names = fields.iter().map(|(name, _)| match *name {
                    "strategy" => "strategy",
                    _ => "service account",
                });
                let what = format!("the workflow's {}", names.collect::<Vec<_>>().join(" and "));
                fixed.refused.push(Refusal { line: spec.line, column: spec.column, what, why });
            }
        }
    }
    Ok(fixed)
}

impl<'b> Block<'b> {
    /// The fields that a spec lacks. A manifest without templates is part of another, or runs one that has its own block.
    fn missing_in(&self, spec: &Value) -> Vec<Field<'b>> {
        let text = |field: &str| spec["artifactGC"][field].as_str().unwrap_or_default();
        if !spec.is_object() || spec["templates"].is_null() {
            return Vec::new();
        }
        let own = Strategy::from(text("strategy"));
        let strategy = self.strategy.filter(|_| own == Strategy::Unset);
        let asked = strategy.is_some() || own.asks_for_collection() || asks(spec);
        let account = self.account.filter(|_| asked && text("serviceAccountName").is_empty());
        let strategy = strategy.map(|strategy| ("strategy", strategy.as_str()));
        strategy.into_iter().chain(account.map(|account| ("serviceAccountName", account))).collect()
    }
}

/// Whether an artifact at any depth has a strategy of its own.
fn asks(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.iter().any(|(key, value)| {
            let own = value["strategy"].as_str().unwrap_or_default();
            key == "artifactGC" && Strategy::from(own).asks_for_collection() || asks(value)
        }),
        Value::Array(items) => items.iter().any(asks),
        _ => false,
    }
}

fn one(source: &Source, at: usize, path: &FieldPath, fields: &[Field<'_>]) -> Option<String> {
    let document: &Document = &source.documents[at];
    let spec = document.at(path);
    let layout = Layout::near(&source.text, spec.span.start);
    let mut edits = Edits::default();
    let mut expected = document.value.clone();
    let target = path.of_mut(&mut expected)?;
    if !target["artifactGC"].is_object() {
        target["artifactGC"] = json!({});
    }
    for (name, value) in fields {
        target["artifactGC"][name] = (*value).into();
    }
    let json = edit::is_json(&layout, spec);
    let key = |key: &str| if json { format!("\"{key}\"") } else { key.to_owned() };
    let scalar = |value: &str| edit::scalar(value, json);
    let entries: Vec<String> =
        fields.iter().map(|(name, value)| format!("{}: {}", key(name), scalar(value))).collect();
    let flow = format!("{{{}}}", entries.join(", "));
    match spec.entry("artifactGC") {
        Some((_, block)) if !edit::is_empty(block) => {
            for ((name, value), entry) in fields.iter().zip(&entries) {
                match block.entry(name) {
                    Some((_, old)) if !old.span.is_empty() => edits.replace(old.span.clone(), scalar(value)),
                    Some((name, _)) => edits.insert(colon(&layout, name), format!(" {}", scalar(value))),
                    None if edit::is_flow(block) => edit::first_in_flow(&mut edits, block, entry),
                    None => {
                        let pad = " ".repeat(block.column - 1);
                        edits.insert(block.span.start, format!("{entry}{}{pad}", layout.newline));
                    }
                }
            }
        }
        Some((_, block)) if !block.span.is_empty() => edits.replace(block.span.clone(), flow),
        Some((name, _)) => edits.insert(colon(&layout, name), format!(" {flow}")),
        None if edit::is_flow(spec) => {
            edit::first_in_flow(&mut edits, spec, &format!("{}: {flow}", key("artifactGC")));
        }
        None => new_block(&mut edits, &layout, spec, &entries)?,
    }
    let text = edits.apply(&source.text)?;
    means(&text, source, at, &expected).then_some(text)
}

/// Inserts the block before the templates, which are long, and before the comments above them.
fn new_block(edits: &mut Edits, layout: &Layout<'_>, spec: &Node, fields: &[String]) -> Option<()> {
    let Shape::Map { entries, .. } = &spec.shape else { return None };
    let (pad, newline) = (" ".repeat(entries.first()?.0.column - 1), layout.newline);
    let mut lines = format!("artifactGC:{newline}");
    fields.iter().for_each(|field| lines += &format!("{pad}  {field}{newline}"));
    let before =
        entries.iter().position(|(name, _)| name.text() == Some("templates")).unwrap_or(entries.len());
    match before.checked_sub(1).map(|last| &entries[last]) {
        None => edits.insert(entries.first()?.0.span.start, format!("{lines}{pad}")),
        Some((_, last)) => {
            let end = layout.line_end(last.span.end);
            edits.insert(end, layout.lines(end, &format!("{pad}{lines}")));
        }
    }
    Some(())
}

fn colon(layout: &Layout<'_>, key: &Node) -> usize {
    layout.text[key.span.end..].find(':').map_or(key.span.end, |at| key.span.end + at + 1)
}
