//! Everything that any record says of objects: of a cluster or of files, and of other clusters.

use crate::cluster::client::Cluster;
use crate::cluster::controllers::ControllerQuery;
use crate::cluster::gathering::{Gathering, Texts};
use crate::cluster::identity::ClusterIdentity;
use crate::cluster::unread::Unread;
use crate::error::Error;
use crate::scan::archive;
use crate::scan::cluster::everything;
use crate::scan::files::{LoadRequest, Loaded, load};
use crate::scan::gather::Scan;
use crate::scan::gathered::Gathered;
use crate::scan::other_cluster::OtherClusters;
use crate::scan::request::ClusterRequest;
use crate::scan::terms::Terms;
use argo_gc_core::hashes::Names;
use argo_gc_core::model::bucket::Bucket;
use argo_gc_core::model::context::Context;
use argo_gc_core::plan::guarded::Guarded;
use argo_gc_core::plan::references::References;
use jiff::Timestamp;
use std::io::Read;
use std::sync::Arc;

/// Everything that is known of the records.
pub(crate) struct Records {
    pub references: References,
    /// The texts of all that is running or yet to run.
    pub texts: Texts,
    /// Names and UIDs of all workflows.
    pub names: Names,
    pub guarded: Guarded,
    /// The key formats of the controllers' repositories, each with its bucket.
    pub key_formats: Vec<(Bucket, String)>,
    pub unread: Vec<Unread>,
    /// The other clusters whose documents were read.
    pub also: Vec<ClusterIdentity>,
    /// What was written since may be recorded where nobody looked: the time of the oldest document of another
    /// cluster, or now.
    pub as_of: Timestamp,
}

/// Reads the records of a cluster. Unless `by_name`, they don't say which workflow refers to something.
///
/// # Errors
/// The workflows can't be read.
pub(crate) async fn of_cluster(
    cluster: &Cluster,
    request: &ClusterRequest,
    others: OtherClusters,
    now: Timestamp,
    by_name: bool,
) -> Result<Records, Error> {
    let ClusterScan { scan, key_formats } =
        gather(cluster, request, Gathering::default(), now, by_name).await?;
    Ok(Records { key_formats, ..finish(scan, others, now)? })
}

/// What was read of a cluster.
pub(crate) struct ClusterScan {
    pub scan: Scan,
    /// The key formats of the controllers' repositories, each with its bucket.
    pub key_formats: Vec<(Bucket, String)>,
}

/// Reads everything of a cluster that refers to anything.
///
/// # Errors
/// The workflows can't be read.
pub(crate) async fn gather(
    cluster: &Cluster,
    request: &ClusterRequest,
    mut gathering: Gathering,
    now: Timestamp,
    by_name: bool,
) -> Result<ClusterScan, Error> {
    let tells = gathering.references.is_telling();
    let pins = cluster.beside(None, &mut gathering).await;
    let (controllers, related, _) =
        cluster.related(None, ControllerQuery { namespace: None, ..request.controllers() }).await;
    let key_formats = cluster.repositories(&controllers, None).await.key_formats();
    let mut unread = pins.unread.clone();
    unread.extend(archive::unread_without(cluster.argo_server(), &controllers));
    // Results are read before the workflows: one that the controller moves into its workflow meanwhile is then seen in
    // at least one of the two.
    unread.extend(cluster.results(&mut gathering).await);
    let context = Context { now, controllers, related };
    let terms = Arc::new(Terms { tells, ..Terms::selecting_nothing(context, pins) });
    let told = gathering.references.take_told();
    let new = if by_name { Scan::new } else { Scan::nameless };
    let mut scan = new(gathering, unread);
    scan.tell(told)?;
    let mut scan = everything(cluster, request, &terms, scan).await?;
    scan.guard_namespaces(&terms.pins);
    Ok(ClusterScan { scan, key_formats })
}

/// Reads the records of files. `by_name` is that of [`of_cluster`].
///
/// # Errors
/// A file can't be read.
pub(crate) fn of_files(
    request: &LoadRequest<'_>,
    others: OtherClusters,
    stdin: &mut dyn Read,
    now: Timestamp,
    by_name: bool,
) -> Result<Records, Error> {
    let Loaded { context, mut gathering, results, pins, workflows, allowed } = load(request, stdin, now)?;
    gathering.references.absorb(results.references);
    let key_formats = allowed.key_formats();
    let terms = Terms::selecting_nothing(context, pins);
    let new = if by_name { Scan::new } else { Scan::nameless };
    let mut scan = new(gathering, Vec::new());
    workflows.iter().try_for_each(|text| scan.workflow(text, &terms))?;
    scan.guard_namespaces(&terms.pins);
    Ok(Records { key_formats, ..finish(scan, others, now)? })
}

/// Adds what other clusters need, and puts everything together.
fn finish(mut scan: Scan, others: OtherClusters, now: Timestamp) -> Result<Records, Error> {
    let as_of = others.as_of.map_or(now, |time| time.min(now));
    let also = others.clusters.clone();
    scan.absorb(others.into_part())?;
    let Gathered { references, texts, names, guarded, unread, .. } = scan.finish();
    Ok(Records { references, texts, names, guarded, key_formats: Vec::new(), unread, also, as_of })
}
