//! Every storage location named anywhere in an object: inputs, outputs, arguments, of nodes and templates.
//!
//! What still refers to an object must not be missed, so this looks at the whole JSON rather than at fields
//! we know: any map under an engine's field name that has a key is a use.

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// One named location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// Bucket or container; empty where only a key is named.
    pub bucket: String,
    /// As it stands there; may hold `{{`.
    pub key: String,
    /// Stands below `inputs` or `arguments`: something reads it.
    pub read: bool,
}

/// All uses in a JSON text, in the order in which they stand there. Artifacts marked `deleted` are none.
#[derive(Debug, Default)]
pub struct Uses(pub Vec<Use>);

impl<'de> serde::Deserialize<'de> for Uses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut uses = Vec::new();
        Scan { uses: &mut uses, read: false, engine: false }.deserialize(deserializer)?;
        Ok(Self(uses))
    }
}

/// The field names under which Argo inlines a location with a key.
fn is_engine(field: &str) -> bool {
    matches!(field, "gcs" | "s3" | "azure" | "oss" | "hdfs" | "plugin" | "artifactory" | "http")
}

/// Walks a value. Nesting is bounded by the parser.
struct Scan<'u> {
    uses: &'u mut Vec<Use>,
    read: bool,
    /// The value stands under an engine's name.
    engine: bool,
}

impl<'de> DeserializeSeed<'de> for Scan<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// A string, if the value is one.
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

impl<'de> Visitor<'de> for Scan<'_> {
    /// Whether the value is `true`.
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let before = self.uses.len();
        let (mut bucket, mut key) = (String::new(), String::new());
        let mut deleted = false;
        while let Some(field) = map.next_key::<Cow<'_, str>>()? {
            match field.as_ref() {
                "bucket" | "container" if self.engine => bucket = map.next_value_seed(Text)?,
                "key" | "blob" | "path" | "url" if self.engine => key = map.next_value_seed(Text)?,
                name => {
                    let read = match name {
                        "inputs" | "arguments" => true,
                        "outputs" => false,
                        _ => self.read,
                    };
                    let flag = name == "deleted";
                    let engine = is_engine(name);
                    let yes = map.next_value_seed(Scan { uses: &mut *self.uses, read, engine })?;
                    deleted |= flag && yes;
                }
            }
        }
        if !key.is_empty() {
            self.uses.push(Use { bucket, key, read: self.read });
        }
        if deleted {
            self.uses.truncate(before);
        }
        Ok(false)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<bool, A::Error> {
        while items
            .next_element_seed(Scan { uses: &mut *self.uses, read: self.read, engine: false })?
            .is_some()
        {}
        Ok(false)
    }

    fn visit_bool<E>(self, yes: bool) -> Result<bool, E> {
        Ok(yes)
    }

    fn visit_str<E>(self, _: &str) -> Result<bool, E> {
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
                {"inputs":{"artifacts":[{"gcs":{"bucket":"b","key":"{{x}}/y"}}]},"archiveLocation":{"azure":{"container":"c","blob":"z"}}}]},
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
    fn odd_shapes_are_no_error() {
        assert!(
            uses(r#"{"gcs":[1,null,{"key":"list"}],"s3":"text","oss":{"key":{"a":1}},"http":{"key":["x"]}}"#)
                .is_empty()
        );
        assert_eq!(uses(r#"{"gcs":{"key":7}}"#), [(String::new(), "7".to_owned(), false)]);
    }
}
