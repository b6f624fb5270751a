//! Inspects archived workflows, if an Argo server shows them. A workflow that is also live is not shown again.

use crate::cli::inspect::arguments::Arguments;
use crate::cli::inspect::run::Run;
use crate::cli::progress::Progress;
use crate::cluster::argo_server::archive::{Row, Rows};
use crate::cluster::argo_server::{ArgoServer, WHOLE};
use crate::cluster::client::Cluster;
use crate::cluster::pages::Missing;
use crate::error::{Error, ErrorKind};
use crate::scan::assess_pages::Assessor;
use crate::scan::selection::Selection;
use argo_gc_core::argo::meta::Meta;
use argo_gc_core::argo::workflow::Workflow;
use argo_gc_core::model::assessment::Assessment;
use argo_gc_core::model::gap::Gap;
use futures::stream;
use futures::stream::StreamExt;
use std::collections::HashSet;
use std::sync::PoisonError;

/// The connections and the selection with which the archive is read.
pub(crate) struct Archive<'a> {
    pub arguments: &'a Arguments,
    pub cluster: &'a Cluster,
    pub server: &'a ArgoServer,
    pub namespace: Option<&'a str>,
    pub look: &'a Assessor,
}

impl Archive<'_> {
    /// Adds archived workflows. Those that can't be read are a gap.
    ///
    /// # Errors
    /// The output can't be written, or a name is in neither place.
    pub(crate) async fn run(
        &self,
        run: &mut Run<'_>,
        (missing, known): (&Missing, &[(String, String, String)]),
        mut is_live: impl FnMut(&str) -> bool,
        progress: &Progress,
    ) -> Result<(), Error> {
        let mut found = HashSet::new();
        let lists: Vec<Rows> = match &self.arguments.names[..] {
            [] => vec![self.rows(None)],
            names => names.iter().map(|name| self.rows(Some(name))).collect(),
        };
        // If no live workflow was read, there is nothing by which to compare the server with the cluster.
        let same = if known.is_empty() { Ok(()) } else { self.server.ensure_of(known).await };
        let lists = if same.is_ok() { lists } else { Vec::new() };
        let mut unread = same.err().map(|error| error.brief().to_owned());
        let mut count = 0;
        'lists: for list in lists {
            let mut rows = self.server.rows(list);
            while let Some(page) = rows.recv().await {
                let page = match page {
                    Ok(page) => page,
                    Err(error) => {
                        unread = Some(error.brief().to_owned());
                        break 'lists;
                    }
                };
                count += page.len() as u64;
                found.extend(page.iter().map(|row| row.metadata.name.clone()));
                let wanted: Vec<Row> =
                    page.into_iter().filter(|row| self.wants(row) && !is_live(&row.metadata.uid)).collect();
                if let Err(error) = self.page(wanted, run).await? {
                    unread = Some(error.brief().to_owned());
                    break 'lists;
                }
                progress.show(run.inspection.summary.workflows);
            }
        }
        let missing = std::mem::take(&mut *missing.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some((_, error)) = missing.into_iter().find(|(name, _)| !found.contains(name)) {
            return Err(match unread {
                Some(why) => error.hint(format!("nor can the archive be read: {why}")),
                None => error,
            });
        }
        if unread.is_none() && !self.look.context.controllers.hidden() {
            unread = match self.server.shown(count).await {
                Ok(archive) => self.look.context.controllers.beyond_archive(&archive),
                Err(error) => Some(error.brief().to_owned()),
            };
        }
        run.gaps(unread.map(gap).into_iter().collect());
        Ok(())
    }

    fn rows(&self, name: Option<&String>) -> Rows {
        Rows {
            namespace: self.namespace.map(str::to_owned),
            name: name.cloned(),
            prefix: self.arguments.prefix.clone(),
            label_selector: self.arguments.selector.clone(),
            chunk_size: self.arguments.kube.chunk_size,
        }
    }

    /// Whether the selection may take the row's workflow. Conditions that need the whole workflow are checked later.
    fn wants(&self, row: &Row) -> bool {
        let told = Selection { instance_id: None, ..(*self.look.selection).clone() };
        let named = &self.arguments.names;
        told.takes(row)
            && (named.is_empty() || named.contains(&row.metadata.name))
            && self.namespace.is_none_or(|namespace| namespace == row.metadata.namespace)
            && self.arguments.field_selector.as_deref().is_none_or(|fields| selects(fields, &row.metadata))
    }

    /// Reads and shows the workflows of a page. One that was deleted meanwhile is a gap of its own.
    async fn page(&self, rows: Vec<Row>, run: &mut Run<'_>) -> Result<Result<(), Error>, Error> {
        let mut workflows = stream::iter(rows)
            .map(|row| async move {
                let result = self.one(&row).await;
                (row.metadata, result)
            })
            .buffered(WHOLE);
        let (mut found, mut failed) = (Vec::new(), None);
        while let Some((meta, result)) = workflows.next().await {
            match result {
                Ok(Some(assessment)) => found.push(assessment),
                Ok(None) => {}
                Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::Forbidden) => {
                    run.gaps(vec![Gap {
                        what: format!("archived workflow {}/{}", meta.namespace, meta.name),
                        why: error.brief().to_owned(),
                        effect: "it was left out".to_owned(),
                    }])
                }
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        run.gaps(self.look.check(found.iter_mut().collect()).await);
        found.into_iter().try_for_each(|assessment| run.take(assessment))?;
        Ok(failed.map_or(Ok(()), Err))
    }

    async fn one(&self, row: &Row) -> Result<Option<Assessment>, Error> {
        if self.lives_unlisted(&row.metadata).await? {
            return Ok(None);
        }
        let mut workflow = self.server.archived(row).await?.workflow;
        let look = self.look.clone();
        let assessed = tokio::task::spawn_blocking(move || {
            look.selection.takes(&workflow).then(|| look.assess(&mut workflow))
        });
        assessed.await.map_err(|error| Error::new(format!("a decoder stopped: {error}")))
    }

    /// Whether the workflow is live although it was not listed, because the cluster's selectors left it out.
    async fn lives_unlisted(&self, meta: &Meta) -> Result<bool, Error> {
        if self.arguments.selector.is_none() && self.arguments.field_selector.is_none() {
            return Ok(false);
        }
        let text = self.cluster.workflow(&meta.namespace, &meta.name).await?;
        let live = text.and_then(|text| serde_json::from_slice::<Workflow>(&text).ok());
        Ok(live.is_some_and(|live| live.metadata.uid == meta.uid))
    }
}

