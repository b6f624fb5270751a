//! Reads the archive of an Argo server: its rows page by page, and the workflows of the rows that are needed.

use crate::cluster::argo_server::archive::{Row, Rows};
use crate::cluster::argo_server::{ArgoServer, WHOLE, Whole};
use crate::cluster::client::Cluster;
use crate::cluster::unread::{Unread, UnreadSource};
use crate::error::{Error, ErrorKind};
use crate::scan::visitor::{Found, Visitor, on_thread};
use argo_gc_core::argo::meta::Meta;
use argo_gc_core::argo::workflow::Workflow;
use argo_gc_core::model::context::Controllers;
use futures::stream;
use futures::stream::StreamExt;
use std::sync::Arc;
use tokio::sync::mpsc::Receiver;

/// The archive as a source that wasn't read.
pub(crate) fn unread(why: impl Into<String>) -> Unread {
    Unread::new(UnreadSource::Archive, why)
}

/// Why the archive isn't read where no Argo server shows it.
pub(crate) fn unread_without(server: Option<&ArgoServer>, controllers: &Controllers) -> Option<Unread> {
    controllers.unread_archive().filter(|_| server.is_none()).map(Unread::from)
}

/// What is done with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowUse {
    Skip,
    Read,
    /// It is read, and the workflow is live too.
    ReadAlsoLive,
}

/// A page of the archive.
pub(crate) struct ArchivePage<P> {
    /// The namespaces and names of all its workflows, read or not.
    pub names: Vec<(String, String)>,
    /// What was made of each workflow that was read, up to the first failure of the server.
    pub read: Vec<Archived<P>>,
}

/// An archived workflow that was read, or could not be read.
pub(crate) struct Archived<P> {
    pub meta: Meta,
    pub part: Result<P, Error>,
}

/// A reading of the archive.
pub(crate) struct ArchiveReader<'a, V> {
    server: &'a ArgoServer,
    visitor: &'a Arc<V>,
    /// The cluster, if selectors narrowed its list: what is archived may then be live without having been listed.
    narrowed: Option<&'a Cluster>,
    lists: std::vec::IntoIter<Rows>,
    rows: Option<Receiver<Result<Vec<Row>, Error>>>,
    /// How many rows were read.
    count: u64,
}

impl<'a, V: Visitor> ArchiveReader<'a, V> {
    /// Reads these lists one after the other. Nothing is sent yet.
    pub fn new(server: &'a ArgoServer, visitor: &'a Arc<V>, lists: Vec<Rows>) -> Self {
        Self { server, visitor, narrowed: None, lists: lists.into_iter(), rows: None, count: 0 }
    }

    /// Leaves out what is live in the cluster, although its list does not show it.
    pub fn narrowed(self, narrowed: Option<&'a Cluster>) -> Self {
        Self { narrowed, ..self }
    }

    /// Reads the next page; none after the last one. After an error nothing more should be read.
    pub async fn next(
        &mut self,
        mut how: impl FnMut(&Row) -> RowUse,
    ) -> Option<Result<ArchivePage<V::Part>, Error>> {
        let page = loop {
            if let Some(page) = match &mut self.rows {
                Some(rows) => rows.recv().await,
                None => None,
            } {
                break page;
            }
            self.rows = Some(self.server.rows(self.lists.next()?));
        };
        let page = match page {
            Ok(page) => page,
            Err(error) => return Some(Err(error)),
        };
        self.count += page.len() as u64;
        let name = |row: &Row| (row.metadata.namespace.clone(), row.metadata.name.clone());
        let names = page.iter().map(name).collect();
        let rows: Vec<(Row, RowUse)> = page
            .into_iter()
            .map(|row| {
                let how = how(&row);
                (row, how)
            })
            .filter(|(_, how)| *how != RowUse::Skip)
            .collect();
        let reader = &*self;
        let mut workflows = stream::iter(rows)
            .map(|(row, how)| async move {
                let part = reader.one(&row, how == RowUse::ReadAlsoLive).await;
                Archived { meta: row.metadata, part }
            })
            .buffered(WHOLE);
        let mut read = Vec::new();
        while let Some(archived) = workflows.next().await {
            let failed = archived.part.as_ref().is_err_and(|error| !is_of_one_workflow(error));
            read.push(archived);
            // A server that does not answer is not asked for the others.
            if failed {
                break;
            }
        }
        Some(Ok(ArchivePage { names, read }))
    }

    /// Says why what was read is not the whole archive; none if it is.
    pub async fn beyond(&self, controllers: &Controllers) -> Option<String> {
        match self.server.shown(self.count).await {
            Ok(archive) => controllers.beyond_archive(&archive),
            Err(error) => Some(error.brief().to_owned()),
        }
    }

    async fn one(&self, row: &Row, also_live: bool) -> Result<V::Part, Error> {
        if self.lives_unlisted(&row.metadata).await? {
            return Ok(V::Part::default());
        }
        let Whole { workflow, text } = self.server.archived(row).await?;
        let text = V::NEEDS_TEXT.then_some(text);
        on_thread(self.visitor, move |visitor| {
            let text = text.as_deref().map(String::from_utf8_lossy);
            let texts: Vec<&str> = text.as_deref().into_iter().collect();
            let mut part = V::Part::default();
            visitor.workflow(Found { also_live, ..Found::new(workflow, &texts) }, &mut part);
            part
        })
        .await
    }

    /// Whether the workflow is live although it was not listed, because the cluster's selectors left it out.
    async fn lives_unlisted(&self, meta: &Meta) -> Result<bool, Error> {
        let Some(cluster) = self.narrowed else { return Ok(false) };
        let text = cluster.workflow(&meta.namespace, &meta.name).await?;
        let live = text.and_then(|text| serde_json::from_slice::<Workflow>(&text).ok());
        Ok(live.is_some_and(|live| live.metadata.uid == meta.uid))
    }
}

/// Whether a failure is about one workflow: it was deleted meanwhile, may not be read, or makes no sense.
pub(crate) fn is_of_one_workflow(error: &Error) -> bool {
    matches!(
        error.kind,
        ErrorKind::NotFound | ErrorKind::Forbidden | ErrorKind::TooLarge | ErrorKind::Malformed
    )
}
