//! Adds the run's UID in front of keys that all runs share, and the pod's name in front of those that several nodes or
//! attempts of one run share, unless something reads them by name.

use crate::fix::LAYOUT;
use crate::fix::edit::Edits;
use crate::fix::fields::written_fields;
use crate::fix::outcome::{Fixed, Refusal, kind, means, read};
use crate::fix::readers::{Readers, reads_anything};
use crate::syntax::tree::SyntaxError;
use argo_gc_core::lint::artifact::is_fixed;
use argo_gc_core::lint::path::{FieldPath, Part};
use serde_json::Value;
use std::collections::BTreeSet;

/// What distinguishes runs.
const RUN: &str = "{{workflow.uid}}/";

/// What distinguishes the nodes and attempts of a run.
const POD: &str = "{{pod.name}}/";

/// What is known of the keys of one text.
#[derive(Debug, Clone, Copy)]
pub struct Keys<'k> {
    /// What any manifest reads.
    pub readers: &'k Readers,
    /// The fields whose key several nodes or attempts of one run write, each with the number of its document.
    pub repeated: &'k BTreeSet<(usize, FieldPath)>,
    /// Whether inline templates of the text have to stay.
    pub inline_stays: bool,
}

/// Makes the keys of output artifacts unique that are not.
///
/// # Errors
/// The text can't be read.
pub fn unique_keys(text: &str, keys: &Keys<'_>) -> Result<Fixed, SyntaxError> {
    let mut source = read(text)?;
    let mut fixed = Fixed { text: text.to_owned(), ..Fixed::default() };
    for at in 0..source.documents.len() {
        let Some(kind) = kind(&source.documents[at]) else { continue };
        let spec = kind.spec_path();
        let value = spec.of(&source.documents[at].value);
        let paths = value.map(|value| written_fields(value, &spec)).unwrap_or_default();
        for path in paths {
            let document = &source.documents[at];
            let Some(key) = path.of(&document.value).and_then(Value::as_str).map(str::to_owned) else {
                continue;
            };
            let repeated = keys.repeated.contains(&(at, path.clone()));
            let prefix = match (is_fixed(&key), repeated) {
                (false, false) => continue,
                (true, false) => RUN.to_owned(),
                (false, true) => POD.to_owned(),
                (true, true) => format!("{RUN}{POD}"),
            };
            let node = document.at(&path);
            let refusal = |why: &str| Refusal {
                line: node.line,
                column: node.column,
                what: format!("the key {key:?}"),
                why: why.to_owned(),
            };
            let why = if keys.readers.has(&key) {
                Some("a manifest reads it by that name")
            } else if keys.readers.mention(&key) {
                Some("a manifest has it in a text that may be used to read it")
            } else if is_fixed(&key) && reads_anything(&document.value) {
                Some(
                    "an input artifact of the manifest has a variable for its key, which may have this value",
                )
            } else {
                None
            };
            if let Some(why) = why {
                fixed.refused.push(refusal(why));
                continue;
            }
            let inline = path.0.contains(&Part::Key("inline".to_owned()));
            if repeated && inline && keys.inline_stays {
                fixed
                    .refused
                    .push(refusal("Argo refuses {{pod.name}}, which it needs, in an inline template"));
                continue;
            }
            let mut edits = Edits::default();
            let new = format!("{prefix}{}", key.trim_start_matches('/'));
            edits.replace(node.span.clone(), Value::from(new.as_str()).to_string());
            let mut expected = document.value.clone();
            if let Some(place) = path.of_mut(&mut expected) {
                *place = new.into();
            }
            let text = edits.apply(&source.text).filter(|text| means(text, &source, at, &expected));
            match text.filter(|_| !node.entangled) {
                Some(text) => {
                    source = read(&text)?;
                    fixed.text = text;
                    fixed.changed += 1;
                }
                None => fixed.refused.push(refusal(LAYOUT)),
            }
        }
    }
    Ok(fixed)
}
