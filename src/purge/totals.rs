//! Sums over a plan.

use argo_gc_core::model::protection::Protection;
use argo_gc_core::plan::planned::{KeptObject, PlannedWorkflow};
use serde::{Deserialize, Serialize};

/// Sums over a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Totals {
    pub objects: u64,
    pub bytes: u64,
    /// Workflows that lose objects.
    pub workflows: u64,
    pub kept: u64,
    pub absent: u64,
    /// Finalizers to be released.
    pub finalizers: u64,
    #[serde(flatten)]
    pub quarantine: QuarantineTotals,
}

/// Sums over what a plan puts into quarantine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QuarantineTotals {
    /// Objects to be marked.
    #[serde(skip_serializing_if = "is_zero")]
    pub to_mark: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub to_mark_bytes: u64,
    /// Objects that are marked, and whose time has not come. They are among those that are kept.
    #[serde(skip_serializing_if = "is_zero")]
    pub quarantined: u64,
    /// Marks to be lifted, and artifacts that can't be looked through for marks.
    #[serde(skip_serializing_if = "is_zero")]
    pub to_lift: u64,
}

impl Totals {
    /// Counts a workflow in; `counts` says that it loses objects and was not counted before.
    pub(crate) fn add(&mut self, workflow: &PlannedWorkflow, counts: bool) {
        let PlannedWorkflow { delete, keep, mark, lift, unread, absent, release_finalizer, .. } = workflow;
        self.objects += delete.len() as u64;
        self.bytes += workflow.bytes();
        self.workflows += u64::from(counts);
        self.kept += keep.len() as u64;
        self.absent += absent.len() as u64;
        self.finalizers += u64::from(*release_finalizer);
        let waits = |kept: &&KeptObject| kept.protection == Protection::Quarantined;
        let quarantine = &mut self.quarantine;
        quarantine.to_mark += mark.len() as u64;
        quarantine.to_mark_bytes += mark.iter().map(|object| object.size).sum::<u64>();
        quarantine.to_lift += (lift.len() + unread.len()) as u64;
        quarantine.quarantined += keep.iter().filter(waits).count() as u64;
    }

    /// The objects that are deleted or marked, and their bytes.
    pub fn touched(&self) -> (u64, u64) {
        (self.objects + self.quarantine.to_mark, self.bytes + self.quarantine.to_mark_bytes)
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}
