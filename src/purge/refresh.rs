//! Reads the references again before a saved plan is carried out.

use crate::cluster::client::Cluster;
use crate::cluster::gathering::Gathering;
use crate::cluster::referrers::Pins;
use crate::cluster::unread::Unread;
use crate::error::Error;
use crate::purge::keep::Since;
use crate::purge::plan_file::Plan;
use crate::purge::recheck::rerun;
use crate::scan::archive;
use crate::scan::cluster::everything;
use crate::scan::gather::Scan;
use crate::scan::gathered::Gathered;
use crate::scan::other_cluster::OtherClusters;
use crate::scan::request::ClusterRequest;
use crate::scan::terms::{Selects, Terms, pinned};
use argo_gc_core::model::context::Context;
use argo_gc_core::plan::choice::Unselected;
use argo_gc_core::plan::named::Named;
use argo_gc_core::plan::references::References;
use argo_gc_core::plan::rules::Allowed;
use std::sync::{Arc, Mutex, PoisonError};

/// What refers to anything by now, and what became of the plan's workflows.
pub(crate) struct Refreshed {
    pub references: References,
    /// What the texts of all that is running or yet to run name.
    pub named: Named,
    pub since: Since,
    /// Sources that can't be read, and that the user did not accept as unread when the plan was made.
    pub unread: Vec<Unread>,
}

/// Reads the references again; no workflow is selected. `allowed` are the places at which deletion is allowed.
///
/// # Errors
/// The workflows can't be read. For a plan with orphans: any source can't be read.
pub(crate) async fn references(
    cluster: &Cluster,
    request: &ClusterRequest,
    context: &Context,
    allowed: &Allowed,
    plan: &Plan,
    others: OtherClusters,
) -> Result<Refreshed, Error> {
    let mut gathering = Gathering::default();
    let pins = cluster.beside(request.namespace.as_deref(), &mut gathering).await;
    let mut unread = pins.unread.clone();
    let orphans = plan.has_orphans()?;
    if orphans {
        unread.extend(cluster.results(&mut gathering).await);
    }
    // The plan may have been made with an Argo server, and this run has none.
    unread.extend(archive::unread_without(cluster.argo_server(), &context.controllers));
    let since = Arc::new(Mutex::new(Since::default()));
    let look = look(plan, pins.clone(), &since)?;
    let terms = Arc::new(Terms { selects: look, ..Terms::selecting_nothing(context.clone(), pins) });
    gathering.references.absorb(others.references);
    let mut scan = everything(cluster, request, &terms, Scan::new(gathering, unread)).await?;
    scan.guard_namespaces(&terms.pins);
    let Gathered { references, texts, names, guarded, unread, .. } = scan.finish();
    let named = texts.search(plan.keys(allowed)?)?;
    if let Some(first) = unread.first().filter(|_| orphans) {
        return Err(Error::refused(format!("it is unknown whether these are still orphans: {first}")));
    }
    // What the user accepted as unread when the plan was made is still accepted, if it is unread for the same reason.
    // Anything else is not.
    let accepted = |unread: &Unread| plan.head.unread.iter().any(|saved| unread.is_known_as(saved));
    let unread = unread.into_iter().filter(|unread| !accepted(unread)).collect();
    let mut since = std::mem::take(&mut *since.lock().unwrap_or_else(PoisonError::into_inner));
    since.guarded = guarded;
    since.workflows = names;
    since.workflows.extend(others.names);
    since.elsewhere = others.guarded;
    Ok(Refreshed { references, named, since, unread })
}

/// Notes what became of the plan's workflows. It selects none of them.
fn look(plan: &Plan, pins: Pins, since: &Arc<Mutex<Since>>) -> Result<Selects, Error> {
    let (planned, made, since) = (plan.uids()?, plan.head.created_at, Arc::clone(since));
    Ok(Box::new(move |workflow| {
        let uid = &workflow.metadata.uid;
        if planned.contains(uid) {
            let mut since = since.lock().unwrap_or_else(PoisonError::into_inner);
            if rerun(workflow, made).is_some() {
                since.altered.insert(uid.clone());
            }
            if let Some(place) = pinned(workflow, &pins) {
                since.altered.insert(uid.clone());
                since.pinned.insert(uid.clone(), place);
            }
        }
        Some(Unselected::Nothing)
    }))
}
