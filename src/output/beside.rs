//! The metrics of an inspection, kept beside the format that the user reads.

use crate::output::prometheus::Metrics;
use crate::output::view::View;
use crate::output::writer::{End, FormatWriter};
use argo_gc_core::model::assessment::Assessment;
use std::io;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

/// Where the metrics are left; empty until the inspection was written to its end.
#[derive(Debug, Clone, Default)]
pub struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    /// The metrics, in Prometheus' text format.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

/// Writes an inspection in a format, and leaves its metrics elsewhere. They count everything that was read, whatever
/// the user wants to see of it.
pub struct Beside {
    format: Box<dyn FormatWriter>,
    metrics: Box<Metrics>,
    /// The view of the metrics; none before the first workflow.
    everything: Option<View>,
    kept: Kept,
}

impl Beside {
    /// The metrics are left in `kept`.
    pub fn new(format: Box<dyn FormatWriter>, kept: &Kept) -> Self {
        Self { format, metrics: Box::default(), everything: None, kept: kept.clone() }
    }
}

impl FormatWriter for Beside {
    fn unfiltered(&mut self, view: &View, assessment: &Assessment) {
        self.format.unfiltered(view, assessment);
        let everything = self.everything.get_or_insert_with(|| view.of_everything());
        self.metrics.unfiltered(everything, assessment);
    }

    fn workflow(&mut self, out: &mut dyn Write, view: &View, shown: &Assessment) -> io::Result<()> {
        self.format.workflow(out, view, shown)
    }

    fn finish(self: Box<Self>, out: &mut dyn Write, view: &View, end: &End<'_>) -> io::Result<()> {
        let Self { format, metrics, everything, kept } = *self;
        let everything = everything.unwrap_or_else(|| view.of_everything());
        let mut text = kept.0.lock().unwrap_or_else(PoisonError::into_inner);
        metrics.finish(&mut *text, &everything, end)?;
        format.finish(out, view, end)
    }
}
