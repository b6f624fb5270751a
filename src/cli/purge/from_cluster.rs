//! Makes a plan from a cluster. All workflows are read once: for the selected artifacts and for the references to them.

use crate::cli::purge::apply::Planner;
use crate::cli::purge::arguments::Arguments;
use crate::cli::purge::{apply, confirm};
use crate::cli::streams::Streams;
use crate::cli::warnings;
use crate::cluster::client::Cluster;
use crate::cluster::gathering::Gathering;
use crate::cluster::identity::ClusterIdentity;
use crate::cluster::unread::{Unread, UnreadSource};
use crate::duration::signed;
use crate::error::Error;
use crate::purge::guard::Guard;
use crate::scan::archive;
use crate::scan::cluster::{check_clock, everything, labelled};
use crate::scan::gather::{Scan, Terms};
use argo_gc_core::model::context::{Context, RelatedKind};
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
    let cluster = Cluster::connect(&arguments.argo.beside(&arguments.kube)?).await?;
    let store = arguments.storage.open()?;
    if arguments.archived && cluster.argo_server().is_none() {
        return Err(Error::usage("only an Argo server shows the archive")
            .hint("name the cluster's Argo server with --argo-server or ARGO_SERVER"));
    }
    let identity = ClusterIdentity::of(&cluster).await;
    check_clock(&cluster, signed(arguments.margin), now)?;
    let others = arguments.also.read(Some(&identity), now)?;
    warnings::warn_of_argo_server(cluster.argo_server(), streams).await;
    let request = arguments.request(&cluster, now);
    let namespace = request.namespace.as_deref();
    let guard = match arguments.may_delete() {
        true => Some(Guard::start(&cluster, namespace).await?),
        false => None,
    };
    let labelled = labelled(&cluster, &request).await?;

    let mut gathering = Gathering::default();
    gathering.references.absorb(others.references);
    let pins = cluster.beside(namespace, &mut gathering).await;
    let (mut controllers, related, gaps) = cluster.related(namespace, request.controllers()).await;
    controllers.version = request.argo_version;
    warnings::warn_of_gaps(&gaps, streams);
    warnings::tell_controllers(&controllers, streams);
    let allowed = cluster.repositories(&controllers, arguments.kube.namespace.as_deref()).await;
    let mut unread = pins.unread.clone();
    unread.extend(archive::unread_without(cluster.argo_server(), &controllers));
    if !related.is_read(RelatedKind::GcPods, namespace.unwrap_or_default()) {
        let why = "it is unknown whether Argo's GC pods are running";
        unread.push(Unread::new(UnreadSource::Pods, why));
    }
    let selection = request.selection.clone();
    let terms = Arc::new(Terms {
        context: Arc::new(Context { now, controllers, related }),
        rules: Rules { retention, elsewhere: others.guarded, ..arguments.rules(allowed, now) },
        pins,
        named: arguments.names.clone(),
        selects: Box::new(move |workflow| {
            selection.takes(workflow) && labelled.as_ref().is_none_or(|labelled| labelled.has(workflow))
        }),
        tells: false,
    });

    let start = Scan::under(&terms.rules, gathering, unread);
    let scan = everything(&cluster, &request, &terms, start).await?;
    if let Some(namespace) = namespace.filter(|_| scan.taken == 0) {
        cluster.ensure_namespace(namespace).await?;
    }
    scan.ensure_found(&arguments.names)?;
    let (rules, also) = (&terms.rules, others.clusters);
    let planner = Planner { arguments, rules, store: &store, cluster: Some(identity), also };
    let plan = planner.make(scan, streams).await?;
    let target = confirm::Target {
        cluster: Some(&cluster),
        store: &store,
        context: &terms.context,
        guard: guard.as_ref(),
    };
    apply::run(arguments, plan, &target, streams, now).await
}
