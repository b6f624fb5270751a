//! What the given manifests read, or mention in a way that may be a reading.

use crate::fix::fields::{KEYS, written_fields};
use argo_gc_core::argo::uses::Uses;
use argo_gc_core::lint::path::FieldPath;
use serde_json::Value;
use std::collections::BTreeSet;

/// Fields whose values are names of things within manifests, and no keys of objects.
const NAMES: [&str; 5] = ["name", "template", "entrypoint", "kind", "apiVersion"];

/// The readers among the given manifests.
#[derive(Debug, Clone, Default)]
pub struct Readers {
    /// The keys that input artifacts have, and those in addresses.
    keys: BTreeSet<String>,
    /// All other texts: parameters, arguments, variables of the environment, scripts.
    texts: BTreeSet<String>,
}

impl Readers {
    /// Adds the readers in one document.
    pub fn add(&mut self, document: &Value) {
        let Uses(uses) = serde_json::from_str(&document.to_string()).unwrap_or_default();
        self.keys.extend(uses.into_iter().filter(|found| found.read).map(|found| found.key));
        // What writes a key does not read it, nor does the file in the container that it is written from.
        let written: BTreeSet<FieldPath> = written_fields(document, &FieldPath::default())
            .into_iter()
            .map(|field| FieldPath(field.0[..field.0.len().saturating_sub(2)].to_vec()))
            .collect();
        self.texts_of(document, &FieldPath::default(), &written);
    }

    fn texts_of(&mut self, value: &Value, path: &FieldPath, written: &BTreeSet<FieldPath>) {
        if written.contains(path) {
            return;
        }
        match value {
            Value::String(text) => {
                self.texts.insert(text.clone());
            }
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(at, item)| self.texts_of(item, &path.index(at), written));
            }
            Value::Object(map) => {
                let fields = map.iter().filter(|(name, _)| !NAMES.contains(&name.as_str()));
                fields.for_each(|(name, value)| self.texts_of(value, &path.key(name), written));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Returns true if an input artifact or an address has the key, a folder above it, or something below it.
    pub fn has(&self, key: &str) -> bool {
        // A reader of a directory may name any part of it.
        let folder = format!("{}/", key.trim_end_matches('/'));
        self.keys.iter().any(|read| {
            read == key
                || read.starts_with(&folder)
                || key.starts_with(&format!("{}/", read.trim_end_matches('/')))
        })
    }

    /// Returns true if a text is the key, or has it in it as a word.
    pub fn mention(&self, key: &str) -> bool {
        let key = key.trim_matches('/');
        !key.is_empty() && self.texts.iter().any(|text| mentions(text, key))
    }
}

/// Whether a text has the key in it, and not as part of a longer name. A key without a slash does not count after one: that
/// is a file of this name in some folder of a container.
fn mentions(text: &str, key: &str) -> bool {
    let goes_on = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    text.match_indices(key).any(|(at, _)| {
        let (before, after) = (text[..at].chars().next_back(), text[at + key.len()..].chars().next());
        let inside = |c: char| goes_on(c) || c == '/' && !key.contains('/');
        // A full stop may end a sentence.
        !before.is_some_and(inside) && !after.is_some_and(|c| goes_on(c) && c != '.')
    })
}

/// Returns true if an input artifact of the manifest has a key that is one variable and nothing else: any key may be its
/// value.
pub fn reads_anything(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.iter().any(|(name, value)| match name.as_str() {
            "inputs" => value["artifacts"].as_array().into_iter().flatten().any(has_variable_key),
            _ => reads_anything(value),
        }),
        Value::Array(items) => items.iter().any(reads_anything),
        _ => false,
    }
}

fn has_variable_key(artifact: &Value) -> bool {
    let fields = KEYS.iter().filter_map(|(engine, key)| artifact[engine][key].as_str());
    fields.map(str::trim).any(|key| {
        key.strip_prefix("{{").and_then(|key| key.strip_suffix("}}")).is_some_and(|tag| !tag.contains("}}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_mentioned_as_a_word() {
        for (text, key) in [
            ("models/model.pkl", "models/model.pkl"),
            ("--model models/model.pkl.", "models/model.pkl"),
            ("https://x.example/b/models/model.pkl?x", "models/model.pkl"),
            ("--file=a.tgz", "a.tgz"),
            ("a.tgz/part", "a.tgz"),
        ] {
            assert!(mentions(text, key), "{text}");
        }
        for (text, key) in [
            ("/tmp/a.tgz", "a.tgz"),
            ("data.tgz", "a.tgz"),
            ("a.tgz-old", "a.tgz"),
            ("xmodels/m", "models/m"),
        ] {
            assert!(!mentions(text, key), "{text}");
        }
    }
}
