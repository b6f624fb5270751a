//! Makes a plan from files. No cluster is asked for what the files do not hold.

use crate::cli::purge::apply::Planner;
use crate::cli::purge::arguments::Arguments;
use crate::cli::purge::{apply, confirm};
use crate::cli::streams::Streams;
use crate::error::Error;
use crate::scan::files::{Loaded, load};
use crate::scan::gather::{Scan, Terms};
use argo_gc_core::argo::workflow::Workflow;
use argo_gc_core::plan::retention::Retention;
use argo_gc_core::plan::rules::{Allowed, Rules};
use jiff::Timestamp;
use std::sync::Arc;

pub(crate) async fn run(
    arguments: &Arguments,
    retention: Option<Arc<Retention>>,
    streams: &mut Streams,
    now: Timestamp,
) -> Result<u8, Error> {
    let store = arguments.storage.open()?;
    let Loaded { context, gathering, pins, workflows, .. } = load(
        &arguments.from.files,
        arguments.from.recursive,
        arguments.controller.argo_version,
        &mut *streams.input,
        now,
    )?;
    let allowed = match arguments.storage.store_root {
        Some(_) => Allowed::everywhere(),
        None => Allowed::default(),
    };
    let rules = Rules { retention, ..arguments.rules(allowed, now) };
    let selection = arguments.selection(arguments.kube.namespace.clone(), now);
    let selects = |workflow: &Workflow| selection.takes(workflow);
    let terms =
        Terms { context: &context, rules: &rules, beside: &pins, named: &arguments.names, selects: &selects };
    let mut whole = Scan::under(&rules, gathering, Vec::new());
    workflows.iter().try_for_each(|text| whole.workflow(text, &terms))?;
    whole.ensure_found(&arguments.names)?;
    let planner = Planner { arguments, rules: &rules, store: &store, cluster: None };
    let plan = planner.make(whole, streams).await?;
    let target = confirm::Target { cluster: None, store: &store, context: &context };
    apply::run(arguments, plan, &target, streams, now).await
}
