//! Adds the run's UID in front of keys that all runs share, and the pod's name in front of those that several nodes or
//! attempts of one run share, unless something reads them by name.

use crate::fix::LAYOUT;
use crate::fix::edit::Edits;
use crate::fix::outcome::{Fixed, Refusal, kind, means, read};
use crate::syntax::tree::SyntaxError;
use argo_gc_core::argo::uses::Uses;
use argo_gc_core::lint::artifact::is_fixed;
use argo_gc_core::lint::path::{FieldPath, Part};
use serde_json::Value;
use std::collections::BTreeSet;

/// What distinguishes runs.
const RUN: &str = "{{workflow.uid}}/";

/// What distinguishes the nodes and attempts of a run.
const POD: &str = "{{pod.name}}/";

/// Kinds of locations whose key is an object's name in a bucket.
const KEYS: [(&str, &str); 5] =
    [("gcs", "key"), ("s3", "key"), ("azure", "blob"), ("oss", "key"), ("plugin", "key")];

/// The keys that a manifest reads, or mentions in an address.
pub fn read_keys(value: &Value) -> BTreeSet<String> {
    let Uses(uses) = serde_json::from_str(&value.to_string()).unwrap_or_default();
    uses.into_iter().filter(|found| found.read).map(|found| found.key).collect()
}

/// What is known of the keys of one text.
#[derive(Debug, Clone, Copy)]
pub struct Keys<'k> {
    /// The keys that any manifest reads.
    pub read: &'k BTreeSet<String>,
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
        let mut paths = Vec::new();
        let spec = kind.spec_path();
        if let Some(value) = spec.of(&source.documents[at].value) {
            outputs(value, &spec, &mut paths);
        }
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
            // A reader of a directory may name any part of it.
            let folder = format!("{}/", key.trim_end_matches('/'));
            let is_read = |read: &String| {
                *read == key
                    || read.starts_with(&folder)
                    || key.starts_with(&format!("{}/", read.trim_end_matches('/')))
            };
            if keys.read.iter().any(is_read) {
                fixed.refused.push(refusal("a manifest reads it by that name"));
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

/// The keys of all output artifacts of pods, at any depth.
fn outputs(value: &Value, path: &FieldPath, found: &mut Vec<FieldPath>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let path = path.key(key);
                if key == "outputs" {
                    let artifacts = path.key("artifacts");
                    let count = value["artifacts"].as_array().map_or(0, Vec::len);
                    for at in 0..count {
                        let fields =
                            KEYS.iter().map(|(engine, key)| artifacts.index(at).key(engine).key(key));
                        found.extend(fields);
                    }
                } else {
                    outputs(value, &path, found);
                }
            }
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| outputs(item, &path.index(at), found));
        }
        _ => {}
    }
}
