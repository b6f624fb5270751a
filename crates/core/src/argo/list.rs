//! Lists of Workflows as the API server sends them, decoded without building a tree of values.

use crate::argo::{weight, words};
use serde::de::{DeserializeOwned, DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// One object of a list.
#[derive(Debug)]
pub enum Item<T> {
    Object(Box<T>),
    /// The object could not be read; the rest of the list is not affected.
    Malformed(Malformed),
}

/// An object that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// `namespace/name` as far as they could be read.
    pub name: String,
    /// The parser's message.
    pub error: String,
}

/// The name of an object that has none.
const UNNAMED: &str = "<unnamed>";

impl Malformed {
    /// Returns the object's name; empty if it could not be read.
    pub fn known_name(&self) -> &str {
        if self.name == UNNAMED { "" } else { &self.name }
    }
}

/// Decodes the items of one page, and passes each on before it reads the next.
///
/// Items are read directly into `T`. After the first that does not fit, and in a heavy body, items are decoded one by
/// one, so that a malformed or hostile object affects only itself.
///
/// # Errors
/// The body is not a JSON list. Items before the error may have been passed on.
pub fn decode<T: DeserializeOwned>(
    body: &[u8],
    mut take: impl FnMut(Item<T>),
) -> Result<(), serde_json::Error> {
    #[derive(Deserialize)]
    struct RawList<'a> {
        #[serde(borrow)]
        items: Vec<&'a RawValue>,
    }
    let mut taken = 0;
    let mut good = |item| {
        taken += 1;
        take(Item::Object(Box::new(item)));
    };
    let mut json = serde_json::Deserializer::from_slice(body);
    let light = weight::is_light(body);
    if light && Items(&mut good).deserialize(&mut json).and_then(|()| json.end()).is_ok() {
        return Ok(());
    }
    let list: RawList<'_> = serde_json::from_slice(body)?;
    list.items.into_iter().skip(taken).for_each(|raw| take(object(raw.get())));
    Ok(())
}

/// Reads the object of a list, or its `items`, and passes each item to a function.
struct Items<'f, T>(&'f mut dyn FnMut(T));

impl<'de, T: DeserializeOwned> DeserializeSeed<'de> for Items<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: DeserializeOwned> Visitor<'de> for Items<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut found = false;
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            if key == "items" {
                found = true;
                map.next_value_seed(Items(&mut *self.0))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        if found { Ok(()) } else { Err(A::Error::missing_field("items")) }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element()? {
            (self.0)(item);
        }
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// Decodes one object. One that would take too much memory is malformed.
pub fn object<T: DeserializeOwned>(text: &str) -> Item<T> {
    let malformed = |error: String| Item::Malformed(Malformed { name: name_of(text), error });
    match weight::check(text.as_bytes(), weight::MAX_WEIGHT) {
        Ok(()) => match serde_json::from_str(text) {
            Ok(object) => Item::Object(Box::new(object)),
            Err(error) => malformed(words::of(&error)),
        },
        Err(too_heavy) => malformed(too_heavy.to_string()),
    }
}

/// The name of an object whose other fields can't be read. A name or a namespace that is no text is left out.
fn name_of(text: &str) -> String {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Named<'a> {
        #[serde(borrow)]
        metadata: Option<&'a RawValue>,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Names<'a> {
        #[serde(borrow)]
        name: Option<&'a RawValue>,
        #[serde(borrow)]
        namespace: Option<&'a RawValue>,
    }
    let read = |raw: Option<&RawValue>| -> String {
        raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
    };
    let Named { metadata } = serde_json::from_str(text).unwrap_or_default();
    let names = metadata.and_then(|raw| serde_json::from_str::<Names<'_>>(raw.get()).ok());
    let Names { name, namespace } = names.unwrap_or_default();
    match (read(namespace), read(name)) {
        (_, name) if name.is_empty() => UNNAMED.to_owned(),
        (namespace, name) if namespace.is_empty() => name,
        (namespace, name) => format!("{namespace}/{name}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::argo::workflow::Workflow;

    fn workflows(body: &[u8]) -> Result<Vec<Item<Workflow>>, serde_json::Error> {
        let mut items = Vec::new();
        decode(body, |item| items.push(item)).map(|()| items)
    }

    #[test]
    fn a_malformed_object_costs_itself_alone() {
        let body = br#"{"items":[
            {"metadata":{"name":"a"}},
            {"metadata":{"name":"b","namespace":"ml"},"status":{"nodes":[]}},
            {"metadata":{"name":"c"},"spec":null}]}"#;
        let items = workflows(body).unwrap();
        assert_eq!(items.len(), 3);
        assert!(matches!(&items[0], Item::Object(wf) if wf.metadata.name == "a"));
        assert!(matches!(&items[1], Item::Malformed(bad) if bad.name == "ml/b"));
        assert!(matches!(&items[2], Item::Object(_)));
    }

    #[test]
    fn an_object_of_hostile_size_costs_itself_alone() {
        let hostile = format!(
            r#"{{"metadata":{{"name":"b","namespace":"ml"}},"spec":{{"templates":[{}{{}}]}}}}"#,
            "{},".repeat(1_000_000)
        );
        let body =
            format!(r#"{{"items":[{{"metadata":{{"name":"a"}}}},{hostile},{{"metadata":{{"name":"c"}}}}]}}"#);
        let items = workflows(body.as_bytes()).unwrap();
        assert!(matches!(&items[0], Item::Object(wf) if wf.metadata.name == "a"));
        assert!(
            matches!(&items[1], Item::Malformed(bad) if bad.name == "ml/b" && bad.error.starts_with("too large")),
            "{:?}",
            items[1]
        );
        assert!(matches!(&items[2], Item::Object(wf) if wf.metadata.name == "c"));
        assert_eq!(items.len(), 3);
    }

    #[test]
    fn a_name_is_told_as_far_as_it_can_be_read() {
        for (metadata, name) in [
            (r#"{"name":"w","namespace":7,"labels":[]}"#, "w"),
            (r#"{"name":null,"namespace":"ml"}"#, UNNAMED),
            (r#"{"name":"w","namespace":"ml","labels":7}"#, "ml/w"),
            ("null", UNNAMED),
            ("[1]", UNNAMED),
        ] {
            assert_eq!(name_of(&format!(r#"{{"metadata":{metadata}}}"#)), name, "{metadata}");
        }
    }

    #[test]
    fn what_is_no_list_is_an_error() {
        assert!(workflows(b"<html>").is_err());
        assert!(workflows(br#"{"items":[{"metadata":{}}"#).is_err());
        assert!(workflows(br#"{"items":null}"#).unwrap().is_empty());
    }

    #[test]
    fn nesting_beyond_reason_is_malformed() {
        let deep = format!(
            r#"{{"metadata":{{"name":"deep"}},"spec":{{"templates":[{}{}]}}}}"#,
            r#"{"steps":[[{"inline":"#.repeat(10_000),
            format_args!("null{}", "}]]}".repeat(10_000))
        );
        let items = workflows(format!(r#"{{"items":[{deep}]}}"#).as_bytes()).unwrap();
        assert!(
            matches!(&items[0], Item::Malformed(bad) if bad.error.contains("nested deeper")),
            "{items:?}"
        );
    }
}
