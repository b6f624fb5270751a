//! Finds every storage location named anywhere in an object: inputs, outputs and arguments of nodes and
//! templates.
//!
//! No reference to an object may be missed, so this searches the whole JSON and not only known fields: any map
//! under an engine's field name that has a key is a use.

pub mod mention;

use crate::argo::uses::mention::{Content, is_engine};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

/// One named location.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Use {
    /// Bucket or container; empty where only a key is named.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub bucket: String,
    /// The key as written; it may contain `{{`.
    pub key: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    /// True if the location is below `inputs` or `arguments`, so that something reads it.
    pub read: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    /// True if an address in some text names the location: it means exactly this object or directory.
    pub mentioned: bool,
}

/// All uses in a JSON text, in their order. Artifacts marked `deleted` do not count.
#[derive(Debug, Default)]
pub struct Uses(pub Vec<Use>);

impl<'de> serde::Deserialize<'de> for Uses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        scan(deserializer, 0)
    }
}

fn scan<'de, D: Deserializer<'de>>(deserializer: D, depth: usize) -> Result<Uses, D::Error> {
    let mut uses = Vec::new();
    Scan { uses: &mut uses, read: false, engine: Engine::None, depth }.deserialize(deserializer)?;
    Ok(Uses(uses))
}

/// The kind of location that a value may be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Engine {
    None,
    /// The location's bucket counts as written.
    Plain,
    /// Without an endpoint the location is not complete: Argo drops its bucket and uses the repository's.
    WithEndpoint,
}

impl Engine {
    fn of(field: &str) -> Self {
        match field {
            "s3" | "azure" | "oss" => Self::WithEndpoint,
            field if is_engine(field) => Self::Plain,
            _ => Self::None,
        }
    }
}

/// Walks a value. Nesting is bounded by the parser.
struct Scan<'u> {
    uses: &'u mut Vec<Use>,
    read: bool,
    /// The kind of location, if the value is under an engine's name.
    engine: Engine,
    /// The number of documents around this one.
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Scan<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Reads a bucket's name, and the key if both are in one object, as in Argo Events.
struct Bucket;

impl<'de> DeserializeSeed<'de> for Bucket {
    type Value = (String, String);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        #[derive(Default, serde::Deserialize)]
        #[serde(default)]
        struct Both {
            name: serde_json::Value,
            key: serde_json::Value,
        }
        let text = |value: serde_json::Value| value.as_str().map(str::to_owned).unwrap_or_default();
        let value = <serde_json::Value as serde::Deserialize>::deserialize(deserializer)?;
        Ok(match value {
            serde_json::Value::Object(_) => {
                let both = <Both as serde::Deserialize>::deserialize(value).unwrap_or_default();
                (text(both.name), text(both.key))
            }
            value => (text(value), String::new()),
        })
    }
}

/// Reads a string, or an empty one for any other value.
struct Text;

impl<'de> DeserializeSeed<'de> for Text {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Text {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_unit<E>(self) -> Result<String, E> {
        Ok(String::new())
    }

    fn visit_bool<E>(self, _: bool) -> Result<String, E> {
        Ok(String::new())
    }

    fn visit_i64<E>(self, number: i64) -> Result<String, E> {
        Ok(number.to_string())
    }

    fn visit_u64<E>(self, number: u64) -> Result<String, E> {
        Ok(number.to_string())
    }

    fn visit_f64<E>(self, _: f64) -> Result<String, E> {
        Ok(String::new())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<String, A::Error> {
        while items.next_element::<serde::de::IgnoredAny>()?.is_some() {}
        Ok(String::new())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<String, A::Error> {
        while map.next_entry::<serde::de::IgnoredAny, serde::de::IgnoredAny>()?.is_some() {}
        Ok(String::new())
    }
}

impl Scan<'_> {
    /// Adds the objects that a text names by address.
    fn mentions(&mut self, text: &str) {
        mention::uris(text, &mut |bucket, key| {
            self.uses.push(Use {
                bucket: bucket.to_owned(),
                key: key.to_owned(),
                read: true,
                mentioned: true,
            });
        });
    }
}

impl<'de> Visitor<'de> for Scan<'_> {
    /// True if the value is `true`.
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<bool, A::Error> {
        let before = self.uses.len();
        let (mut bucket, mut key, mut endpoint) = (String::new(), String::new(), String::new());
        let engine = self.engine != Engine::None;
        let mut deleted = false;
        while let Some(field) = map.next_key::<Cow<'_, str>>()? {
            match field.as_ref() {
                "bucket" | "container" if engine => {
                    let (name, within) = map.next_value_seed(Bucket)?;
                    bucket = name;
                    if !within.is_empty() {
                        let found = Use { bucket: bucket.clone(), key: within, read: true, mentioned: false };
                        self.uses.push(found);
                    }
                }
                "key" | "blob" | "path" | "url" if engine => key = map.next_value_seed(Text)?,
                "endpoint" if engine => endpoint = map.next_value_seed(Text)?,
                name => {
                    let read = match name {
                        // A data template lists all objects whose keys start with its key.
                        "inputs" | "arguments" | "artifactPaths" => true,
                        "outputs" => false,
                        _ => self.read,
                    };
                    let flag = name == "deleted";
                    let (engine, depth) = (Engine::of(name), self.depth);
                    let yes = map.next_value_seed(Scan { uses: &mut *self.uses, read, engine, depth })?;
                    deleted |= flag && yes;
                }
            }
        }
        if !key.is_empty() {
            self.mentions(&key);
            if self.engine == Engine::WithEndpoint && endpoint.is_empty() && !bucket.is_empty() {
                let bucket = String::new();
                self.uses.push(Use { bucket, key: key.clone(), read: self.read, mentioned: false });
            }
            self.uses.push(Use { bucket, key, read: self.read, mentioned: false });
        }
        if deleted {
            self.uses.truncate(before);
        }
        Ok(false)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<bool, A::Error> {
        while items
            .next_element_seed(Scan {
                uses: &mut *self.uses,
                read: self.read,
                engine: Engine::None,
                depth: self.depth,
            })?
            .is_some()
        {}
        Ok(false)
    }

