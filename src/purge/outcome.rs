//! What became of each planned object, of each workflow, and of the whole run.

use argo_gc_core::model::bucket::Bucket;
use argo_gc_core::model::protection::Protection;
use argo_gc_core::plan::planned::{PlannedObject, PlannedWorkflow};
use argo_gc_store::types::Outcome;
use std::collections::BTreeMap;

/// What became of one planned object.
#[derive(Debug, Clone)]
pub struct Settled {
    pub object: PlannedObject,
    pub fate: ObjectOutcome,
    /// It was looked for after its delete, and nothing is at its key, no newer object either.
    pub vacant: bool,
    /// A listing showed it just before its delete, so one that leaves it out shows that it is gone.
    pub listed: bool,
}

impl Settled {
    /// What nobody looked for yet.
    pub fn new(object: PlannedObject, fate: ObjectOutcome) -> Self {
        Self { object, fate, vacant: false, listed: false }
    }
}

/// Why an object is gone, or still there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectOutcome {
    Deleted,
    /// Somebody else had deleted it.
    Gone,
    /// An earlier part of this run deleted it.
    DeletedBefore,
    Kept(Protection, String),
    Failed(String),
    /// The user stopped the run first.
    NotReached,
    /// It was deleted, and still exists.
    StillThere,
    /// It is marked, and a later run deletes it.
    Marked,
    /// It could not be marked.
    NotMarked(String),
    /// The user stopped the run before it was marked.
    MarkNotReached,
}

impl ObjectOutcome {
    /// Whether the user stopped the run before it.
    pub fn is_unreached(&self) -> bool {
        matches!(self, Self::NotReached | Self::MarkNotReached)
    }

    /// Whether the planned generation is no longer there.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Deleted | Self::Gone | Self::DeletedBefore)
    }
}

/// What became of one workflow's objects, and what was done to the workflow after.
#[derive(Debug, Clone)]
pub struct WorkflowTally {
    /// Without its objects.
    pub plan: PlannedWorkflow,
    pub objects: Vec<Settled>,
    /// Marks that were lifted.
    pub lifted: u64,
    /// Marks that were to be lifted and are still there.
    pub unlifted: u64,
    pub settlement: WorkflowUpdate,
}

/// What became of a plan.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    pub deleted: u64,
    /// Bytes deleted by us, by bucket.
    pub bytes: BTreeMap<Bucket, u64>,
    /// Somebody else had deleted them.
    pub gone: u64,
    /// An earlier part of this run deleted them, and this one saw that they are gone.
    pub before: u64,
    /// To be deleted, and still there.
    pub left: u64,
    /// Of these, the ones that something keeps which appeared or changed since the plan was made.
    pub stopped: u64,
    pub marked: u64,
    /// Bytes that were marked.
    pub marked_bytes: u64,
    /// To be marked, and not marked.
    pub unmarked: u64,
    /// Marks that were lifted.
    pub lifted: u64,
    /// Marks that were to be lifted and are still there.
    pub unlifted: u64,
    pub reached: u64,
    pub recorded: u64,
    pub finalizers: u64,
    /// Artifacts that are absent, without a record of their deletion.
    pub unproved: u64,
    /// Finalizers that were to be released and are still there.
    pub unreleased: u64,
    /// Workflows that keep their finalizer, and in which nothing can be recorded.
    pub stranded: u64,
}

impl Tally {
    /// Whether every object and every mark of the plan is as it was to be.
    pub fn is_complete(&self) -> bool {
        [self.left, self.unmarked, self.unlifted].into_iter().all(|count| count == 0)
    }

    /// Counts a workflow in.
    pub(crate) fn add(&mut self, workflow: &WorkflowTally) {
        for Settled { object, fate, .. } in &workflow.objects {
            let reached = !fate.is_unreached() && *fate != ObjectOutcome::DeletedBefore;
            self.reached += u64::from(reached);
            match fate {
                ObjectOutcome::Deleted => {
                    self.deleted += 1;
                    *self.bytes.entry(object.bucket.clone()).or_default() += object.size;
                }
                ObjectOutcome::Gone => self.gone += 1,
                ObjectOutcome::DeletedBefore => self.before += 1,
                ObjectOutcome::Marked => {
                    self.marked += 1;
                    self.marked_bytes += object.size;
                }
                ObjectOutcome::NotMarked(_) | ObjectOutcome::MarkNotReached => self.unmarked += 1,
                _ => self.left += 1,
            }
            if let ObjectOutcome::Kept(Protection::Changed | Protection::Referenced | Protection::Pinned, _) =
                fate
            {
                self.stopped += 1;
            }
        }
        self.lifted += workflow.lifted;
        self.unlifted += workflow.unlifted;
        self.recorded += workflow.settlement.recorded;
        self.finalizers += u64::from(workflow.settlement.finalizer_released);
        let WorkflowUpdate { finalizer_released, finalizer_absent, .. } = workflow.settlement;
        let owed = workflow.plan.release_finalizer && !finalizer_absent;
        self.unreleased += u64::from(owed && !finalizer_released);
        self.unproved += workflow.settlement.unproved;
        self.stranded += u64::from(workflow.settlement.stranded);
    }
}

/// What an outcome means for the plan.
pub fn fate(outcome: Outcome) -> ObjectOutcome {
    match outcome {
        Outcome::Deleted => ObjectOutcome::Deleted,
        Outcome::Gone => ObjectOutcome::Gone,
        Outcome::Changed => ObjectOutcome::Kept(Protection::ChangedObject, String::new()),
        Outcome::Held(detail) => ObjectOutcome::Kept(Protection::Held, detail),
        Outcome::Denied(detail) => ObjectOutcome::Kept(Protection::Denied, detail),
        Outcome::Failed(detail) => ObjectOutcome::Failed(detail),
        // Whoever withheld it knows why.
        Outcome::Withheld => ObjectOutcome::NotReached,
    }
}

/// What was done to a workflow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkflowUpdate {
    pub recorded: u64,
    pub finalizer_released: bool,
    /// It has no finalizer, or is gone itself.
    pub finalizer_absent: bool,
    /// Artifacts that are absent, although neither Argo nor this run recorded their deletion, and nobody accepted that.
    pub unproved: u64,
    /// It keeps its finalizer, and nothing could be recorded in it, as its nodes are offloaded or compressed.
    pub stranded: bool,
    /// What was left undone, and why.
    pub notes: Vec<String>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// An interrupt after the deletes takes nothing back of them.
    #[test]
    fn marks_that_were_not_reached_are_no_objects_that_are_left() {
        let object: PlannedObject = serde_json::from_value(serde_json::json!({
            "bucket": "gs://b", "key": "k", "generation": "1", "size": 1, "created": null, "artifact": "a", "nodeId": "n",
        }))
        .unwrap();
        let fates = [ObjectOutcome::Deleted, ObjectOutcome::MarkNotReached, ObjectOutcome::MarkNotReached];
        let objects = fates.map(|fate| Settled::new(object.clone(), fate)).to_vec();
        let plan = PlannedWorkflow::default();
        let settlement = WorkflowUpdate::default();
        let mut tally = Tally::default();
        tally.add(&WorkflowTally { plan, objects, lifted: 0, unlifted: 0, settlement });
        assert_eq!((tally.deleted, tally.left, tally.unmarked, tally.reached), (1, 0, 2, 1));
        assert!(!tally.is_complete());
    }
}
