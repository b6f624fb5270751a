//! Reads pages of workflows; the next page is requested while the last one is decoded.

use crate::cluster::api_client::check_segment;
use crate::cluster::buffer::Buffer;
use crate::cluster::client::Cluster;
use crate::cluster::paging::{Course, is_empty, list_meta};
use crate::cluster::referrers::ARGO;
use crate::error::{Error, ErrorKind, Hint};
use crate::progress::Doing;
use serde::de::IgnoredAny;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Which workflows to read.
#[derive(Debug, Clone, Default)]
pub struct PageQuery {
    /// One namespace, or (none) all.
    pub namespace: Option<String>,
    /// Reads these workflows by namespace and name instead of a list.
    pub names: Vec<(String, String)>,
    pub label_selector: Option<String>,
    pub field_selector: Option<String>,
    /// Objects a page; 0 for all at once.
    pub chunk_size: u32,
    /// Collects names that don't exist, for a reader that looks elsewhere too; without it they end the reading.
    pub missing: Option<Missing>,
}

/// Namespaces and names of workflows that don't exist, with the server's errors.
pub type Missing = Arc<Mutex<Vec<((String, String), Error)>>>;

/// A response body.
#[derive(Debug)]
pub enum Body {
    /// A list of workflows. After an expired token the listing starts over, so the reader must skip what it has seen.
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
                // If the reader has stopped, nobody needs the error.
                let _ = sender.send(Err(error)).await;
            }
        });
        receiver
    }

    async fn feed(&self, scope: &PageQuery, sender: &mpsc::Sender<Result<Body, Error>>) -> Result<(), Error> {
        let base = match &scope.namespace {
            Some(namespace) => format!("{ARGO}/namespaces/{namespace}/workflows"),
            None => format!("{ARGO}/workflows"),
        };
        if !scope.names.is_empty() {
            for (namespace, name) in &scope.names {
                check_segment("namespace", namespace)?;
                check_segment("resource name", name)?;
            }
            for place @ (namespace, name) in &scope.names {
                let path = format!("{ARGO}/namespaces/{namespace}/workflows/{name}");
                let body = match self.get(&path).await {
                    Ok(body) => body,
                    Err(error) => match (&scope.missing, explain(error, scope)) {
                        (Some(missing), error) if error.kind == ErrorKind::NotFound => {
                            let mut missing = missing.lock().unwrap_or_else(PoisonError::into_inner);
                            missing.push((place.clone(), error));
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
        let stage = self.progress.begin(Doing::ReadingWorkflows, None);
        let mut course = Course::default();
        let mut limit = scope.chunk_size;
        loop {
            let body = match self.get(&list_path(&base, scope, limit, course.token())).await {
                Ok(body) => body,
                Err(error) if error.kind == ErrorKind::Expired && course.restarts() => continue,
                // Workflows may be megabytes each, and a token takes any limit.
                Err(error) if error.kind == ErrorKind::TooLarge && limit != 1 => {
                    limit = smaller(limit);
                    continue;
                }
                Err(error) => return Err(explain(error, scope)),
            };
            let meta = list_meta(&body).map_err(|error| self.alien("list of workflows", &error))?;
            // A page that is followed by others is full.
            stage.add(u64::from(limit));
            if let Some(remaining) = meta.remaining {
                stage.remain(remaining);
            }
            let more = course.goes_on(meta.next(), is_empty(&body))?;
            if sender.send(Ok(Body::Page(body))).await.is_err() || !more {
                return Ok(());
            }
        }
    }
}

impl Cluster {
    /// The error for an answer that Kubernetes would not send.
    fn alien(&self, wanted: &str, error: &serde_json::Error) -> Error {
        Error::new(format!("the server {} sent no {wanted}: {error}", self.host()))
            .hint("is it a Kubernetes API server? proxies and log-in pages answer like this")
    }
}

/// The size of a page after one that was too large; 0 asked for all at once.
fn smaller(limit: u32) -> u32 {
    match limit {
        0 => 100,
        limit => limit.div_ceil(10),
    }
}

fn list_path(base: &str, scope: &PageQuery, limit: u32, token: Option<&str>) -> String {
    let mut query: Vec<(&str, &str)> = Vec::new();
    let chunk = limit.to_string();
    if limit > 0 {
        query.push(("limit", &chunk));
    }
    query.extend(token.map(|token| ("continue", token)));
    query.extend(scope.label_selector.as_deref().map(|selector| ("labelSelector", selector)));
    query.extend(scope.field_selector.as_deref().map(|selector| ("fieldSelector", selector)));
    crate::cluster::api_client::with_query(base, &query)
}

/// Says what the user can do about a list that was refused.
fn explain(error: Error, scope: &PageQuery) -> Error {
    match error.kind {
        ErrorKind::Forbidden if scope.namespace.is_none() => error.hint(Hint::OneNamespace),
        ErrorKind::NoResourceType => no_workflows(error),
        // A list is missing only if its type is.
        ErrorKind::NotFound if scope.names.is_empty() => no_workflows(error),
        ErrorKind::Expired => error.hint(Hint::LargerPages),
        _ => error,
    }
}

fn no_workflows(error: Error) -> Error {
    Error::new("the server doesn't have a resource type \"workflows\"")
        .hint(Hint::OtherContext)
        .caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_that_are_too_large_shrink_to_one_object() {
        let sizes: Vec<u32> = std::iter::successors(Some(0), |limit| Some(smaller(*limit))).take(4).collect();
        assert_eq!(sizes, [0, 100, 10, 1]);
        assert_eq!(smaller(7), 1);
    }

    #[test]
    fn queries_are_encoded() {
        let scope = PageQuery { label_selector: Some("a in (b,c)".into()), ..PageQuery::default() };
        assert_eq!(
            list_path("/x", &scope, 5, Some("t=/&")),
            "/x?limit=5&continue=t%3D%2F%26&labelSelector=a+in+%28b%2Cc%29"
        );
    }
}
