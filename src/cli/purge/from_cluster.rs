//! Makes a plan from a cluster. All workflows are read once: for the selected artifacts and for the references to them.

use crate::cli::purge::apply::Planner;
use crate::cli::purge::arguments::Arguments;
use crate::cli::purge::plan_flags::Planning;
use crate::cli::purge::{apply, confirm};
use crate::cli::storage::Opened;
use crate::cli::streams::Streams;
use crate::cli::warnings;
use crate::cluster::client::Cluster;
use crate::cluster::gathering::Gathering;
use crate::cluster::identity::ClusterIdentity;
use crate::cluster::unread::{Unread, UnreadSource};
use crate::duration::signed;
use crate::error::{Error, Hint};
use crate::output::summary::Ended;
use crate::purge::guard::Guard;
use crate::scan::archive;
use crate::scan::cluster::{check_clock, everything, labelled};
use crate::scan::gather::Scan;
use crate::scan::other_cluster::OtherClusters;
use crate::scan::terms::Terms;
use argo_gc_core::model::context::{Context, RelatedKind};
use argo_gc_core::plan::choice::Unselected;
use argo_gc_core::plan::retention::Retention;
use argo_gc_core::plan::rules::Rules;
use jiff::Timestamp;
use std::sync::Arc;

pub(crate) async fn run(
    arguments: &Arguments,
    retention: Option<Arc<Retention>>,
    streams: &mut Streams,
    now: Timestamp,
) -> Result<Ended, Error> {
    let cluster =
        Cluster::connect(&arguments.argo.beside(&arguments.kube)?).await?.telling(&streams.progress);
    let Opened { store, identities } = arguments.storage.open_with(&arguments.secrets)?;
    identities.iter().for_each(|identities| identities.connect(&cluster));
    let planning = arguments.planning();
    let (identity, others) = begin(&planning, &cluster, streams, now).await?;
    let guard = match arguments.may_delete() {
        true => {
            let namespace = planning.request(&cluster, now).namespace;
            Some(Guard::start(&cluster, namespace.as_deref()).await?)
        }
        false => None,
    };
    let also = others.clusters.clone();
    let (scan, terms) = read(&planning, &cluster, others, retention, streams, now).await?;
    let rules = &terms.rules;
    let identities = identities.as_deref();
    let planner = Planner { arguments, rules, store: &store, identities, cluster: Some(identity), also };
    let (plan, kept) = planner.make(scan, streams).await?;
    let target = confirm::Target {
        cluster: Some(&cluster),
        store: &store,
        context: &terms.context,
        guard: guard.as_ref(),
    };
    let ended = apply::run(arguments, plan, &target, streams, now).await?;
    Ok(if kept > 0 && arguments.may_delete() { ended.unreleased() } else { ended })
}

/// Checks what must be right before anything is read, and reads what other clusters need.
pub(crate) async fn begin(
    planning: &Planning<'_>,
    cluster: &Cluster,
    streams: &mut Streams,
    now: Timestamp,
) -> Result<(ClusterIdentity, OtherClusters), Error> {
    if planning.what.archived && cluster.argo_server().is_none() {
        return Err(Error::usage("only an Argo server shows the archive")
            .hint("name the cluster's Argo server with --argo-server or ARGO_SERVER"));
    }
    cluster.ensure_namespaces(&planning.kube.several_namespaces()).await?;
    let identity = ClusterIdentity::of(cluster).await;
    check_clock(cluster, signed(planning.what.margin), now)
        .map_err(|error| error.hint(Hint::LargerMargin))?;
    let others = planning.what.also.read(Some(&identity), now)?;
    warnings::warn_of_argo_server(cluster.argo_server(), streams).await;
    Ok((identity, others))
}

/// Reads everything that a plan rests on but storage.
pub(crate) async fn read(
    planning: &Planning<'_>,
    cluster: &Cluster,
    others: OtherClusters,
    retention: Option<Arc<Retention>>,
    streams: &mut Streams,
    now: Timestamp,
) -> Result<(Scan, Arc<Terms>), Error> {
    let request = planning.request(cluster, now);
    let namespace = request.namespace.as_deref();
    let labelled = labelled(cluster, &request).await?;

    let mut gathering = Gathering::default();
    gathering.references.absorb(others.references);
    let pins = cluster.beside(namespace, &mut gathering).await;
    let (mut controllers, related, gaps) = cluster.related(namespace, request.controllers()).await;
    controllers.version = request.argo_version;
    warnings::warn_of_gaps(&gaps, streams);
    warnings::tell_controllers(&controllers, streams);
    let allowed = cluster.repositories(&controllers, planning.kube.one_namespace()).await;
    let mut unread = pins.unread.clone();
    unread.extend(archive::unread_without(cluster.argo_server(), &controllers));
    if !related.is_read(RelatedKind::GcPods, namespace.unwrap_or_default()) {
        let why = "it is unknown whether Argo's GC pods are running";
        unread.push(Unread::new(UnreadSource::Pods, why));
    }
    let selection = request.selection.clone();
    let terms = Arc::new(Terms {
        context: Arc::new(Context { now, controllers, related }),
        rules: Rules { retention, elsewhere: others.guarded, ..planning.rules(allowed, now) },
        pins,
        named: planning.names.to_vec(),
        selects: Box::new(move |workflow| {
            let other = labelled.as_ref().is_some_and(|labelled| !labelled.has(workflow));
            selection.refusal(workflow).or(other.then_some(Unselected::Labels))
        }),
        tells: false,
        endangers: false,
        logins: planning.logins,
        asked: planning.asked.clone(),
    });

    let start = Scan::under(&terms.rules, gathering, unread);
    let scan = everything(cluster, &request, &terms, start).await?;
    if let Some(namespace) = namespace.filter(|_| scan.taken == 0) {
        cluster.ensure_namespace(namespace).await?;
    }
    scan.ensure_found(planning.names)?;
    if let Some(policy) = &terms.rules.retention {
        warnings::warn_of_idle(&scan, policy, namespace, streams);
    }
    Ok((scan, terms))
}