    fn visit_bool<E>(self, yes: bool) -> Result<bool, E> {
        Ok(yes)
    }

    fn visit_str<E>(mut self, text: &str) -> Result<bool, E> {
        self.mentions(text);
        match mention::document(text, self.depth) {
            Content::Nothing => {}
            Content::Documents(documents) => {
                let uses = documents.iter().filter_map(|document| scan(document, self.depth + 1).ok());
                self.uses.extend(uses.flat_map(|Uses(more)| more));
            }
            Content::Keys(keys) => {
                self.uses.extend(keys.into_iter().map(|key| Use { key, read: true, ..Use::default() }));
            }
        }
        Ok(false)
    }

    fn visit_i64<E>(self, _: i64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_u64<E>(self, _: u64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_f64<E>(self, _: f64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn uses(json: &str) -> Vec<(String, String, bool)> {
        let Uses(found) = serde_json::from_str(json).unwrap();
        found.into_iter().map(|found| (found.bucket, found.key, found.read)).collect()
    }

    #[test]
    fn finds_what_any_part_of_a_workflow_names() {
        let found = uses(
            r#"{"spec":{"arguments":{"artifacts":[{"name":"a","s3":{"key":"in"}}]},"templates":[
                {"inputs":{"artifacts":[{"gcs":{"bucket":"b","key":"{{x}}/y"}}]},"archiveLocation":{"azure":{"endpoint":"e","container":"c","blob":"z"}}}]},
               "status":{"nodes":{"gcs":{"outputs":{"artifacts":[{"gcs":{"key":"out"}},{"deleted":true,"gcs":{"key":"gone"}}]},
                                         "inputs":{"parameters":[{"key":"no","value":1.5}]}}}}}"#,
        );
        let text = |bucket: &str, key: &str, read| (bucket.to_owned(), key.to_owned(), read);
        assert_eq!(
            found,
            [text("", "in", true), text("b", "{{x}}/y", true), text("c", "z", false), text("", "out", false)]
        );
    }

    #[test]
    fn a_bucket_without_its_endpoint_is_lost_and_the_repositorys_counts() {
        let found = uses(r#"{"inputs":{"artifacts":[{"s3":{"bucket":"own","key":"k"}}]}}"#);
        assert_eq!(found, [(String::new(), "k".to_owned(), true), ("own".to_owned(), "k".to_owned(), true)]);
    }

    #[test]
    fn what_a_data_template_lists_is_read() {
        let found = uses(r#"{"data":{"source":{"artifactPaths":{"gcs":{"bucket":"b","key":"dir"}}}}}"#);
        assert_eq!(found, [("b".to_owned(), "dir".to_owned(), true)]);
    }

    #[test]
    fn a_sensor_names_key_and_bucket_together() {
        let found = uses(r#"{"s3":{"endpoint":"e","bucket":{"name":"b","key":"wf.yaml"}}}"#);
        assert_eq!(found, [("b".to_owned(), "wf.yaml".to_owned(), true)]);
    }

    #[test]
    fn a_manifest_kept_as_text_is_read_too() {
        let manifest = "kind: Workflow\nspec:\n  arguments:\n    artifacts:\n    - name: in\n      gcs:\n        bucket: b\n        key: train/a.tgz\n";
        let found = uses(&serde_json::json!({ "resource": { "manifest": manifest } }).to_string());
        assert_eq!(found, [("b".to_owned(), "train/a.tgz".to_owned(), true)]);
        let with_variables = manifest.replace("name: in", "name: {{inputs.parameters.x}}");
        let found = uses(&serde_json::json!({ "resource": { "manifest": with_variables } }).to_string());
        assert_eq!(found, [(String::new(), "train/a.tgz".to_owned(), true)]);
    }

    #[test]
    fn odd_shapes_are_no_error() {
        assert!(
            uses(r#"{"gcs":[1,null,{"key":"list"}],"s3":"text","oss":{"key":{"a":1}},"http":{"key":["x"]}}"#)
                .is_empty()
        );
        assert_eq!(uses(r#"{"gcs":{"key":7}}"#), [(String::new(), "7".to_owned(), false)]);
    }
}
