//! The continue token of a Kubernetes list, and whether a listing still gets on.

use crate::error::Error;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// How many pages without an object may follow each other. A server that searches by a label may send some.
const MAX_EMPTY: u32 = 1000;

/// What the metadata of a list says of its pages.
#[derive(Debug, Deserialize)]
pub(crate) struct ListMeta {
    #[serde(rename = "continue")]
    token: Option<String>,
    /// How many objects come after this page, if the server knows.
    #[serde(rename = "remainingItemCount")]
    pub remaining: Option<u64>,
}

impl ListMeta {
    /// The token of the next page; none if this is the last.
    pub fn next(self) -> Option<String> {
        self.token.filter(|token| !token.is_empty())
    }
}

/// Returns the continue token of a list, without parsing its items if that is safe.
pub(crate) fn continue_token(body: &[u8]) -> Result<Option<String>, serde_json::Error> {
    list_meta(body).map(ListMeta::next)
}

/// Returns a list's metadata, without parsing its items if that is safe.
///
/// Custom resources are listed with sorted keys, so the list's own metadata is last: a `"metadata":` whose
/// object is followed only by the list's closing brace can't be an item's, because a `]` follows the items.
pub(crate) fn list_meta(body: &[u8]) -> Result<ListMeta, serde_json::Error> {
    const KEY: &[u8] = b"\"metadata\":";
    /// How much of the end is searched: tokens have a few hundred bytes.
    const TAIL: usize = 16 << 10;
    let start = body.len().saturating_sub(TAIL);
    let tail = &body[start..];
    if let Some(at) = tail.windows(KEY.len()).rposition(|window| window == KEY) {
        let mut values =
            serde_json::Deserializer::from_slice(&tail[at + KEY.len()..]).into_iter::<ListMeta>();
        if let Some(Ok(meta)) = values.next() {
            let rest = &tail[at + KEY.len() + values.byte_offset()..];
            if rest.trim_ascii() == b"}" {
                return Ok(meta);
            }
        }
    }
    #[derive(Deserialize)]
    struct List {
        metadata: ListMeta,
        #[serde(rename = "items")]
        _items: IgnoredAny,
    }
    serde_json::from_slice::<List>(body).map(|list| list.metadata)
}

/// The way of one listing from page to page. A server whose tokens repeat would be read for ever.
#[derive(Debug, Default)]
pub(crate) struct Course {
    /// The token of the next page; none at the beginning.
    token: Option<String>,
    /// Hashes of the tokens that were followed.
    followed: HashSet<u64>,
    /// Pages without an object since the last one with any.
    empty: u32,
    restarted: bool,
}

impl Course {
    /// The token to send; none for the first page.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Begins anew after a token has expired; false if it did so before, or there is nothing to begin anew.
    pub fn restarts(&mut self) -> bool {
        let may = self.token.is_some() && !self.restarted;
        if may {
            *self = Self { restarted: true, ..Self::default() };
        }
        may
    }

    /// Goes on to the next page; false if there is none.
    ///
    /// # Errors
    /// The listing repeats.
    pub fn goes_on(&mut self, next: Option<String>, page_is_empty: bool) -> Result<bool, Error> {
        self.empty = if page_is_empty { self.empty + 1 } else { 0 };
        let Some(next) = next else { return Ok(false) };
        let mut hasher = DefaultHasher::new();
        next.hash(&mut hasher);
        if !self.followed.insert(hasher.finish()) {
            return Err(Error::new("the server's list repeats: it refers to a page that it sent before"));
        }
        if self.empty > MAX_EMPTY {
            return Err(Error::new(format!(
                "the server's list does not end: {} pages without an object, and no last one",
                self.empty
            )));
        }
        self.token = Some(next);
        Ok(true)
    }
}

/// Whether a list has no items, by its text alone, without parsing it: a list of one kind names no `items` before.
pub(crate) fn is_empty(body: &[u8]) -> bool {
    /// How far into a list its items may begin.
    const HEAD: usize = 1 << 10;
    const KEY: &[u8] = b"\"items\":";
    let head = &body[..body.len().min(HEAD)];
    let after = head.windows(KEY.len()).position(|window| window == KEY).map(|at| &head[at + KEY.len()..]);
    after.is_some_and(|rest| {
        rest.trim_ascii_start().starts_with(b"[]") || rest.trim_ascii_start().starts_with(b"null")
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn full(body: &[u8]) -> Option<String> {
        let list: serde_json::Value = serde_json::from_slice(body).unwrap();
        list["metadata"]["continue"].as_str().filter(|token| !token.is_empty()).map(str::to_owned)
    }

    proptest! {
        #[test]
        fn the_quick_look_equals_the_full_parse(
            token in proptest::option::of("[a-zA-Z0-9=\"\\\\{}]{0,20}"),
            texts in proptest::collection::vec(".{0,40}", 0..4),
            decoy in any::<bool>(),
            metadata_first in any::<bool>(),
        ) {
            let mut items: Vec<_> = texts.iter().map(|text| json!({"metadata": {"name": text}})).collect();
            if decoy {
                items.push(json!({"a": "\"metadata\":{\"continue\":\"x\"}}", "metadata": {"continue": "wrong"}}));
            }
            let metadata = json!({"continue": token, "resourceVersion": "7"});
            let body = if metadata_first {
                format!(r#"{{"kind":"WorkflowList","metadata":{metadata},"items":{}}}"#, json!(items))
            } else {
                format!(r#"{{"apiVersion":"v1","items":{},"metadata":{metadata}}}{}"#, json!(items), "\n")
            };
            prop_assert_eq!(continue_token(body.as_bytes()).unwrap(), full(body.as_bytes()));
        }
    }

    #[test]
    fn a_listing_that_goes_round_ends() {
        let next = |token: &str| Some(token.to_owned());
        let mut course = Course::default();
        assert!(course.goes_on(next("a"), false).unwrap() && course.token() == Some("a"));
        assert!(course.goes_on(next("b"), false).unwrap());
        assert!(course.goes_on(next("a"), false).unwrap_err().message().contains("repeats"));
        // A list that expired begins anew once, and its tokens may come again.
        let mut course = Course::default();
        assert!(!course.restarts());
        assert!(course.goes_on(next("a"), false).unwrap());
        assert!(course.restarts() && course.token().is_none());
        assert!(course.goes_on(next("a"), false).unwrap());
        assert!(!course.restarts());
        assert!(!course.goes_on(None, false).unwrap());
    }

    #[test]
    fn a_listing_of_empty_pages_ends() {
        let mut course = Course::default();
        let mut pages = 0..=10 * MAX_EMPTY;
        assert!(pages.any(|page| course.goes_on(Some(page.to_string()), true).is_err()));
        let mut course = Course::default();
        for page in 0..3 * MAX_EMPTY {
            assert!(course.goes_on(Some(page.to_string()), !page.is_multiple_of(500)).unwrap());
        }
        for empty in [r#"{"items": [],"metadata":{}}"#, r#"{"metadata":{"continue":"x"},"items":null}"#] {
            assert!(is_empty(empty.as_bytes()), "{empty}");
        }
        for full in [r#"{"items":[{"items":[]}]}"#, "{}", r#"{"items":"#] {
            assert!(!is_empty(full.as_bytes()), "{full}");
        }
    }

    #[test]
    fn what_is_no_list_is_an_error() {
        assert!(continue_token(b"<html>").is_err());
        assert!(continue_token(br#"{"kind":"Status","metadata":{},"status":"Success"}"#).is_err());
    }
}
