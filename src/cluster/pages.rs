//! Pages of workflows, the next one on its way while the last one is decoded.

use crate::cluster::buffer::Buffer;
use crate::cluster::client::Cluster;
use crate::error::{Error, ErrorKind, NO_RESOURCE};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Where the list of workflows lives.
const WORKFLOWS: &str = "/apis/argoproj.io/v1alpha1";

/// Which workflows to read.
#[derive(Debug, Clone, Default)]
pub struct PageQuery {
    /// One namespace, or (none) all.
    pub namespace: Option<String>,
    /// These by name rather than a list; needs a namespace.
    pub names: Vec<String>,
    pub label_selector: Option<String>,
    pub field_selector: Option<String>,
    /// Objects a page; 0 for all at once.
    pub chunk_size: u32,
    /// Takes names that aren't there, for a reader who knows another place to look; else they end the reading.
    pub missing: Option<Missing>,
}

/// Names of workflows that aren't there, with what the server said.
pub type Missing = Arc<Mutex<Vec<(String, Error)>>>;

/// A response body.
#[derive(Debug)]
pub enum Body {
    /// A list of workflows. After an expired token listing starts over: the reader drops what it has seen.
    Page(Buffer),
    /// One workflow.
    One(Buffer),
}

impl Cluster {
    /// Reads the workflows in the background. At most two bodies wait for the reader.
    ///
    /// The channel ends after the last page, or after an error. Dropping the receiver stops the reading.
    pub fn workflows(&self, scope: PageQuery) -> mpsc::Receiver<Result<Body, Error>> {
        let (sender, receiver) = mpsc::channel(1);
        let cluster = self.clone();
        let _reader: JoinHandle<()> = tokio::spawn(async move {
            if let Err(error) = cluster.feed(&scope, &sender).await {
                // A reader that is gone needs no error.
                let _ = sender.send(Err(error)).await;
            }
        });
        receiver
    }

    async fn feed(&self, scope: &PageQuery, sender: &mpsc::Sender<Result<Body, Error>>) -> Result<(), Error> {
        let base = match &scope.namespace {
            Some(namespace) => format!("{WORKFLOWS}/namespaces/{namespace}/workflows"),
            None => format!("{WORKFLOWS}/workflows"),
        };
        if !scope.names.is_empty() {
            scope
                .names
                .iter()
                .try_for_each(|name| crate::cluster::api_client::check_segment("resource name", name))?;
            for name in &scope.names {
                let body = match self.get(&format!("{base}/{name}")).await {
                    Ok(body) => body,
                    Err(error) => match (&scope.missing, explain(error, scope)) {
                        (Some(missing), error) if error.kind == ErrorKind::NotFound => {
                            let mut missing = missing.lock().unwrap_or_else(PoisonError::into_inner);
                            missing.push((name.clone(), error));
                            continue;
                        }
                        (_, error) => return Err(error),
                    },
                };
                serde_json::from_slice::<IgnoredAny>(&body)
                    .map_err(|error| self.alien("workflow", &error))?;
                if sender.send(Ok(Body::One(body))).await.is_err() {
                    return Ok(());
                }
            }
            return Ok(());
        }
        let mut token = None;
        let mut restarted = false;
        loop {
            let body = match self.get(&list_path(&base, scope, token.as_deref())).await {
                Ok(body) => body,
                Err(error) if error.kind == ErrorKind::Expired && token.is_some() && !restarted => {
                    (token, restarted) = (None, true);
                    continue;
                }
                Err(error) => return Err(explain(error, scope)),
            };
            token = continue_token(&body).map_err(|error| self.alien("list of workflows", &error))?;
            let last = token.is_none();
            if sender.send(Ok(Body::Page(body))).await.is_err() || last {
                return Ok(());
            }
        }
    }
}

impl Cluster {
    /// An answer that is none of Kubernetes'.
    fn alien(&self, wanted: &str, error: &serde_json::Error) -> Error {
        Error::new(format!("the server {} sent no {wanted}: {error}", self.host))
            .hint("is it a Kubernetes API server? proxies and log-in pages answer like this")
    }
}

fn list_path(base: &str, scope: &PageQuery, token: Option<&str>) -> String {
    let mut query: Vec<(&str, &str)> = Vec::new();
    let limit = scope.chunk_size.to_string();
    if scope.chunk_size > 0 {
        query.push(("limit", &limit));
    }
    query.extend(token.map(|token| ("continue", token)));
    query.extend(scope.label_selector.as_deref().map(|selector| ("labelSelector", selector)));
    query.extend(scope.field_selector.as_deref().map(|selector| ("fieldSelector", selector)));
    crate::cluster::api_client::with_query(base, &query)
}

/// Says what the user can do about a list that was refused.
fn explain(error: Error, scope: &PageQuery) -> Error {
    match error.kind {
        ErrorKind::Forbidden if scope.namespace.is_none() => {
            error.hint("reading all namespaces needs a ClusterRole; name one namespace with -n")
        }
        // A list is only missing with its type. For an object the words tell: of a type they name none.
        ErrorKind::NotFound if scope.names.is_empty() || error.brief().ends_with(NO_RESOURCE) => {
            Error::new("the server doesn't have a resource type \"workflows\"")
                .hint("Argo Workflows' CRDs are not installed there; is this the right --context?")
        }
        ErrorKind::Expired => error.hint(
            "the list expired twice while it was read; a larger --chunk-size reads it in fewer requests",
        ),
        _ => error,
    }
}

/// The metadata of a list, as far as paging needs it.
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

/// The continue token of a list, found without parsing its items where that can be done safely.
///
/// Custom resources are listed with sorted keys, so the list's own metadata is last: a `"metadata":` whose
/// object is followed by nothing but the list's closing brace can't be an item's, which a `]` would follow.
pub(crate) fn continue_token(body: &[u8]) -> Result<Option<String>, serde_json::Error> {
    const KEY: &[u8] = b"\"metadata\":";
    /// Tokens are a few hundred bytes.
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

    #[test]
    fn queries_are_encoded() {
        let scope =
            PageQuery { chunk_size: 5, label_selector: Some("a in (b,c)".into()), ..PageQuery::default() };
        assert_eq!(
            list_path("/x", &scope, Some("t=/&")),
            "/x?limit=5&continue=t%3D%2F%26&labelSelector=a+in+%28b%2Cc%29"
        );
    }
}
