//! Reads the references again before a saved plan is carried out.

use crate::cluster::client::Cluster;
use crate::cluster::unread::{Unread, UnreadSource};
use crate::error::Error;
use crate::purge::plan_file::{Plan, Since};
use crate::purge::recheck::rerun;
use crate::scan::archive;
use crate::scan::cluster::everything;
use crate::scan::gather::{Scan, pinned};
use argo_gc_core::argo::workflow::Workflow;
use argo_gc_core::model::context::Context;
use argo_gc_core::plan::references::{References, ReferencesBuilder};
use argo_gc_core::plan::rules::Rules;
use std::sync::{Arc, Mutex, PoisonError};

/// What refers to anything by now, and what became of the plan's workflows.
pub(crate) struct Refreshed {
    pub references: References,
    pub since: Since,
    /// Sources that can't be read, and that the user did not accept as unread when the plan was made.
    pub unread: Vec<Unread>,
}

/// Reads the references again; no workflow is selected.
///
/// # Errors
/// The workflows can't be read. For a plan with orphans: any source can't be read.
pub(crate) async fn references(
    cluster: &Cluster,
    chunk_size: u32,
    context: &Context,
    plan: &Plan,
) -> Result<Refreshed, Error> {
    let mut gathering = ReferencesBuilder::default();
    let beside = cluster.beside(Some(cluster.namespace()), &mut gathering).await;
    let mut unread = beside.unread.clone();
    let orphans = plan.has_orphans()?;
    if orphans {
        unread.extend(cluster.results(&mut gathering).await);
    }
    // The plan may have been made with an Argo server, or the archive was accepted as unread.
    let accepted = plan.head.unread.iter().any(|unread| unread.source == UnreadSource::Archive) && !orphans;
    unread.extend(archive::unread_without(cluster.argo_server(), &context.controllers).filter(|_| !accepted));
    let pinned_namespaces = beside.pinned_namespaces.clone();
    let start = Scan::new(gathering, unread);
    let rules = Rules::none(context.now);
    let (planned, made) = (plan.uids()?, plan.head.created_at);
    let since = Arc::new(Mutex::new(Since::default()));
    let (found, pins) = (Arc::clone(&since), beside.clone());
    let look = move |workflow: &Workflow| {
        let uid = &workflow.metadata.uid;
        if planned.contains(uid) {
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            if rerun(workflow, made).is_some() {
                found.altered.insert(uid.clone());
            }
            if let Some(place) = pinned(workflow, &pins) {
                found.altered.insert(uid.clone());
                found.pinned.insert(uid.clone(), place);
            }
        }
        false
    };
    let shared = Arc::new((Arc::new(context.clone()), rules, beside, Vec::new(), look));
    let namespace = Some(cluster.namespace());
    let mut whole = everything(cluster, chunk_size, namespace, &shared, start).await?;
    let mut guarded = std::mem::take(&mut whole.guarded);
    pinned_namespaces.iter().for_each(|name| guarded.namespace(name));
    let (_, _, references, unread) = whole.finish();
    if let Some(first) = unread.first().filter(|_| orphans) {
        return Err(Error::refused(format!("whether these are orphans still can't be told: {first}")));
    }
    // A source that the user accepted as unread when the plan was made is still accepted. Any other is not.
    let accepted = |unread: &Unread| plan.head.unread.contains(unread);
    let unread = unread.into_iter().filter(|unread| !accepted(unread)).collect();
    let mut since = std::mem::take(&mut *since.lock().unwrap_or_else(PoisonError::into_inner));
    since.guarded = guarded;
    Ok(Refreshed { references, since, unread })
}
