//! Adds a workflow-level strategy to manifests that set none.

use crate::fix::edit::{Edits, Layout};
use crate::fix::outcome::{Fixed, Refusal, kind, means, read};
use crate::fix::{LAYOUT, edit};
use crate::syntax::source::{Document, Source};
use crate::syntax::tree::{Node, Shape, SyntaxError};
use argo_gc_core::argo::artifact::Strategy;
use argo_gc_core::lint::path::FieldPath;
use serde_json::json;

/// Sets the strategy in every workflow, cron workflow and template that sets none. `Never` counts as set.
///
/// # Errors
/// The text can't be read.
pub fn set_strategy(text: &str, strategy: &Strategy) -> Result<Fixed, SyntaxError> {
    let mut source = read(text)?;
    let mut fixed = Fixed { text: text.to_owned(), ..Fixed::default() };
    for at in 0..source.documents.len() {
        let document = &source.documents[at];
        let Some(kind) = kind(document) else { continue };
        let path = kind.spec_path();
        let spec = path.of(&document.value);
        let set =
            spec.is_some_and(|spec| spec["artifactGC"]["strategy"].as_str().is_some_and(|s| !s.is_empty()));
        // The strategy of its workflow template is its own as well.
        let elsewhere =
            spec.is_some_and(|spec| spec["templates"].is_null() && !spec["workflowTemplateRef"].is_null());
        if set || elsewhere || !spec.is_some_and(serde_json::Value::is_object) {
            continue;
        }
        match one(&source, at, &path, strategy) {
            Some(text) => {
                source = read(&text)?;
                fixed.text = text;
                fixed.changed += 1;
            }
            None => {
                let spec = document.at(&path);
                let (line, column) = (spec.line, spec.column);
                let what = "the workflow's strategy".to_owned();
                fixed.refused.push(Refusal { line, column, what, why: LAYOUT.to_owned() });
            }
        }
    }
    Ok(fixed)
}

fn one(source: &Source, at: usize, path: &FieldPath, strategy: &Strategy) -> Option<String> {
    let document: &Document = &source.documents[at];
    let layout = Layout::of(&source.text);
    let spec = document.at(path);
    let mut edits = Edits::default();
    let mut expected = document.value.clone();
    let target = path.of_mut(&mut expected)?;
    if !target["artifactGC"].is_object() {
        target["artifactGC"] = json!({});
    }
    target["artifactGC"]["strategy"] = strategy.as_str().into();
    let json = edit::is_json(&layout, spec);
    let key = |key: &str| if json { format!("\"{key}\"") } else { key.to_owned() };
    let value = edit::scalar(strategy.as_str(), json);
    let entry = format!("{}: {value}", key("strategy"));
    match spec.entry("artifactGC") {
        Some((_, block)) if !edit::is_empty(block) => match block.entry("strategy") {
            Some((_, old)) if !old.span.is_empty() => edits.replace(old.span.clone(), value),
            Some((name, _)) => edits.insert(colon(&layout, name), format!(" {value}")),
            None if edit::is_flow(block) => edit::first_in_flow(&mut edits, block, &entry),
            None => {
                let pad = " ".repeat(block.column - 1);
                edits.insert(block.span.start, format!("{entry}{}{pad}", layout.newline));
            }
        },
        Some((_, block)) if !block.span.is_empty() => {
            edits.replace(block.span.clone(), format!("{{{entry}}}"))
        }
        Some((name, _)) => edits.insert(colon(&layout, name), format!(" {{{entry}}}")),
        None if edit::is_flow(spec) => {
            edit::first_in_flow(&mut edits, spec, &format!("{}: {{{entry}}}", key("artifactGC")));
        }
        None => {
            let Shape::Map { entries, .. } = &spec.shape else { return None };
            let (pad, newline) = (" ".repeat(entries.first()?.0.column - 1), layout.newline);
            let lines = format!("artifactGC:{newline}{pad}  {entry}{newline}");
            // The strategy is inserted before the templates, which are long, and before the comments above them.
            let before = entries
                .iter()
                .position(|(name, _)| name.text() == Some("templates"))
                .unwrap_or(entries.len());
            match before.checked_sub(1).map(|last| &entries[last]) {
                None => edits.insert(entries.first()?.0.span.start, format!("{lines}{pad}")),
                Some((_, last)) => {
                    let end = layout.line_end(last.span.end);
                    edits.insert(end, layout.lines(end, &format!("{pad}{lines}")));
                }
            }
        }
    }
    let text = edits.apply(&source.text)?;
    means(&text, source, at, &expected).then_some(text)
}

fn colon(layout: &Layout<'_>, key: &Node) -> usize {
    layout.text[key.span.end..].find(':').map_or(key.span.end, |at| key.span.end + at + 1)
}
