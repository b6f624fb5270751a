//! Makes a plan from files. No cluster is asked for what the files do not hold.

use crate::cli::purge::apply::Planner;
use crate::cli::purge::arguments::Arguments;
use crate::cli::purge::{apply, confirm};
use crate::cli::streams::Streams;
use crate::cli::warnings::tell_controllers;
use crate::error::Error;
use crate::scan::files::{LoadRequest, Loaded, load};
use crate::scan::gather::{Scan, Terms};
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
    let store = arguments.storage.open()?;
    let others = arguments.also.read(None, now)?;
    let request = LoadRequest {
        paths: &arguments.from.files,
        recursive: arguments.from.recursive,
        version: arguments.controller.argo_version,
        controller_namespace: arguments.controllers.controller_namespace.as_deref(),
        namespace: arguments.kube.namespace.as_deref(),
    };
    let Loaded { context, mut gathering, pins, workflows, allowed, .. } =
        load(&request, &mut *streams.input, now)?;
    gathering.references.absorb(others.references);
    tell_controllers(&context.controllers, streams);
    let selection = arguments.selection(arguments.kube.namespace.clone(), now);
    let terms = Terms {
        context: Arc::new(context),
        rules: Rules { retention, elsewhere: others.guarded, ..arguments.rules(allowed, now) },
        pins,
        named: arguments.names.clone(),
        selects: Box::new(move |workflow| selection.takes(workflow)),
        tells: false,
    };
    let mut scan = Scan::under(&terms.rules, gathering, Vec::new());
    workflows.iter().try_for_each(|text| scan.workflow(text, &terms))?;
    scan.ensure_found(&arguments.names)?;
    let (rules, also) = (&terms.rules, others.clusters);
    let planner = Planner { arguments, rules, store: &store, cluster: None, also };
    let plan = planner.make(scan, streams).await?;
    let target = confirm::Target { cluster: None, store: &store, context: &terms.context, guard: None };
    apply::run(arguments, plan, &target, streams, now).await
}
