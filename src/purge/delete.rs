//! The deletes themselves: what the guard says just before, the journal, and the pinned requests.

use crate::error::Error;
use crate::interrupt::Stop;
use crate::purge::guard::{Guard, PATIENCE};
use crate::purge::journal::{Journal, JournalReplay};
use crate::purge::outcome::{ObjectOutcome, fate};
use argo_gc_core::model::bucket::Bucket;
use argo_gc_core::plan::planned::{PlannedObject, PlannedWorkflow};
use argo_gc_store::store::Store;
use argo_gc_store::types::{Deletion, Outcome, Pinned};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// How often a delete that was withheld is asked for again.
const TRIES: usize = 10;

/// An object to delete, and what its workflow rests on.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    pub plan: &'a PlannedWorkflow,
    /// What the workflow was made from.
    pub templates: &'a [(String, String)],
    pub object: &'a PlannedObject,
}

/// What deletes objects that were checked.
pub struct Deleter<'a> {
    pub store: &'a Store,
    /// None when the plan is of files.
    pub guard: Option<&'a Guard>,
    pub journal: &'a Journal,
    pub stop: &'a Stop,
    /// The journal of the run that continues; none for a new run.
    pub earlier: Option<&'a JournalReplay>,
}

impl Deleter<'_> {
    /// Deletes objects of one bucket, as far as nothing keeps them by now. Of each it is returned what became of it, and
    /// whether a listing showed it just before.
    ///
    /// # Errors
    /// The journal can't be written.
    pub async fn delete(
        &self,
        bucket: &Bucket,
        wanted: &[Wanted<'_>],
    ) -> Result<Vec<(ObjectOutcome, bool)>, Error> {
        let mut kept: Vec<Option<ObjectOutcome>> = Vec::with_capacity(wanted.len());
        for one in wanted {
            kept.push(self.objection(one).await.err());
        }
        let mut open: Vec<usize> = (0..wanted.len()).filter(|at| kept[*at].is_none()).collect();
        self.journal.intend(open.iter().map(|at| wanted[*at].object))?;
        let sent = open.clone();
        let withheld = Deletion { outcome: Outcome::Withheld, listed: false };
        let mut deletions = vec![withheld; wanted.len()];
        for _ in 0..TRIES {
            if open.is_empty() {
                break;
            }
            let pinned = open.iter().map(|at| wanted[*at].object);
            let pinned: Vec<Pinned> =
                pinned.map(|object| Pinned { key: &object.key, pin: &object.generation }).collect();
            // Between here and the request there may be a wait for its turn, or for another try.
            let gates = |at: usize| self.is_open(&wanted[open[at]]);
            let done = self.store.delete_together(bucket, &pinned, &gates).await;
            let mut again = Vec::new();
            for (at, deletion) in open.into_iter().zip(done) {
                if deletion.outcome == Outcome::Withheld {
                    kept[at] = self.objection(&wanted[at]).await.err();
                    if kept[at].is_none() {
                        again.push(at);
                    }
                }
                deletions[at] = deletion;
            }
            open = again;
        }
        for at in &sent {
            if deletions[*at].outcome == Outcome::Withheld {
                // A run that continues later asks again.
                let why = "it was withheld when its turn came";
                deletions[*at].outcome = Outcome::Failed(why.to_owned());
            }
        }
        let outcomes = sent.iter().map(|at| (wanted[*at].object, deletions[*at].outcome.clone()));
        self.journal.settle(outcomes)?;
        let all = wanted.iter().zip(kept).zip(deletions);
        Ok(all
            .map(|((one, kept), Deletion { outcome, listed })| {
                (kept.unwrap_or_else(|| self.fate(one.object, outcome)), listed)
            })
            .collect())
    }

    fn fate(&self, object: &PlannedObject, outcome: Outcome) -> ObjectOutcome {
        match fate(outcome) {
            // The delete that nobody wrote the outcome of came through.
            ObjectOutcome::Gone if self.earlier.is_some_and(|earlier| earlier.was_sent(object)) => {
                ObjectOutcome::DeletedBefore
            }
            fate => fate,
        }
    }

    /// Whether nothing keeps an object by now, and that is known.
    fn is_open(&self, Wanted { plan, templates, object }: &Wanted<'_>) -> bool {
        self.guard
            .is_none_or(|guard| guard.is_current() && guard.of_object(plan, templates, object).is_none())
    }

    /// Waits until the guard knows everything that happened until now.
    ///
    /// # Errors
    /// The user asked to stop, or the guard does not come to know it.
    pub async fn wait(&self, guard: &Guard) -> Result<(), ObjectOutcome> {
        let began = Instant::now();
        while !guard.is_current() {
            if self.stop.is_asked() {
                return Err(ObjectOutcome::NotReached);
            }
            if guard.is_lost() || began.elapsed() > PATIENCE {
                guard.lose();
                let why = guard.trouble();
                return Err(ObjectOutcome::Failed(format!("what needs it now is unknown: {why}")));
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// What keeps an object by now.
    ///
    /// # Errors
    /// Something does, or the user asked to stop.
    pub async fn objection(
        &self,
        Wanted { plan, templates, object }: &Wanted<'_>,
    ) -> Result<(), ObjectOutcome> {
        if self.stop.is_asked() {
            return Err(ObjectOutcome::NotReached);
        }
        let Some(guard) = self.guard else { return Ok(()) };
        self.wait(guard).await?;
        match guard.of_object(plan, templates, object) {
            Some((protection, detail)) => Err(ObjectOutcome::Kept(protection, detail)),
            None => Ok(()),
        }
    }
}
