//! What applies to every workflow of a gathering.

use crate::cluster::references::template_of;
use crate::cluster::referrers::Pins;
use crate::scan::selection::Name;
use argo_gc_core::argo::names;
use argo_gc_core::argo::workflow::Workflow;
use argo_gc_core::assess::waiting::PENDING;
use argo_gc_core::model::context::Context;
use argo_gc_core::plan::choice::Unselected;
use argo_gc_core::plan::kubeflow;
use argo_gc_core::plan::located::Asked;
use argo_gc_core::plan::retention::Filter;
use argo_gc_core::plan::rules::Rules;
use argo_gc_core::plan::select::Circumstances;
use std::sync::Arc;

/// Returns why a workflow is not selected; none if it is.
pub type Selects = Box<dyn Fn(&Workflow) -> Option<Unselected> + Send + Sync>;

/// What applies to every workflow of a gathering.
pub struct Terms {
    pub context: Arc<Context>,
    pub rules: Rules,
    pub pins: Pins,
    /// Names the user gave.
    pub named: Vec<Name>,
    pub selects: Selects,
    /// Whether what everything refers to is gathered in plain words too.
    pub tells: bool,
    /// Whether only that is gathered by which artifacts are endangered.
    pub endangers: bool,
    /// Whether the accounts are gathered that the selected workflows name for their buckets.
    pub logins: bool,
    /// A place to find the artifacts of, whoever's they are.
    pub asked: Option<Asked>,
}

impl Terms {
    /// The terms of a gathering that selects nothing: only references are of interest.
    pub(crate) fn selecting_nothing(context: Context, pins: Pins) -> Self {
        let rules = Rules::none(context.now);
        Self {
            context: Arc::new(context),
            rules,
            pins,
            named: Vec::new(),
            selects: Box::new(|_| Some(Unselected::Nothing)),
            tells: false,
            endangers: false,
            logins: false,
            asked: None,
        }
    }
}

/// Where a pin keeps all of the workflow, if one does.
pub fn pinned(workflow: &Workflow, pins: &Pins) -> Option<&'static str> {
    let meta = &workflow.metadata;
    if meta.is_pinned() {
        Some("workflow")
    } else if template_of(workflow).iter().any(|template| pins.pinned_templates.contains(template)) {
        Some("template")
    } else {
        pins.pinned_namespaces.contains(&meta.namespace).then_some("namespace")
    }
}

pub(crate) fn circumstances(
    workflow: &Workflow,
    pinned: Option<&'static str>,
    terms: &Terms,
) -> Circumstances<'static> {
    let meta = &workflow.metadata;
    let pods = terms.context.related.of(&meta.namespace, &meta.name).map_or(&[][..], |of| &of.pods);
    Circumstances {
        terminal: workflow.is_terminal(),
        completed_label: meta.labels.get(names::COMPLETED).map(|value| value == "true"),
        started_at: workflow.began(),
        pinned,
        named: terms.named.iter().any(|name| name.is(&meta.namespace, &meta.name)),
        kubeflow: kubeflow::has_label(meta),
        gc_pod_at_work: pods.iter().any(|pod| {
            let done = pod.main_ended().and_then(|end| end.finished_at);
            // A sidecar may keep a pod Running whose work is over.
            let held = done.is_some_and(|end| terms.context.now.duration_since(end) > PENDING);
            matches!(pod.status.phase.as_str(), "Pending" | "Running" | "") && !held
        }),
        filter: Filter::default(),
    }
}
