//! Makes a plan from a cluster. All workflows are read once: for the selected artifacts and for the references to them.

use crate::cli::purge::apply::Planner;
use crate::cli::purge::arguments::Arguments;
use crate::cli::purge::{apply, confirm};
use crate::cli::streams::Streams;
use crate::cli::warnings;
use crate::cluster::client::Cluster;
use crate::cluster::identity::ClusterIdentity;
use crate::cluster::unread::{Unread, UnreadSource};
use crate::duration::signed;
use crate::error::Error;
use crate::scan::archive;
use crate::scan::cluster::{Labelled, check_clock, everything, labelled};
use crate::scan::gather::Scan;
use argo_gc_core::argo::workflow::Workflow;
use argo_gc_core::model::context::{Context, RelatedKind};
use argo_gc_core::plan::references::ReferencesBuilder;
use argo_gc_core::plan::retention::Retention;
use argo_gc_core::plan::rules::Rules;
use jiff::Timestamp;
use std::sync::Arc;

pub(crate) async fn run(
    arguments: &Arguments,
    retention: Option<Arc<Retention>>,
    streams: &mut Streams,
    now: Timestamp,
) -> Result<u8, Error> {
    let cluster = Cluster::connect(&arguments.argo.beside(&arguments.kube)).await?;
    let store = arguments.storage.open()?;
    let identity = ClusterIdentity::of(&cluster).await;
    check_clock(&cluster, signed(arguments.margin), now)?;
    warnings::warn_of_argo_server(cluster.argo_server(), streams).await;
    let namespace = (!arguments.scope.all_namespaces).then(|| cluster.namespace().to_owned());
    let chunk_size = arguments.kube.chunk_size;
    let labelled =
        labelled(&cluster, arguments.selector.as_deref(), chunk_size, namespace.as_deref()).await?;

    let mut gathering = ReferencesBuilder::default();
    let beside = cluster.beside(namespace.as_deref(), &mut gathering).await;
    let (mut controllers, related, gaps) = cluster.related(namespace.as_deref()).await;
    controllers.version = arguments.controller.argo_version;
    warnings::warn_of_gaps(&gaps, streams);
    let mut allowed = cluster.repositories(&controllers).await;
    if let Some(root) = &arguments.storage.store_root {
        tracing::debug!(root = %root.display(), "every bucket below the directory is the user's own");
        allowed = argo_gc_core::plan::rules::Allowed::everywhere();
    }
    let rules = Rules { retention, ..arguments.rules(allowed, now) };
    let mut unread = beside.unread.clone();
    unread.extend(archive::unread_without(cluster.argo_server(), &controllers));
    if !related.is_read(RelatedKind::GcPods, namespace.as_deref().unwrap_or_default()) {
        let why = "whether Argo's GC pods are at work can't be told";
        unread.push(Unread::new(UnreadSource::Pods, why));
    }
    let context = Arc::new(Context { now, controllers, related });
    let selection = arguments.selection(namespace.clone(), now);
    let selects = move |workflow: &Workflow| {
        selection.takes(workflow)
            && labelled.as_ref().is_none_or(|labelled: &Labelled| labelled.has(workflow))
    };

    let shared = Arc::new((Arc::clone(&context), rules, beside, arguments.names.clone(), selects));
    let start = Scan::under(&shared.1, gathering, unread);
    let whole = everything(&cluster, chunk_size, namespace.as_deref(), &shared, start).await?;
    let (_, rules, ..) = &*shared;
    if let Some(namespace) = namespace.as_deref().filter(|_| whole.taken == 0) {
        cluster.ensure_namespace(namespace).await?;
    }
    whole.ensure_found(&arguments.names)?;
    let planner = Planner { arguments, rules, store: &store, cluster: Some(identity) };
    let plan = planner.make(whole, streams).await?;
    let target = confirm::Target { cluster: Some(&cluster), store: &store, context: &context };
    apply::run(arguments, plan, &target, streams, now).await
}
