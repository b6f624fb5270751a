//! What one referrer needs, in plain words, to be told to other clusters that share its buckets.

use crate::argo::uses::Use;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The depth to which documents within strings are searched for strings of their own.
const MAX_DEPTH: usize = 3;

/// The number of segments of a path whose windows are looked at.
const MAX_SEGMENTS: usize = 64;

/// The uses of one referrer, and the words of its text if it is not over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The referrer's name for users, such as `workflow ml/train`.
    pub name: String,
    /// A use without a bucket may be in any bucket; a read one without a key may be of any object.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub uses: BTreeSet<Use>,
    /// Everything in its text that may be a path or a part of one.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub words: BTreeSet<String>,
}

impl Told {
    /// Begins with nothing but the name.
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// Adds the words of a text, which may be JSON: then those of its strings, and of documents within them.
    pub(crate) fn add_words(&mut self, text: &str) {
        words(text, 0, &mut |word| {
            if !self.words.contains(word) {
                self.words.insert(word.to_owned());
            }
        });
    }

    /// Returns every path that the words may mean: each run of whole segments, raw and percent-decoded.
    pub(crate) fn paths(&self) -> BTreeSet<String> {
        let mut paths = BTreeSet::new();
        for word in &self.words {
            let decoded = crate::argo::uses::mention::decoded(word);
            for form in [word.as_str(), decoded.as_ref()] {
                form.split(|c: char| "=:@#?&*$!{}".contains(c)).for_each(|piece| windows(piece, &mut paths));
            }
        }
        paths
    }
}

fn windows(piece: &str, paths: &mut BTreeSet<String>) {
    let piece = piece.trim_end_matches('.');
    let segments: Vec<&str> =
        piece.split('/').filter(|segment| !segment.is_empty()).take(MAX_SEGMENTS).collect();
    for begin in 0..segments.len() {
        let mut path = String::new();
        for segment in &segments[begin..] {
            if !path.is_empty() {
                path.push('/');
            }
            path.push_str(segment);
            paths.insert(path.clone());
        }
    }
}

fn words(text: &str, depth: usize, take: &mut dyn FnMut(&str)) {
    let looks_like_json = text.trim_start().starts_with(['{', '[', '"']);
    match serde_json::from_str::<serde_json::Value>(text)
        .ok()
        .filter(|_| looks_like_json && depth < MAX_DEPTH)
    {
        Some(value) => strings(&value, &mut |text| words(text, depth + 1, take)),
        None => {
            split(text, take);
            // A shell joins lines that end with a backslash.
            if text.contains("\\\n") {
                let joined: String = text
                    .split("\\\n")
                    .enumerate()
                    .map(|(at, line)| if at == 0 { line } else { line.trim_start() })
                    .collect();
                split(&joined, take);
            }
        }
    }
}

fn strings(value: &serde_json::Value, take: &mut dyn FnMut(&str)) {
    match value {
        serde_json::Value::String(text) => take(text),
        serde_json::Value::Array(items) => items.iter().for_each(|item| strings(item, take)),
        serde_json::Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            split(name, take);
            strings(value, take);
        }),
        _ => {}
    }
}

fn split(text: &str, take: &mut dyn FnMut(&str)) {
    let ends = |c: char| c.is_whitespace() || c.is_control() || "\"'`\\,;<>()[]|".contains(c);
    text.split(ends).filter(|word| word.contains(char::is_alphanumeric)).for_each(take);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str) -> BTreeSet<String> {
        let mut told = Told::new("x");
        told.add_words(text);
        told.paths()
    }

    #[test]
    fn a_key_is_found_however_it_stands_in_a_text() {
        let nested = serde_json::json!({ "a": "{\"in\": \"gs://b/gone/x.tgz\"}" }).to_string();
        for text in [
            "gs://b/gone/x.tgz",
            "[x, gs://b/gone/x.tgz]",
            "{in: gs://b/gone/x.tgz}",
            "${IN:-gs://b/gone/x.tgz}",
            "gs://b/gone/x.tgz#17",
            "a:gs://b/gone/x.tgz.",
            "bucket=b key=gone/x.tgz",
            "/gcs/b/gone/x.tgz",
            "https://storage.googleapis.com/storage/v1/b/b/o/gone%2Fx.tgz?alt=media",
            "cp gs://b/gone/\\\n  x.tgz .",
            r#"{"args": ["--in=gone/x.tgz"]}"#,
            &nested,
        ] {
            assert!(paths(text).contains("gone/x.tgz"), "{text}: {:?}", paths(text));
        }
        assert!(paths("gs://b/gone/*").contains("gone") && !paths("gs://b/gone/x").contains("one/x"));
    }

    #[test]
    fn documents_within_strings_are_read_down_to_a_depth() {
        let mut document = r#"{"a": "gone\u002fx.tgz"}"#.to_owned();
        for depth in 1..=MAX_DEPTH + 1 {
            assert_eq!(paths(&document).contains("gone/x.tgz"), depth <= MAX_DEPTH, "{document}");
            document = serde_json::json!({ "a": document }).to_string();
        }
        // A number is a word too, as it may be a key.
        assert!(paths("12345").contains("12345"));
    }

    #[test]
    fn a_text_of_slashes_takes_bounded_work() {
        let text = "a/".repeat(1 << 18);
        assert!(paths(&text).len() <= MAX_SEGMENTS);
    }
}
