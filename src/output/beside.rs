//! The metrics of an inspection, and its answer in short, kept beside the format that the user reads.

use crate::output::headline::headline;
use crate::output::prices::Prices;
use crate::output::prometheus::Metrics;
use crate::output::view::View;
use crate::output::writer::{End, FormatWriter};
use argo_gc_core::inspection::Inspection;
use argo_gc_core::model::assessment::Assessment;
use argo_gc_core::reason::Reason;
use serde_json::Value;
use std::cmp::Reverse;
use std::io;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The reasons that a short answer names.
const MOST: usize = 5;

/// Where they are left; empty until the inspection was written to its end.
#[derive(Debug, Clone, Default)]
pub struct Kept(Arc<Mutex<Left>>);

#[derive(Debug, Default)]
struct Left {
    metrics: Vec<u8>,
    answer: Answer,
}

/// The answer of an inspection in short.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    pub sentence: String,
    /// The most frequent reasons, each with its count and title.
    pub most: Vec<String>,
    /// The summary of the JSON document.
    pub sums: Value,
}

impl Kept {
    /// The metrics, in Prometheus' text format.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.left().metrics).into_owned()
    }

    pub fn answer(&self) -> Answer {
        self.left().answer.clone()
    }

    fn left(&self) -> MutexGuard<'_, Left> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers for everything that was read.
fn answer(inspection: &Inspection, prices: &Prices) -> io::Result<Answer> {
    let mut reasons: Vec<(&str, u64)> =
        inspection.summary.reasons.iter().map(|(code, count)| (*code, *count)).collect();
    reasons.sort_by_key(|(_, count)| Reverse(*count));
    let title = |code: &str| Reason::from_code(code).map_or("", |reason| reason.entry().title);
    let most = reasons.iter().take(MOST).map(|(code, count)| format!("{count} {code}: {}", title(code)));
    Ok(Answer {
        sentence: headline(inspection, prices),
        most: most.collect(),
        sums: serde_json::to_value(&inspection.summary)?,
    })
}

/// Writes an inspection in a format, and leaves its metrics and its answer elsewhere. They count everything that was read, whatever
/// the user wants to see of it.
pub struct Beside {
    format: Box<dyn FormatWriter>,
    metrics: Box<Metrics>,
    /// The view of the metrics; none before the first workflow.
    everything: Option<View>,
    kept: Kept,
}

impl Beside {
    /// The metrics and the answer are left in `kept`.
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
        {
            let mut left = kept.left();
            metrics.finish(&mut left.metrics, &everything, end)?;
            left.answer = answer(end.inspection, &everything.prices)?;
        }
        format.finish(out, view, end)
    }
}
