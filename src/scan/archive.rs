//! What an Argo server adds to a gathering: offloaded nodes, and all that archived workflows refer to.

use crate::cluster::argo_server::archive::{Row, Rows};
use crate::cluster::argo_server::{ArgoServer, WHOLE};
use crate::cluster::unread::{Unread, UnreadSource};
use crate::error::Error;
use crate::scan::gather::{Scan, ScanPart, Shared};
use argo_gc_core::argo::list::{Item, object};
use argo_gc_core::argo::workflow::Workflow;
use argo_gc_core::model::context::Controllers;
use futures::stream;
use futures::stream::StreamExt;
use std::sync::Arc;

/// The archive as a source that wasn't read.
pub(crate) fn unread(why: impl Into<String>) -> Unread {
    Unread::new(UnreadSource::Archive, why)
}

/// Why the archive isn't read where no Argo server shows it.
pub(crate) fn unread_without(server: Option<&ArgoServer>, controllers: &Controllers) -> Option<Unread> {
    controllers.unread_archive().filter(|_| server.is_none()).map(Unread::from)
}

/// Whether an object's nodes may be in the database; the parser tells for certain.
pub(crate) fn may_be_offloaded(text: &str) -> bool {
    text.contains("offloadNodeStatusVersion")
}

/// Takes workflows in whose nodes may be in the database; each is asked for by itself.
pub(crate) async fn hydrate<S: Fn(&Workflow) -> bool + Send + Sync + 'static>(
    server: &ArgoServer,
    texts: Vec<String>,
    shared: &Arc<Shared<S>>,
) -> Result<Vec<ScanPart>, Error> {
    let parts = stream::iter(texts.into_iter().map(|text| async move {
        let Item::Object(workflow) = object::<Workflow>(&text) else {
            return gathered(shared, move |part, terms| part.workflow(&text, terms)).await;
        };
        if !workflow.is_offloaded() {
            return gathered(shared, move |part, terms| part.workflow(&text, terms)).await;
        }
        match server.hydrated(&workflow).await {
            Ok(answer) => {
                gathered(shared, move |part, terms| {
                    let mut workflow = workflow;
                    workflow.status.nodes = answer.workflow.status.nodes;
                    part.hydrated(workflow, &text, &String::from_utf8_lossy(&answer.text), terms);
                })
                .await
            }
            Err(error) => {
                gathered(shared, move |part, terms| {
                    part.workflow(&text, terms);
                    part.not_hydrated(error.brief());
                })
                .await
            }
        }
    }))
    .buffered(WHOLE)
    .collect::<Vec<_>>()
    .await;
    parts.into_iter().collect()
}

/// Takes in what the archive refers to. It comes after the live workflows: what was deleted before those were
/// read had been archived by then. Whatever can't be read leaves the archive unread, and what was read counts.
///
/// # Errors
/// There is no room for temporary files.
pub(crate) async fn read<S: Fn(&Workflow) -> bool + Send + Sync + 'static>(
    server: &ArgoServer,
    chunk_size: u32,
    shared: &Arc<Shared<S>>,
    whole: &mut Scan,
) -> Result<(), Error> {
    if let Err(error) = server.ensure_of(&whole.known()).await {
        whole.unread.push(unread(error.brief()));
        return Ok(());
    }
    let beyond = match pages(server, chunk_size, shared, whole).await? {
        Ok(count) => match server.shown(count).await {
            Ok(archive) => shared.0.controllers.beyond_archive(&archive),
            Err(error) => Some(error.brief().to_owned()),
        },
        Err(error) => Some(error.brief().to_owned()),
    };
    whole.unread.extend(beyond.map(unread));
    Ok(())
}

/// Reads all rows and their workflows; gives their number, or what went wrong first.
async fn pages<S: Fn(&Workflow) -> bool + Send + Sync + 'static>(
    server: &ArgoServer,
    chunk_size: u32,
    shared: &Arc<Shared<S>>,
    whole: &mut Scan,
) -> Result<Result<u64, Error>, Error> {
    let mut rows = server.rows(Rows { chunk_size, ..Rows::default() });
    let mut count = 0;
    while let Some(page) = rows.recv().await {
        let page = match page {
            Ok(page) => page,
            Err(error) => return Ok(Err(error)),
        };
        count += page.len() as u64;
        let live: Vec<bool> = page.iter().map(|row| whole.has_live(&row.metadata.uid)).collect();
        let mut parts = stream::iter(page.into_iter().zip(live))
            .map(|(row, is_live)| async move { one(server, &row, is_live, shared).await })
            .buffered(WHOLE);
        while let Some(part) = parts.next().await {
            match part {
                Ok(part) => whole.absorb(part)?,
                Err(error) => return Ok(Err(error)),
            }
        }
    }
    Ok(Ok(count))
}

async fn one<S: Fn(&Workflow) -> bool + Send + Sync + 'static>(
    server: &ArgoServer,
    row: &Row,
    is_live: bool,
    shared: &Arc<Shared<S>>,
) -> Result<ScanPart, Error> {
    let answer = server.archived(row).await.map_err(|error| {
        Error::new(format!(
            "archived workflow {}/{}: {}",
            row.metadata.namespace,
            row.metadata.name,
            error.brief()
        ))
    })?;
    gathered(shared, move |part, terms| {
        part.archived(answer.workflow, &String::from_utf8_lossy(&answer.text), is_live, terms);
    })
    .await
}

/// Gathers on a thread that may take its time.
async fn gathered<S: Fn(&Workflow) -> bool + Send + Sync + 'static>(
    shared: &Arc<Shared<S>>,
    take: impl FnOnce(&mut ScanPart, &crate::scan::gather::Terms) + Send + 'static,
) -> Result<ScanPart, Error> {
    let shared = Arc::clone(shared);
    let part = tokio::task::spawn_blocking(move || {
        let mut part = ScanPart::default();
        take(&mut part, &crate::scan::gather::terms(&shared));
        part
    });
    part.await.map_err(|error| Error::new(format!("a decoder stopped: {error}")))
}
