//! Reads all workflows of a cluster, page by page.

use crate::cluster::argo_server::ArgoServer;
use crate::cluster::argo_server::archive::{Row, Rows};
use crate::cluster::client::Cluster;
use crate::cluster::pages::{Body, PageQuery};
use crate::cluster::unread::{Unread, UnreadSource};
use crate::error::{Error, ErrorKind, Hint};
use crate::progress::{Doing, Stage};
use crate::scan::archive::{ArchiveReader, Archived, RowUse, is_of_one_workflow, unread};
use crate::scan::assess_archive::selects;
use crate::scan::gather::Scan;
use crate::scan::pages::parts;
use crate::scan::request::ClusterRequest;
use crate::scan::terms::Terms;
use argo_gc_core::argo::list::{Item, decode};
use argo_gc_core::argo::meta::Meta;
use argo_gc_core::argo::workflow::Workflow;
use futures::stream;
use futures::stream::StreamExt;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use std::collections::HashSet;
use std::sync::Arc;

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
            .hint(Hint::WrongClock))
        }
        _ => Ok(()),
    }
}

/// Reads the workflows of all namespaces, or of the request's where all are forbidden and that is accepted; then the
/// archive, where an Argo server shows it.
pub(crate) async fn everything(
    cluster: &Cluster,
    request: &ClusterRequest,
    terms: &Arc<Terms>,
    mut scan: Scan,
) -> Result<Scan, Error> {
    match read(cluster, request, None, terms, &mut scan).await {
        Err(error) if error.kind == ErrorKind::Forbidden => {
            let why = "listing them in all namespaces is forbidden";
            scan.unread.push(Unread::new(UnreadSource::Workflows, why));
            let Some(namespace) = &request.namespace else { return Err(error) };
            read(cluster, request, Some(namespace.clone()), terms, &mut scan).await?;
        }
        other => other?,
    }
    if let Some(server) = cluster.argo_server() {
        let stage = cluster.progress.begin(Doing::ReadingArchive, None);
        archive(server, request, terms, &mut scan, &stage).await?;
    }
    Ok(scan)
}

/// Reads the pages of one scope into the gathering.
async fn read(
    cluster: &Cluster,
    request: &ClusterRequest,
    namespace: Option<String>,
    terms: &Arc<Terms>,
    scan: &mut Scan,
) -> Result<(), Error> {
    let chunk_size = request.chunk_size;
    let mut bodies = cluster.workflows(PageQuery { namespace, chunk_size, ..PageQuery::default() });
    let bodies = stream::poll_fn(move |cx| bodies.poll_recv(cx));
    let mut pages = std::pin::pin!(parts(bodies, terms, cluster.argo_server()));
    while let Some(parts) = pages.next().await {
        parts?.into_iter().try_for_each(|part| scan.absorb(part))?;
    }
    Ok(())
}

/// Takes in what the archive refers to. It comes after the live workflows: what was deleted before those were
/// read had been archived by then. Whatever can't be read leaves the archive unread, and what was read counts.
async fn archive(
    server: &ArgoServer,
    request: &ClusterRequest,
    terms: &Arc<Terms>,
    scan: &mut Scan,
    stage: &Stage,
) -> Result<(), Error> {
    if let Err(error) = server.ensure_of(&scan.known()).await {
        scan.unread.push(unread(error.brief()));
        return Ok(());
    }
    let rows = Rows { chunk_size: request.chunk_size, ..Rows::default() };
    let mut reader = ArchiveReader::new(server, terms, vec![rows]);
    let how = |row: &Row, scan: &Scan| match scan.has_live(&row.metadata.uid) {
        true => RowUse::ReadAlsoLive,
        false => RowUse::Read,
    };
    while let Some(page) = reader.next(|row| how(row, scan)).await {
        let page = match page {
            Ok(page) => page,
            Err(error) => {
                scan.unread.push(unread(error.brief()));
                return Ok(());
            }
        };
        stage.add(page.read.len() as u64);
        for Archived { meta, part } in page.read {
            match part {
                Ok(part) => scan.absorb(part)?,
                Err(error) => {
                    let name = format!("{}/{}", meta.namespace, meta.name);
                    let (source, what) = (UnreadSource::Archive, "archived workflow");
                    scan.unread.push(Unread::object(source, what, &name, error.brief()));
                    if !is_of_one_workflow(&error) {
                        return Ok(());
                    }
                }
            }
        }
    }
    scan.unread.extend(reader.beyond(&terms.context.controllers).await.map(unread));
    Ok(())
}

/// UIDs that a label or field selector takes. Labels may have changed since a workflow was archived.
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

/// Asks the servers which workflows the label and field selectors take: only they know how to read one.
pub(crate) async fn labelled(cluster: &Cluster, request: &ClusterRequest) -> Result<Option<Labelled>, Error> {
    if !request.is_narrowed() {
        return Ok(None);
    }
    #[derive(Deserialize)]
    struct Object {
        metadata: Meta,
    }
    let mut bodies = cluster.workflows(request.pages(None));
    let (mut live, mut archived) = (HashSet::new(), HashSet::new());
    while let Some(body) = bodies.recv().await {
        let (Body::Page(bytes) | Body::One(bytes)) = body?;
        let take = |item: Item<Object>| {
            if let Item::Object(object) = item {
                live.insert(object.metadata.uid);
            }
        };
        decode(&bytes, take).map_err(|error| Error::new(format!("reading a page of workflows: {error}")))?;
    }
    if let Some(server) = cluster.argo_server() {
        let mut rows = server.rows(Rows {
            namespace: request.namespace.clone(),
            label_selector: request.label_selector.clone(),
            chunk_size: request.chunk_size,
            ..Rows::default()
        });
        // An archive that can't be read is told of when all of it is; nothing of it is ever deleted.
        while let Some(Ok(page)) = rows.recv().await {
            let selected = page.into_iter().filter(|row| {
                request.field_selector.as_deref().is_none_or(|fields| selects(fields, &row.metadata))
            });
            archived.extend(selected.map(|row| row.metadata.uid));
        }
    }
    Ok(Some(Labelled { live, archived }))
}
