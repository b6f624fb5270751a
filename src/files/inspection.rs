//! Inspection documents, as `inspect -o json` writes them: read workflow by workflow.

use crate::error::{Error, Hint};
use argo_gc_core::diff::document::{Head, ParsedInspection};
use argo_gc_core::model::API_VERSION;
use argo_gc_core::model::gap::Gap;
use argo_gc_core::model::scope::Scope;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

const KIND: &str = "Inspection";

/// Reads a document to its end; `-` is standard input.
///
/// # Errors
/// It can't be read, is no Inspection, or is cut off. Some of its workflows may have been visited.
pub fn read(
    path: &Path,
    stdin: &mut dyn Read,
    each: &mut dyn FnMut(ParsedInspection),
) -> Result<Head, Error> {
    let name = if path.as_os_str() == "-" { "standard input".to_owned() } else { path.display().to_string() };
    let mut file;
    let input: &mut dyn Read = match path.as_os_str() == "-" {
        true => stdin,
        false => {
            file = File::open(path).map_err(|error| Error::new(format!("cannot read {name}: {error}")))?;
            &mut file
        }
    };
    let mut json = serde_json::Deserializer::from_reader(BufReader::with_capacity(1 << 16, input));
    let head = Document { each }.deserialize(&mut json).and_then(|head| json.end().map(|()| head));
    head.map_err(|error| {
        let what = if error.is_io() { "cannot be read" } else { "is not a complete Inspection document" };
        let error = Error::new(format!("{name} {what}: {error}"));
        error.hint(Hint::MakeInspection)
    })
}

struct Document<'e> {
    each: &'e mut dyn FnMut(ParsedInspection),
}

impl<'de> DeserializeSeed<'de> for Document<'_> {
    type Value = Head;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Head, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = Head;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an Inspection document")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Head, A::Error> {
        #[derive(Deserialize)]
        struct Summary {
            artifacts: BTreeMap<String, u64>,
        }
        let mut head = Head::default();
        let mut missing = vec!["apiVersion", "kind", "generatedAt", "source", "workflows", "summary", "gaps"];
        while let Some(key) = map.next_key::<String>()? {
            missing.retain(|field| *field != key);
            match key.as_str() {
                "apiVersion" => is(&map.next_value::<String>()?, "apiVersion", API_VERSION)?,
                "kind" => is(&map.next_value::<String>()?, "kind", KIND)?,
                "generatedAt" => head.generated_at = map.next_value::<Timestamp>()?,
                "source" => head.source = map.next_value::<Scope>()?,
                "summary" => head.counted = map.next_value::<Summary>()?.artifacts,
                "gaps" => head.gaps = map.next_value::<Vec<Gap>>()?,
                "workflows" => map.next_value_seed(Workflows { each: &mut *self.each, head: &mut head })?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        match missing.first() {
            Some(field) => Err(A::Error::custom(format!("it has no {field}"))),
            None => Ok(head),
        }
    }
}

fn is<E: serde::de::Error>(found: &str, field: &str, wanted: &str) -> Result<(), E> {
    if found == wanted { Ok(()) } else { Err(E::custom(format!("its {field} is {found}, not {wanted}"))) }
}

struct Workflows<'e> {
    each: &'e mut dyn FnMut(ParsedInspection),
    head: &'e mut Head,
}

impl<'de> DeserializeSeed<'de> for Workflows<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Workflows<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of workflows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(told) = list.next_element::<ParsedInspection>()? {
            self.head.count(&told);
            (self.each)(told);
        }
        Ok(())
    }
}
