//! What a retention policy learns from every workflow that is read, whether it is selected or not.

use argo_gc_core::argo::workflow::Workflow;
use argo_gc_core::plan::retention::hits::Hits;
use argo_gc_core::plan::retention::newest::Newest;
use argo_gc_core::plan::retention::series::Series;
use argo_gc_core::plan::retention::{Retention, Run};
use jiff::Timestamp;

/// What it learns from one page, or one file.
#[derive(Default)]
pub(crate) struct Counted {
    /// The runs that take a place in their series.
    finished: Vec<FinishedRun>,
    /// The overrides and pins that were for some run.
    hits: Hits,
}

/// A run that takes a place in its series.
struct FinishedRun {
    series: Series,
    end: Timestamp,
    /// The UID, or namespace and name if there is none.
    identity: String,
}

impl Counted {
    /// Takes one workflow in; `pinned` if something other than the policy keeps it.
    pub fn workflow(
        &mut self,
        workflow: &Workflow,
        run: &Run,
        pinned: bool,
        policy: &Retention,
        now: Timestamp,
    ) {
        policy.hit(run, &mut self.hits);
        // What a pin keeps anyway, or is archived only, takes no other's place.
        let end = run.finished(now).filter(|_| !pinned && !policy.pins(run));
        let meta = &workflow.metadata;
        let identity = || match meta.uid.is_empty() {
            true => format!("{}/{}", meta.namespace, meta.name),
            false => meta.uid.clone(),
        };
        self.finished.extend(end.map(|end| FinishedRun { series: run.series(), end, identity: identity() }));
    }

    /// Counts the runs of the page. Returns what else it learned.
    pub fn count(self, newest: &mut Newest) -> Hits {
        for FinishedRun { series, end, identity } in self.finished {
            newest.count(series, end, identity);
        }
        self.hits
    }
}
