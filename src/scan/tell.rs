//! Reads everything that a cluster refers to, for the clusters that share its buckets.

use crate::cluster::client::Cluster;
use crate::cluster::gathering::Gathering;
use crate::cluster::identity::ClusterIdentity;
use crate::disk_queue::DiskQueue;
use crate::error::Error;
use crate::scan::gathered::Gathered;
use crate::scan::other_cluster::Head;
use crate::scan::records::gather;
use crate::scan::request::ClusterRequest;
use argo_gc_core::plan::references::ReferencesBuilder;
use argo_gc_core::plan::told::Told;
use jiff::Timestamp;

/// Reads everything that a cluster refers to.
///
/// # Errors
/// Anything can't be read: refused, because it may refer to any object.
pub(crate) async fn tell(
    cluster: &Cluster,
    request: &ClusterRequest,
    identity: ClusterIdentity,
    now: Timestamp,
) -> Result<(Head, DiskQueue<Told>), Error> {
    let telling = Gathering { references: ReferencesBuilder::telling(), ..Gathering::default() };
    let mut scan = gather(cluster, request, telling, now, true).await?.scan;
    let (told, names) = scan.take_told();
    let Gathered { guarded, unread, .. } = scan.finish();
    let Some(first) = unread.first() else {
        return Ok((Head::new(now, identity, names, guarded), told));
    };
    let more = match unread.len() {
        1 => String::new(),
        count => format!(" (and {} more)", count - 1),
    };
    Err(Error::refused(format!("what this cluster refers to can't be read completely: {first}{more}"))
        .hint("get permission to read it: what the document leaves out, another cluster may delete"))
}
