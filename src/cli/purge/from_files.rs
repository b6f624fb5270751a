//! Makes a plan from files. No cluster is asked for what the files do not hold.

use crate::cli::purge::apply::Planner;
use crate::cli::purge::arguments::Arguments;
use crate::cli::purge::plan_flags::Planning;
use crate::cli::purge::{apply, confirm};
use crate::cli::streams::Streams;
use crate::cli::warnings::{tell_controllers, warn_of_idle};
use crate::error::Error;
use crate::output::summary::Ended;
use crate::scan::files::{LoadRequest, Loaded, load};
use crate::scan::gather::Scan;
use crate::scan::other_cluster::OtherClusters;
use crate::scan::terms::Terms;
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
    arguments.secrets.refuse_with_files()?;
    let store = arguments.storage.open()?;
    let others = arguments.what.also.read(None, now)?;
    let also = others.clusters.clone();
    let (scan, terms) = read(&arguments.planning(), others, retention, streams, now)?;
    let planner =
        Planner { arguments, rules: &terms.rules, store: &store, identities: None, cluster: None, also };
    let (plan, _) = planner.make(scan, streams).await?;
    let target = confirm::Target { cluster: None, store: &store, context: &terms.context, guard: None };
    apply::run(arguments, plan, &target, streams, now).await
}

/// Reads everything that a plan rests on but storage.
pub(crate) fn read(
    planning: &Planning<'_>,
    others: OtherClusters,
    retention: Option<Arc<Retention>>,
    streams: &mut Streams,
    now: Timestamp,
) -> Result<(Scan, Terms), Error> {
    let what = planning.what;
    let request = LoadRequest {
        paths: &what.from.files,
        recursive: what.from.recursive,
        version: what.controller.argo_version,
        controller_namespace: what.controllers.controller_namespace.as_deref(),
        namespace: planning.kube.one_namespace(),
    };
    let Loaded { context, mut gathering, pins, workflows, allowed, .. } =
        load(&request, &mut *streams.input, now)?;
    gathering.references.absorb(others.references);
    tell_controllers(&context.controllers, streams);
    let selection = planning.selection(planning.kube.namespaces(), now);
    let terms = Terms {
        context: Arc::new(context),
        rules: Rules { retention, elsewhere: others.guarded, ..planning.rules(allowed, now) },
        pins,
        named: planning.names.to_vec(),
        selects: Box::new(move |workflow| selection.refusal(workflow)),
        tells: false,
        endangers: false,
        logins: false,
        asked: planning.asked.clone(),
    };
    let mut scan = Scan::under(&terms.rules, gathering, Vec::new());
    workflows.iter().try_for_each(|text| scan.workflow(text, &terms))?;
    scan.ensure_found(planning.names)?;
    if let Some(policy) = &terms.rules.retention {
        warn_of_idle(&scan, policy, None, streams);
    }
    Ok((scan, terms))
}
