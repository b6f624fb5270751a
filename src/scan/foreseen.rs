//! What a purge will not be able to read, as far as the reading of another verb shows: the commands that it prints say so.

use crate::cluster::client::Cluster;
use crate::cluster::unread::{Unread, UnreadSource};
use crate::scan::archive;
use argo_gc_core::inspection::Inspection;
use argo_gc_core::model::context::{Context, RelatedKind, UnreadArchive};

/// The archive, if controllers among files say that there is one.
pub(crate) fn of_files(context: &Context) -> Vec<Unread> {
    let archive = context.controllers.unread_archive();
    // The cluster shows whether there are other controllers, which files don't.
    archive.filter(|archive| *archive == UnreadArchive::NeedsServer).map(Unread::from).into_iter().collect()
}

/// The workflows whose nodes only an Argo server shows.
pub(crate) fn nodes(inspection: &Inspection) -> Vec<Unread> {
    let names = inspection.unseen_names.iter();
    names
        .map(|name| Unread::object(UnreadSource::Nodes, "workflow", name, "its nodes can't be read"))
        .collect()
}

/// The sources that the user may not read in a cluster. A purge reads all namespaces, but for GC pods.
pub(crate) async fn of_cluster(cluster: &Cluster, context: &Context, namespace: Option<&str>) -> Vec<Unread> {
    let mut unread: Vec<Unread> =
        archive::unread_without(cluster.argo_server(), &context.controllers).into_iter().collect();
    if !context.related.is_read(RelatedKind::GcPods, namespace.unwrap_or_default()) {
        unread.push(Unread::new(UnreadSource::Pods, "forbidden"));
    }
    unread.extend(cluster.unlistable().await);
    unread
}
