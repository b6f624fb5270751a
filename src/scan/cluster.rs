//! Reads all workflows of a cluster, page by page.

use crate::cluster::argo_server::archive::Rows;
use crate::cluster::client::Cluster;
use crate::cluster::pages::{Body, PageQuery};
use crate::cluster::unread::{Unread, UnreadSource};
use crate::error::{Error, ErrorKind};
use crate::scan::archive;
use crate::scan::gather::{Scan, ScanPart, Shared, terms};
use argo_gc_core::argo::list::{Malformed, decode};
use argo_gc_core::argo::meta::Meta;
use argo_gc_core::argo::workflow::Workflow;
use futures::stream;
use futures::stream::StreamExt;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::HashSet;
use std::sync::Arc;

/// Pages decoded at a time.
const DECODERS: usize = 2;

/// Refuses to judge ages by a clock that is wrong (`docs/dangers.md`, danger 26). The cluster must have answered something before.
pub(crate) fn check_clock(cluster: &Cluster, margin: SignedDuration, now: Timestamp) -> Result<(), Error> {
    let margin = margin.as_secs();
    let ahead = cluster.first_answer().map(|time| time.duration_since(now).as_secs());
    match ahead {
        Some(ahead) if ahead.abs() > margin => {
            let side = if ahead > 0 { "behind" } else { "ahead of" };
            Err(Error::refused(format!(
                "this machine's clock is {} seconds {side} the API server's, so ages can't be judged",
                ahead.abs()
            ))
            .hint("set it; purge allows more with --margin"))
        }
        _ => Ok(()),
    }
}

/// Reads the workflows of all namespaces, or of one where all are forbidden and that is accepted; then the
/// archive, where an Argo server shows it.
pub(crate) async fn everything<S: Fn(&Workflow) -> bool + Send + Sync + 'static>(
    cluster: &Cluster,
    chunk_size: u32,
    namespace: Option<&str>,
    shared: &Arc<Shared<S>>,
    mut whole: Scan,
) -> Result<Scan, Error> {
    match read(cluster, chunk_size, None, shared, &mut whole).await {
        Err(error) if error.kind == ErrorKind::Forbidden => {
            let why = "listing them in all namespaces is forbidden";
            whole.unread.push(Unread::new(UnreadSource::Workflows, why));
            let Some(namespace) = namespace else { return Err(error) };
            read(cluster, chunk_size, Some(namespace.to_owned()), shared, &mut whole).await?;
        }
        other => other?,
    }
    if let Some(server) = cluster.argo_server() {
        archive::read(server, chunk_size, shared, &mut whole).await?;
    }
    Ok(whole)
}

/// Reads the pages of one scope into the gathering.
async fn read<S: Fn(&Workflow) -> bool + Send + Sync + 'static>(
    cluster: &Cluster,
    chunk_size: u32,
    namespace: Option<String>,
    shared: &Arc<Shared<S>>,
    whole: &mut Scan,
) -> Result<(), Error> {
    let mut bodies = cluster.workflows(PageQuery { namespace, chunk_size, ..PageQuery::default() });
    let mut pages = stream::poll_fn(move |cx| bodies.poll_recv(cx))
        .map(|body| {
            let (terms, server) = (Arc::clone(shared), cluster.argo_server());
            async move {
                let body = body?;
                let hydrates = server.is_some();
                let page = tokio::task::spawn_blocking(move || page(&body, &terms, hydrates));
                let (part, offloaded) =
                    page.await.map_err(|error| Error::new(format!("a decoder stopped: {error}")))??;
                let mut parts = vec![part];
                if let Some(server) = server {
                    parts.extend(archive::hydrate(server, offloaded, shared).await?);
                }
                Ok::<_, Error>(parts)
            }
        })
        .buffered(DECODERS);
    while let Some(parts) = pages.next().await {
        parts?.into_iter().try_for_each(|part| whole.absorb(part))?;
    }
    Ok(())
}

/// Takes a page in, but for workflows whose nodes an Argo server may have to fill in.
pub(crate) fn page<S: Fn(&Workflow) -> bool + Sync>(
    body: &Body,
    shared: &Shared<S>,
    hydrates: bool,
) -> Result<(ScanPart, Vec<String>), Error> {
    #[derive(Deserialize)]
    struct List<'a> {
        #[serde(borrow)]
        items: Vec<&'a RawValue>,
    }
    let (Body::Page(bytes) | Body::One(bytes)) = body;
    let list: List<'_> = serde_json::from_slice(bytes)
        .map_err(|error| Error::new(format!("reading a page of workflows: {error}")))?;
    let terms = terms(shared);
    let mut gathered = ScanPart::default();
    let mut offloaded = Vec::new();
    for item in list.items {
        match hydrates && archive::may_be_offloaded(item.get()) {
            true => offloaded.push(item.get().to_owned()),
            false => gathered.workflow(item.get(), &terms),
        }
    }
    Ok((gathered, offloaded))
}

/// UIDs that a label selector takes. Labels may have changed since a workflow was archived.
pub(crate) struct Labelled {
    pub(crate) live: HashSet<String>,
    pub(crate) archived: HashSet<String>,
}

impl Labelled {
    pub(crate) fn has(&self, workflow: &Workflow) -> bool {
        let uids = if workflow.is_archived_record() { &self.archived } else { &self.live };
        uids.contains(&workflow.metadata.uid)
    }
}

/// Asks the servers which workflows a label selector takes: only they know how to read one.
pub(crate) async fn labelled(
    cluster: &Cluster,
    selector: Option<&str>,
    chunk_size: u32,
    namespace: Option<&str>,
) -> Result<Option<Labelled>, Error> {
    let Some(selector) = selector else { return Ok(None) };
    #[derive(Deserialize)]
    struct Object {
        metadata: Meta,
    }
    let mut bodies = cluster.workflows(PageQuery {
        namespace: namespace.map(str::to_owned),
        label_selector: Some(selector.to_owned()),
        chunk_size,
        ..PageQuery::default()
    });
    let (mut live, mut archived) = (HashSet::new(), HashSet::new());
    while let Some(body) = bodies.recv().await {
        let (Body::Page(bytes) | Body::One(bytes)) = body?;
        let mut take = |item| match item {
            argo_gc_core::argo::list::Item::Object(object) => {
                let Object { metadata } = *object;
                live.insert(metadata.uid);
            }
            argo_gc_core::argo::list::Item::Malformed(Malformed { .. }) => {}
        };
        decode::<Object>(&bytes, &mut take)
            .map_err(|error| Error::new(format!("reading a page of workflows: {error}")))?;
    }
    if let Some(server) = cluster.argo_server() {
        let mut rows = server.rows(Rows {
            namespace: namespace.map(str::to_owned),
            label_selector: Some(selector.to_owned()),
            chunk_size,
            ..Rows::default()
        });
        // An archive that can't be read is told of when all of it is; nothing of it is ever deleted.
        while let Some(Ok(page)) = rows.recv().await {
            archived.extend(page.into_iter().map(|row| row.metadata.uid));
        }
    }
    Ok(Some(Labelled { live, archived }))
}
