//! Everything that any record says of objects: of a cluster or of files, and of other clusters' inspections.

use crate::cluster::client::Cluster;
use crate::cluster::identity::ClusterIdentity;
use crate::cluster::unread::Unread;
use crate::error::Error;
use crate::scan::archive;
use crate::scan::cluster::everything;
use crate::scan::files::{Loaded, load};
use crate::scan::gather::{Scan, ScanPart, Terms};
use crate::scan::other_cluster;
use argo_gc_core::argo::workflow::Workflow;
use argo_gc_core::model::context::Context;
use argo_gc_core::plan::orphans::Guarded;
use argo_gc_core::plan::references::{References, ReferencesBuilder};
use argo_gc_core::plan::rules::Rules;
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
    pub cluster: Option<ClusterIdentity>,
}

/// Reads the records of a cluster.
///
/// # Errors
/// The workflows can't be read, or a file of `also` is no inspection.
pub(crate) async fn of_cluster(
    cluster: &Cluster,
    identity: ClusterIdentity,
    chunk_size: u32,
    also: &[PathBuf],
    now: Timestamp,
) -> Result<Records, Error> {
    let mut gathering = ReferencesBuilder::default();
    let beside = cluster.beside(None, &mut gathering).await;
    let (controllers, related, _) = cluster.related(None).await;
    let mut unread = beside.unread.clone();
    unread.extend(archive::unread_without(cluster.argo_server(), &controllers));
    // Results are read before the workflows: one that the controller moves into its workflow meanwhile is then seen in
    // at least one of the two.
    unread.extend(cluster.results(&mut gathering).await);
    let pinned_namespaces = beside.pinned_namespaces.clone();
    let context = Arc::new(Context { now, controllers, related });
    let selects = |_: &Workflow| false;
    let shared = Arc::new((context, Rules::none(now), beside, Vec::new(), selects));
    let start = Scan::new(gathering, unread);
    let scan = everything(cluster, chunk_size, Some(cluster.namespace()), &shared, start).await?;
    let records = finish(scan, &pinned_namespaces, also, now)?;
    Ok(Records { cluster: Some(identity), ..records })
}

/// Reads the records of files.
///
/// # Errors
/// A file can't be read, or a file of `also` is no inspection.
pub(crate) fn of_files(
    files: &[PathBuf],
    recursive: bool,
    also: &[PathBuf],
    stdin: &mut dyn Read,
    now: Timestamp,
) -> Result<Records, Error> {
    let Loaded { context, mut gathering, results, pins, workflows } =
        load(files, recursive, None, stdin, now)?;
    gathering.absorb(results);
    let (rules, selects) = (Rules::none(now), |_: &Workflow| false);
    let terms = Terms { context: &context, rules: &rules, beside: &pins, named: &[], selects: &selects };
    let mut scan = Scan::new(gathering, Vec::new());
    workflows.iter().try_for_each(|text| scan.workflow(text, &terms))?;
    finish(scan, &pins.pinned_namespaces, also, now)
}

/// Adds the inspections of other clusters, and puts everything together.
fn finish(
    mut scan: Scan,
    pinned_namespaces: &HashSet<String>,
    also: &[PathBuf],
    now: Timestamp,
) -> Result<Records, Error> {
    let mut as_of = now;
    for path in also {
        let mut part = ScanPart::default();
        as_of = as_of.min(other_cluster::read(path, &mut part)?);
        scan.absorb(part)?;
    }
    let (names, mut guarded) = (std::mem::take(&mut scan.names), std::mem::take(&mut scan.guarded));
    pinned_namespaces.iter().for_each(|name| guarded.namespace(name));
    let (_, _, references, unread) = scan.finish();
    Ok(Records { references, names, guarded, unread, as_of, cluster: None })
}
