//! Everything that any record says of objects: of a cluster or of files, and of other clusters' inspections.

use crate::cluster::client::Cluster;
use crate::cluster::controllers::ControllerQuery;
use crate::cluster::unread::Unread;
use crate::error::Error;
use crate::scan::archive;
use crate::scan::cluster::everything;
use crate::scan::files::{LoadRequest, Loaded, load};
use crate::scan::gather::{Gathered, Scan, ScanPart, Terms};
use crate::scan::other_cluster;
use crate::scan::request::ClusterRequest;
use argo_gc_core::model::context::Context;
use argo_gc_core::plan::orphans::Guarded;
use argo_gc_core::plan::references::{References, ReferencesBuilder};
use jiff::Timestamp;
use std::collections::HashSet;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

/// Everything that is known of the records.
pub(crate) struct Records {
    pub references: References,
    /// Names of all workflows.
    pub names: HashSet<String>,
    pub guarded: Guarded,
    pub unread: Vec<Unread>,
    /// What was written since may be recorded where nobody looked: the time of the oldest inspection, or now.
    pub as_of: Timestamp,
}

/// Reads the records of a cluster.
///
/// # Errors
/// The workflows can't be read, or a file of `also` is no inspection.
pub(crate) async fn of_cluster(
    cluster: &Cluster,
    request: &ClusterRequest,
    also: &[PathBuf],
    now: Timestamp,
) -> Result<Records, Error> {
    let mut gathering = ReferencesBuilder::default();
    let pins = cluster.beside(None, &mut gathering).await;
    let (controllers, related, _) =
        cluster.related(None, ControllerQuery { namespace: None, ..request.controllers() }).await;
    let mut unread = pins.unread.clone();
    unread.extend(archive::unread_without(cluster.argo_server(), &controllers));
    // Results are read before the workflows: one that the controller moves into its workflow meanwhile is then seen in
    // at least one of the two.
    unread.extend(cluster.results(&mut gathering).await);
    let terms = Arc::new(Terms::selecting_nothing(Context { now, controllers, related }, pins));
    let scan = everything(cluster, request, &terms, Scan::new(gathering, unread)).await?;
    finish(scan, &terms, also)
}

/// Reads the records of files.
///
/// # Errors
/// A file can't be read, or a file of `also` is no inspection.
pub(crate) fn of_files(
    request: &LoadRequest<'_>,
    also: &[PathBuf],
    stdin: &mut dyn Read,
    now: Timestamp,
) -> Result<Records, Error> {
    let Loaded { context, mut gathering, results, pins, workflows, .. } = load(request, stdin, now)?;
    gathering.absorb(results);
    let terms = Terms::selecting_nothing(context, pins);
    let mut scan = Scan::new(gathering, Vec::new());
    workflows.iter().try_for_each(|text| scan.workflow(text, &terms))?;
    finish(scan, &terms, also)
}

/// Adds the inspections of other clusters, and puts everything together.
fn finish(mut scan: Scan, terms: &Terms, also: &[PathBuf]) -> Result<Records, Error> {
    let mut as_of = terms.context.now;
    for path in also {
        let mut part = ScanPart::default();
        as_of = as_of.min(other_cluster::read(path, &mut part)?);
        scan.absorb(part)?;
    }
    scan.guard_namespaces(&terms.pins);
    let Gathered { references, names, guarded, unread, .. } = scan.finish();
    Ok(Records { references, names, guarded, unread, as_of })
}
