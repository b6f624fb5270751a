//! Every text of an object, down to the documents that are stored as strings in it.

use crate::argo::uses::mention::decoded;
use crate::plan::planned_keys::decode::unescaped;
use crate::plan::planned_keys::path::{Kind, PathHash};
use crate::plan::planned_keys::tokens::{How, paths};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// The number of times that a text is decoded, or parsed as a document within a document.
const MAX_DEPTH: usize = 4;

/// Calls `take` with every path that the text names: a document of JSON, or any other text.
///
/// The work grows with the length of the text and not with its shape. `wide` looks for characters beyond ASCII too.
pub(super) fn search(text: &str, wide: bool, take: &mut dyn FnMut(Kind, PathHash)) {
    let how = How { identifier: false, tails: true, wide: false };
    Walk { take, how, wide, depth: 0 }.text(text);
}

/// Walks a value. Nesting is bounded by the parser.
struct Walk<'t> {
    take: &'t mut dyn FnMut(Kind, PathHash),
    how: How,
    wide: bool,
    /// The number of decodings around this value.
    depth: usize,
}

/// Returns true if the field's value is the name of something in the object, and no location.
fn is_identifier(field: &str) -> bool {
    const FIELDS: [&str; 19] = [
        "name",
        "template",
        "templateName",
        "templateScope",
        "displayName",
        "generateName",
        "entrypoint",
        "onExit",
        "boundaryID",
        "id",
        "uid",
        "kind",
        "namespace",
        "image",
        "command",
        "phase",
        "type",
        "serviceAccountName",
        "hostNodeName",
    ];
    FIELDS.contains(&field) || field.starts_with("workflows.argoproj.io/")
}

/// Returns true if what is below the field is written and not read: the end of a key tells nothing there.
fn is_written(field: &str) -> bool {
    matches!(field, "outputs" | "archiveLocation" | "artifactRepository" | "keyFormat")
}

impl Walk<'_> {
    fn within(&mut self, how: How, deeper: usize) -> Walk<'_> {
        Walk { take: &mut *self.take, how, wide: self.wide, depth: self.depth + deeper }
    }

    /// Searches a text, as it is and decoded.
    fn text(&mut self, text: &str) {
        let deeper = self.depth < MAX_DEPTH;
        if deeper && matches!(text.trim_start().as_bytes().first(), Some(b'{' | b'[' | b'"')) {
            let walk = self.within(self.how, 1);
            let mut document = serde_json::Deserializer::from_str(text);
            if walk.deserialize(&mut document).is_ok() && document.end().is_ok() {
                return;
            }
        }
        let take = &mut *self.take;
        paths(text, self.how, &mut |kind, hash| take(kind, hash));
        if self.wide && !text.is_ascii() {
            paths(text, How { wide: true, ..self.how }, &mut |kind, hash| take(kind, hash));
        }
        for decode in [unescaped, decoded] {
            let decoded = if deeper { decode(text) } else { text.into() };
            if decoded != text {
                self.within(self.how, 1).text(&decoded);
            }
        }
    }

    fn field(&self, field: &str) -> How {
        let tails = self.how.tails && !is_written(field);
        How { identifier: is_identifier(field), tails, ..self.how }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(field) = map.next_key::<Cow<'_, str>>()? {
            // It names fields only.
            if field == "managedFields" {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            // References know a literal location of an object for certain, with its bucket.
            if self.depth == 1 && matches!(&*field, "gcs" | "s3" | "azure" | "oss") {
                let location = map.next_value::<serde_json::Value>()?.to_string();
                if location.contains("{{") {
                    self.within(self.field(&field), 0).text(&location);
                }
                continue;
            }
            self.within(How { identifier: true, ..self.how }, 0).text(&field);
            map.next_value_seed(self.within(self.field(&field), 0))?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(self.within(self.how, 0))?.is_some() {}
        Ok(())
    }

    fn visit_str<E>(mut self, text: &str) -> Result<(), E> {
        self.text(text);
        Ok(())
    }

    fn visit_i64<E>(mut self, number: i64) -> Result<(), E> {
        self.text(&number.to_string());
        Ok(())
    }

    fn visit_u64<E>(mut self, number: u64) -> Result<(), E> {
        self.text(&number.to_string());
        Ok(())
    }

    fn visit_f64<E>(mut self, number: f64) -> Result<(), E> {
        self.text(&number.to_string());
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}
