//! Assesses archived workflows, if an Argo server shows them. A workflow that is also live is not handed on again.

use crate::cluster::argo_server::ArgoServer;
use crate::cluster::argo_server::archive::Row;
use crate::cluster::client::Cluster;
use crate::cluster::pages::Missing;
use crate::error::Error;
use crate::scan::archive::{ArchivePage, ArchiveReader, Archived, RowUse, is_of_one_workflow};
use crate::scan::assess::{AssessedPage, Assessor, Live, Sink};
use crate::scan::request::ClusterRequest;
use crate::scan::selection::Selection;
use argo_gc_core::argo::meta::Meta;
use argo_gc_core::model::gap::Gap;
use std::collections::HashSet;
use std::sync::{Arc, PoisonError};

/// Reads the archive after the live workflows.
pub(crate) struct ArchiveAssessment<'a> {
    pub request: &'a ClusterRequest,
    pub cluster: &'a Cluster,
    pub server: &'a ArgoServer,
    pub assessor: &'a Arc<Assessor>,
    /// Names that are no live workflows.
    pub missing: &'a Missing,
}

impl ArchiveAssessment<'_> {
    /// Hands on archived workflows. Those that can't be read are a gap.
    ///
    /// # Errors
    /// The output can't be written, or a name is in neither place.
    pub async fn read(&self, mut live: Live, sink: &mut dyn Sink) -> Result<(), Error> {
        // If no live workflow was read, there is nothing by which to compare the server with the cluster.
        let known = &live.known;
        let same = if known.is_empty() { Ok(()) } else { self.server.ensure_of(known).await };
        let lists = if same.is_ok() { self.request.rows() } else { Vec::new() };
        let narrowed = self.request.is_narrowed().then_some(self.cluster);
        let mut archive = ArchiveReader::new(self.server, self.assessor, lists).narrowed(narrowed);
        let mut unread = same.err().map(|error| error.brief().to_owned());
        let mut found = HashSet::new();
        let mut how = |row: &Row| match self.wants(row) && !live.has(&row.metadata.uid) {
            true => RowUse::Read,
            false => RowUse::Skip,
        };
        while let Some(page) = archive.next(&mut how).await {
            let failed = match page {
                Ok(ArchivePage { names, read }) => {
                    sink.looked_at(read.len() as u64);
                    found.extend(names);
                    self.page(read, sink).await?
                }
                Err(error) => Some(error),
            };
            if let Some(error) = failed {
                unread = Some(error.brief().to_owned());
                break;
            }
        }
        let missing = std::mem::take(&mut *self.missing.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some((_, error)) = missing.into_iter().find(|(name, _)| !found.contains(name)) {
            return Err(match unread {
                Some(why) => error.hint(format!("nor can the archive be read: {why}")),
                None => error,
            });
        }
        let controllers = &self.assessor.context.controllers;
        if unread.is_none() && !controllers.hidden() {
            unread = archive.beyond(controllers).await;
        }
        sink.gaps(unread.map(gap).into_iter().collect());
        Ok(())
    }

    /// Whether the selection may take the row's workflow. Conditions that need the whole workflow are checked later.
    fn wants(&self, row: &Row) -> bool {
        let ClusterRequest { namespace, names, field_selector, .. } = self.request;
        let named = |(namespace, name): &(String, String)| {
            *namespace == row.metadata.namespace && *name == row.metadata.name
        };
        let shown = Selection { instance_id: None, ..self.assessor.selection.clone() };
        shown.takes(row)
            && (names.is_empty() || names.iter().any(named))
            && namespace.as_ref().is_none_or(|namespace| *namespace == row.metadata.namespace)
            && field_selector.as_deref().is_none_or(|fields| selects(fields, &row.metadata))
    }

    /// Hands on the workflows of a page, and returns the error that ends the reading. One that was deleted meanwhile
    /// is a gap of its own.
    async fn page(
        &self,
        read: Vec<Archived<AssessedPage>>,
        sink: &mut dyn Sink,
    ) -> Result<Option<Error>, Error> {
        let (mut parts, mut failed) = (Vec::new(), None);
        for Archived { meta, part } in read {
            match part {
                Ok(part) => parts.push(part),
                Err(error) if is_of_one_workflow(&error) => {
                    sink.gaps(vec![Gap {
                        what: format!("archived workflow {}/{}", meta.namespace, meta.name),
                        why: error.brief().to_owned(),
                        effect: "it was left out".to_owned(),
                    }]);
                }
                Err(error) => failed = Some(error),
            }
        }
        let page = self.assessor.checked(parts).await;
        sink.gaps(page.gaps);
        for assessed in page.items.into_iter().flatten() {
            sink.assessed(assessed, &self.assessor.context)?;
        }
        Ok(failed)
    }
}

fn gap(why: String) -> Gap {
    Gap { what: "archived workflows".to_owned(), why, effect: "they are missing, or some are".to_owned() }
}

/// Whether a field selector takes a workflow. As in Kubernetes, only the name and the namespace can be selected.
pub(crate) fn selects(fields: &str, meta: &Meta) -> bool {
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
