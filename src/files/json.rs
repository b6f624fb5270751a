//! JSON input, read item by item, so that lists may have any size.

use argo_gc_core::argo::words;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::io::Read;

/// Is called with an object's text and the kind of the list it was in (empty if unknown).
type Each<'e> = &'e mut dyn FnMut(&str, &str) -> bool;

/// Reads concatenated JSON documents.
pub(crate) fn read(reader: impl Read, each: Each<'_>) -> Result<(), String> {
    let mut deserializer = serde_json::Deserializer::from_reader(reader);
    while deserializer.end().is_err() {
        Document { each, depth: 0 }.deserialize(&mut deserializer).map_err(|error| {
            format!("line {} column {}: {}", error.line(), error.column(), words::of(&error))
        })?;
    }
    Ok(())
}

/// One document: an object, a list, or an array of either.
struct Document<'e> {
    each: Each<'e>,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Document<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a Kubernetes object or a list of them")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, sequence: A) -> Result<(), A::Error> {
        items(sequence, "", self.each, self.depth)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        // These are fields of a single object. Its kind is known only when all were read.
        let mut fields = String::from("{");
        let mut list_kind = String::new();
        let mut is_list = false;
        while let Some(key) = map.next_key::<String>()? {
            if key == "items" {
                is_list = true;
                map.next_value_seed(Items {
                    list_kind: &list_kind,
                    each: &mut *self.each,
                    depth: self.depth,
                })?;
                continue;
            }
            let value = map.next_value::<Box<RawValue>>()?;
            if key == "kind" {
                list_kind = value.get().trim_matches('"').to_owned();
            }
            let separator = if fields.len() > 1 { "," } else { "" };
            let key = serde_json::to_string(&key).map_err(serde::de::Error::custom)?;
            fields.push_str(&format!("{separator}{key}:{}", value.get()));
        }
        if !is_list {
            fields.push('}');
            go_on((self.each)(&fields, ""))?;
        }
        Ok(())
    }
}

/// The `items` of a list.
struct Items<'e, 'k> {
    list_kind: &'k str,
    each: Each<'e>,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Items<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Items<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the items of a list")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, sequence: A) -> Result<(), A::Error> {
        items(sequence, self.list_kind, self.each, self.depth)
    }
}

fn items<'de, A: SeqAccess<'de>>(
    mut sequence: A,
    list_kind: &str,
    each: Each<'_>,
    depth: usize,
) -> Result<(), A::Error> {
    while let Some(item) = sequence.next_element::<Box<RawValue>>()? {
        // A list within a list is rare but valid; no tool nests them deeper.
        if depth < 4 && looks_like_list(item.get()) {
            let mut nested = serde_json::Deserializer::from_str(item.get());
            Document { each: &mut *each, depth: depth + 1 }
                .deserialize(&mut nested)
                .map_err(serde::de::Error::custom)?;
        } else {
            go_on(each(item.get(), list_kind))?;
        }
    }
    Ok(())
}

/// Ends the reading with an error if the caller needs no more objects.
fn go_on<E: serde::de::Error>(wanted: bool) -> Result<(), E> {
    if wanted { Ok(()) } else { Err(E::custom("stopped")) }
}

fn looks_like_list(text: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Kind<'a> {
        #[serde(borrow)]
        kind: std::borrow::Cow<'a, str>,
    }
    text.contains("\"items\"")
        && serde_json::from_str::<Kind<'_>>(text).is_ok_and(|kind| kind.kind.ends_with("List"))
}

/// The first key that some object of a text has twice; other readers take one of the two in silence.
pub(crate) fn repeated_key(text: &str) -> Option<String> {
    let mut found = None;
    let mut json = serde_json::Deserializer::from_str(text);
    // The text was read before, so the only error is that of a key found.
    let _ = Keys { found: &mut found }.deserialize(&mut json);
    found
}

/// Looks for a repeated key in a value.
struct Keys<'f> {
    found: &'f mut Option<String>,
}

impl<'de> DeserializeSeed<'de> for Keys<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Keys<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut keys: HashSet<Cow<'de, str>> = HashSet::new();
        while let Some(Key(key)) = map.next_key::<Key<'de>>()? {
            if keys.contains(&key) {
                *self.found = Some(key.into_owned());
                return Err(serde::de::Error::custom("repeated"));
            }
            keys.insert(key);
            map.next_value_seed(Keys { found: &mut *self.found })?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Keys { found: &mut *self.found })?.is_some() {}
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// A key, without a copy where it has no escapes.
#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);
