//! The continue token of a Kubernetes list.

use serde::Deserialize;
use serde::de::IgnoredAny;

/// The part of a list's metadata that paging needs.
#[derive(Deserialize)]
struct ListMeta {
    #[serde(rename = "continue")]
    token: Option<String>,
}

impl ListMeta {
    fn next(self) -> Option<String> {
        self.token.filter(|token| !token.is_empty())
    }
}

/// Returns the continue token of a list, without parsing its items if that is safe.
///
/// Custom resources are listed with sorted keys, so the list's own metadata is last: a `"metadata":` whose
/// object is followed only by the list's closing brace can't be an item's, because a `]` follows the items.
pub(crate) fn continue_token(body: &[u8]) -> Result<Option<String>, serde_json::Error> {
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
                return Ok(meta.next());
            }
        }
    }
    #[derive(Deserialize)]
    struct List {
        metadata: ListMeta,
        #[serde(rename = "items")]
        _items: IgnoredAny,
    }
    serde_json::from_slice::<List>(body).map(|list| list.metadata.next())
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
    fn what_is_no_list_is_an_error() {
        assert!(continue_token(b"<html>").is_err());
        assert!(continue_token(br#"{"kind":"Status","metadata":{},"status":"Success"}"#).is_err());
    }
}
