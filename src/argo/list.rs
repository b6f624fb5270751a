//! Lists of Workflows as the API server sends them, decoded without building a tree of values.

use super::{Meta, Workflow, de};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;

/// One object of a list.
#[derive(Debug)]
pub enum Item<T> {
    Object(Box<T>),
    /// It is no such object; the rest of the list is unharmed.
    Malformed(Malformed),
}

/// An object that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// `namespace/name` as far as it could be made out.
    pub name: String,
    /// The parser's words.
    pub error: String,
}

/// Decodes the items of one page.
///
/// Items are read straight into `T`; only when one of them does not fit are they taken one by one, so that a
/// malformed object costs itself alone.
///
/// # Errors
/// The body is no JSON list.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<Vec<Item<T>>, serde_json::Error> {
    #[derive(Deserialize)]
    struct List<T> {
        #[serde(deserialize_with = "de::or_default", bound(deserialize = "T: DeserializeOwned"))]
        items: Vec<T>,
    }
    #[derive(Deserialize)]
    struct RawList<'a> {
        #[serde(borrow)]
        items: Vec<&'a RawValue>,
    }
    if let Ok(list) = serde_json::from_slice::<List<T>>(body) {
        return Ok(list.items.into_iter().map(|item| Item::Object(Box::new(item))).collect());
    }
    let list: RawList<'_> = serde_json::from_slice(body)?;
    Ok(list.items.into_iter().map(|raw| object(raw.get())).collect())
}

/// Decodes one object.
pub fn object<T: DeserializeOwned>(text: &str) -> Item<T> {
    match serde_json::from_str(text) {
        Ok(object) => Item::Object(Box::new(object)),
        Err(error) => Item::Malformed(Malformed { name: name_of(text), error: error.to_string() }),
    }
}

/// The name of an object whose other fields are beyond reading.
fn name_of(text: &str) -> String {
    #[derive(Deserialize)]
    struct Named {
        metadata: Meta,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct NameOnly {
        name: Option<String>,
        namespace: Option<String>,
    }
    #[derive(Deserialize)]
    struct Leniently {
        metadata: NameOnly,
    }
    let (namespace, name) = match serde_json::from_str::<Named>(text) {
        Ok(Named { metadata }) => (metadata.namespace, metadata.name),
        Err(_) => match serde_json::from_str::<Leniently>(text) {
            Ok(Leniently { metadata }) => {
                (metadata.namespace.unwrap_or_default(), metadata.name.unwrap_or_default())
            }
            Err(_) => Default::default(),
        },
    };
    match (namespace.is_empty(), name.is_empty()) {
        (_, true) => "<unnamed>".to_owned(),
        (true, false) => name,
        (false, false) => format!("{namespace}/{name}"),
    }
}

/// A page of workflows.
pub type Workflows = Vec<Item<Workflow>>;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_malformed_object_costs_itself_alone() {
        let body = br#"{"items":[
            {"metadata":{"name":"a"}},
            {"metadata":{"name":"b","namespace":"ml"},"status":{"nodes":[]}},
            {"metadata":{"name":"c"},"spec":null}]}"#;
        let items: Workflows = decode(body).unwrap();
        assert_eq!(items.len(), 3);
        assert!(matches!(&items[0], Item::Object(wf) if wf.metadata.name == "a"));
        assert!(matches!(&items[1], Item::Malformed(bad) if bad.name == "ml/b"));
        assert!(matches!(&items[2], Item::Object(_)));
    }

    #[test]
    fn what_is_no_list_is_an_error() {
        assert!(decode::<Workflow>(b"<html>").is_err());
        assert!(decode::<Workflow>(br#"{"items":[{"metadata":{}}"#).is_err());
        assert!(decode::<Workflow>(br#"{"items":null}"#).unwrap().is_empty());
    }

    #[test]
    fn nesting_beyond_reason_is_malformed() {
        let deep = format!(
            r#"{{"metadata":{{"name":"deep"}},"spec":{{"templates":[{}{}]}}}}"#,
            r#"{"steps":[[{"inline":"#.repeat(10_000),
            format_args!("null{}", "}]]}".repeat(10_000))
        );
        let items: Workflows = decode(format!(r#"{{"items":[{deep}]}}"#).as_bytes()).unwrap();
        assert!(matches!(&items[0], Item::Malformed(bad) if bad.error.contains("recursion")), "{items:?}");
    }
}