fn gap(why: String) -> Gap {
    Gap { what: "archived workflows".to_owned(), why, effect: "they are missing, or some are".to_owned() }
}

/// Whether a field selector takes a workflow. As in Kubernetes, only the name and the namespace can be selected.
fn selects(fields: &str, meta: &Meta) -> bool {
    fields.split(',').map(str::trim).filter(|term| !term.is_empty()).all(|term| {
        let (field, value, wanted) = match (term.split_once("!="), term.split_once('=')) {
            (Some((field, value)), _) => (field, value, false),
            (None, Some((field, value))) => (field, value.trim_start_matches('='), true),
            (None, None) => return false,
        };
        let own = match field.trim() {
            "metadata.name" => &meta.name,
            "metadata.namespace" => &meta.namespace,
            _ => return false,
        };
        (own == value.trim()) == wanted
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use argo_gc_core::argo::meta::Meta;

    #[test]
    fn field_selectors_mean_what_they_mean_in_kubernetes() {
        let meta = Meta { name: "train".into(), namespace: "ml".into(), ..Meta::default() };
        for fields in ["metadata.name=train", "metadata.name==train,metadata.namespace!=ci", ""] {
            assert!(selects(fields, &meta), "{fields}");
        }
        for fields in
            ["metadata.name!=train", "metadata.name=train,metadata.namespace=ci", "status.phase=x", "x"]
        {
            assert!(!selects(fields, &meta), "{fields}");
        }
    }
}
