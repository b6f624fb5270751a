//! Carrying out a plan: per workflow a fresh look, per object a pinned delete, then verification.

use crate::cluster::client::Cluster;
use crate::cluster::references::template_of;
use crate::error::Error;
use crate::interrupt::Stop;
use crate::purge::guard::{Guard, PATIENCE};
use crate::purge::journal::{Journal, JournalReplay, Line};
use crate::purge::outcome::{ObjectOutcome, Settled, Tally, WorkflowTally, WorkflowUpdate, fate};
use crate::purge::plan_file::Plan;
use crate::purge::recheck::{difference, rerun};
use crate::purge::record::{Proof, announce, settle};
use crate::scan::lookup;
use crate::scan::lookup::Spot;
use argo_gc_core::argo::workflow::Workflow;
use argo_gc_core::model::context::Context;
use argo_gc_core::model::protection::Protection;
use argo_gc_core::plan::planned::{PlannedObject, PlannedWorkflow};
use argo_gc_core::plan::sharing::{Sharer, Sharing};
use argo_gc_store::store::Store;
use argo_gc_store::types::{Depth, Outcome};
use futures::stream;
use futures::stream::{FuturesOrdered, StreamExt};
use jiff::Timestamp;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::time::sleep;

/// What a workflow counts for, by its objects. As many workflows of few objects as there may be requests are under way
/// at a time, and an eighth of that of many.
const SHARE: (usize, usize) = (8, 64);

/// Workflows that are read or written at a time: each may be large, and the API server is others', too.
const READ: usize = 16;

/// After so many objects their workflow is looked at again.
const BATCH: usize = 500;

/// How often a delete that was withheld is asked for again.
const TRIES: usize = 10;

/// What the plan says of all its workflows.
struct Terms<'a> {
    made: Timestamp,
    sharing: &'a Sharing,
}

impl<'a> Terms<'a> {
    fn of(plan: &'a Plan) -> Self {
        Self { made: plan.head.created_at, sharing: &plan.tail.sharing }
    }
}

/// What is known of a workflow since its last re-check.
#[derive(Default)]
struct Checked {
    /// The templates that it was made from.
    templates: Vec<(String, String)>,
    /// The workflows that keep what they share, by UID.
    rerun: HashMap<String, String>,
}

/// What carries a plan out.
pub struct Executor<'a> {
    pub store: &'a Store,
    /// None when the plan is of files.
    pub cluster: Option<&'a Cluster>,
    /// None when the plan is of files.
    pub guard: Option<&'a Guard>,
    pub journal: &'a Journal,
    /// Requests at a time.
    pub concurrency: usize,
    pub stop: &'a Stop,
    pub context: &'a Context,
    /// Mark artifacts whose objects are gone `deleted: true` in their workflow, as the controller does.
    pub record: bool,
    /// What the plan found absent counts as deleted, although no record says so.
    pub accept_absent: bool,
    /// The journal of the run that goes on; none for a new run.
    pub earlier: Option<&'a JournalReplay>,
    /// Hears how many objects are settled.
    pub progress: &'a (dyn Fn(u64) + Sync),
}

impl Executor<'_> {
    /// Deletes what the plan says, as far as everything is still as it was, verifies it, and settles each
    /// workflow; `each` hears of every one.
    ///
    /// # Errors
    /// The journal can't be written, or the plan not be read. What was deleted until then stands in the journal.
    pub async fn run(
        &self,
        plan: &Plan,
        each: &mut (dyn FnMut(&WorkflowTally) -> Result<(), Error> + Send),
    ) -> Result<Tally, Error> {
        let settled = Mutex::new(0_u64);
        let count = || {
            let mut settled = settled.lock().unwrap_or_else(PoisonError::into_inner);
            *settled += 1;
            (self.progress)(*settled);
        };
        let count = &count;
        let (terms, turns) = (&Terms::of(plan), &Semaphore::new(READ));
        let mut workflows = plan.workflows()?;
        let (mut running, mut room) = (FuturesOrdered::new(), SHARE.0 * self.concurrency.max(1));
        let mut tally = Tally::default();
        let mut failure = None;
        loop {
            while room > 0 && failure.is_none() {
                let Some(plan) = workflows.next() else { break };
                let share =
                    plan.as_ref().map_or(0, |plan| plan.delete.len()).clamp(SHARE.0, SHARE.1).min(room);
                room -= share;
                running.push_back(async move {
                    let workflow = match plan {
                        Ok(plan) => self.whole(plan, terms, turns, count).await,
                        Err(error) => Err(error),
                    };
                    (share, workflow)
                });
            }
            let Some((share, workflow)) = running.next().await else { break };
            room += share;
            let told = workflow.and_then(|workflow| {
                tally.add(&workflow);
                each(&workflow)
            });
            // The others in flight are finished: their outcomes are to be told too.
            if let Err(error) = told {
                self.stop.asked.store(true, Ordering::SeqCst);
                failure = failure.or(Some(error));
            }
        }
        drop(running);
        match failure {
            Some(error) => Err(error),
            None => Ok(tally),
        }
    }

    /// One workflow, from the first look to the last.
    async fn whole(
        &self,
        mut plan: PlannedWorkflow,
        terms: &Terms<'_>,
        turns: &Semaphore,
        count: &(dyn Fn() + Sync),
    ) -> Result<WorkflowTally, Error> {
        let objects = std::mem::take(&mut plan.delete);
        let gone = std::mem::take(&mut plan.gone);
        let (mut objects, checked) = self.workflow(&plan, objects, (terms, turns), count).await?;
        let before = |object| Settled { object, fate: ObjectOutcome::DeletedBefore, vacant: false };
        objects.extend(gone.into_iter().map(before));
        self.verify(&mut objects).await?;
        let _turn = turns.acquire().await;
        let settlement = self.settle(&plan, &objects, &checked).await?;
        Ok(WorkflowTally { plan, objects, settlement })
    }

    /// Settles a workflow of which something is gone, or whose finalizer is to go.
    async fn settle(
        &self,
        plan: &PlannedWorkflow,
        objects: &[Settled],
        checked: &Checked,
    ) -> Result<WorkflowUpdate, Error> {
        // The archive is not to be written to.
        let Some(cluster) = self.cluster.filter(|_| !plan.orphans && !plan.archived) else {
            return Ok(WorkflowUpdate::default());
        };
        let gone = || objects.iter().filter(|settled| settled.fate.is_gone());
        let accepted: &[String] = if self.accept_absent { &plan.absent } else { &[] };
        let due = self.record && (gone().next().is_some() || !accepted.is_empty()) || plan.release_finalizer;
        // A workflow without objects is not begun once the user asked to stop.
        let unbegun = objects.is_empty() && self.stop.is_asked();
        if !due || unbegun || objects.iter().any(|settled| settled.fate == ObjectOutcome::NotReached) {
            return Ok(WorkflowUpdate::default());
        }
        let place = |Settled { object, .. }: &'_ Settled| (object.bucket.clone(), object.key.clone());
        let proof = Proof {
            vacant: objects.iter().filter(|settled| settled.vacant).map(place).collect(),
            gone: gone().map(place).collect(),
            accepted: accepted.iter().map(String::as_str).collect(),
        };
        let kept = self.keep_finalizer(plan, checked).await;
        let plan = &match kept {
            None => Cow::Borrowed(plan),
            Some(_) => Cow::Owned(PlannedWorkflow { release_finalizer: false, ..plan.clone() }),
        };
        let settled = settle(plan, &proof, self.record, (cluster, self.store), self.context).await;
        let by_us = |settled: &&Settled| settled.fate != ObjectOutcome::Gone;
        let (gone, by_us) = (proof.gone.len(), gone().filter(by_us).count());
        let mut settlement = settled.unwrap_or_else(|error| WorkflowUpdate {
            notes: vec![match gone {
                0 => format!("it was left as it is: {}", error.brief()),
                _ => format!("its objects are deleted, but that could not be recorded: {}", error.brief()),
            }],
            ..WorkflowUpdate::default()
        });
        settlement.notes.extend(kept.map(|why| format!("the finalizer is kept: {why}")));
        if settlement.recorded > 0 || settlement.finalizer_released {
            self.journal.write(&Line::Workflow {
                namespace: plan.namespace.clone(),
                name: plan.name.clone(),
                uid: plan.uid.clone(),
                recorded: settlement.recorded,
                finalizer_released: settlement.finalizer_released,
            })?;
        }
        if gone > 0 || settlement.finalizer_released {
            announce(plan, by_us, &settlement, cluster, self.context.now).await;
        }
        Ok(settlement)
    }

    /// Why a finalizer that was to go is kept: the guard is asked once more, after the last delete.
    async fn keep_finalizer(&self, plan: &PlannedWorkflow, checked: &Checked) -> Option<String> {
        let guard = self.guard.filter(|_| plan.release_finalizer)?;
        if let Err(fate) = self.wait(guard).await {
            return Some(match fate {
                ObjectOutcome::Failed(why) => why,
                _ => "the run was interrupted".to_owned(),
            });
        }
        guard.of_workflow(plan, &checked.templates).map(|(protection, detail)| match protection {
            Protection::Pinned => format!("it was pinned {detail}"),
            _ => detail,
        })
    }

    async fn workflow(
        &self,
        plan: &PlannedWorkflow,
        objects: Vec<PlannedObject>,
        (terms, turns): (&Terms<'_>, &Semaphore),
        count: &(dyn Fn() + Sync),
    ) -> Result<(Vec<Settled>, Checked), Error> {
        let all = |objects: Vec<PlannedObject>, fate: ObjectOutcome| {
            objects.into_iter().map(move |object| Settled { object, fate: fate.clone(), vacant: false })
        };
        let mut settled = Vec::with_capacity(objects.len());
        let mut rest = objects.into_iter();
        let mut checked = Checked::default();
        if rest.len() == 0 && plan.release_finalizer {
            // Nothing is deleted, but what the finalizer's release rests on is the same.
            let _ = self.recheck(plan, &mut checked).await;
        }
        loop {
            let batch: Vec<PlannedObject> = rest.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                break;
            }
            // Thousands of deletes take their time, and a retry may come between any two of them.
            let turn = turns.acquire().await;
            let obstacle = self.obstacle(plan, &batch, terms, &mut checked).await;
            drop(turn);
            match obstacle {
                Ok(()) => settled.extend(self.batch(plan, batch, (terms, &checked), count).await?),
                Err(fate) => {
                    settled.extend(all(batch, fate.clone()));
                    settled.extend(all(rest.collect(), fate));
                    break;
                }
            }
        }
        Ok((settled, checked))
    }

    /// What keeps a batch of a workflow's objects as a whole; else it is noted what keeps only some of them.
    async fn obstacle(
        &self,
        plan: &PlannedWorkflow,
        batch: &[PlannedObject],
        terms: &Terms<'_>,
        checked: &mut Checked,
    ) -> Result<(), ObjectOutcome> {
        if self.stop.is_asked() {
            return Err(ObjectOutcome::NotReached);
        }
        let unread = |what: &str, error: Error| {
            ObjectOutcome::Failed(format!("{what} can't be read: {}", error.brief()))
        };
        match self.recheck(plan, checked).await {
            Ok(None) => {}
            Ok(Some(why)) => return Err(ObjectOutcome::Kept(Protection::Changed, why)),
            Err(error) => return Err(unread("its workflow", error)),
        }
        let kept = self.guard.and_then(|guard| guard.of_workflow(plan, &checked.templates));
        if let Some((protection, detail)) = kept {
            return Err(ObjectOutcome::Kept(protection, detail));
        }
        let sharers = self.sharers(batch, terms).await;
        checked.rerun = sharers.map_err(|error| unread("a workflow it is shared with", error))?;
        Ok(())
    }

    async fn batch(
        &self,
        plan: &PlannedWorkflow,
        objects: Vec<PlannedObject>,
        (terms, checked): (&Terms<'_>, &Checked),
        count: &(dyn Fn() + Sync),
    ) -> Result<Vec<Settled>, Error> {
        let rerun = &checked.rerun;
        let deletes = objects.into_iter().map(|object| async move {
            let sharers =
                if rerun.is_empty() { Vec::new() } else { terms.sharing.members(object.shared_with) };
            let fate = match sharers.into_iter().find_map(|sharer| rerun.get(&sharer.uid)) {
                Some(why) => ObjectOutcome::Kept(Protection::Changed, why.clone()),
                None => self.object(plan, &object, checked).await?,
            };
            count();
            Ok(Settled { object, fate, vacant: false })
        });
        let done: Vec<Result<Settled, Error>> =
            stream::iter(deletes).buffered(self.concurrency.max(1)).collect().await;
        done.into_iter().collect()
    }

    /// Why the workflow is no longer the one that was planned for; none when it is.
    async fn recheck(&self, plan: &PlannedWorkflow, checked: &mut Checked) -> Result<Option<String>, Error> {
        // Orphans have no workflow; that none refers to them was looked up again just before.
        let Some(cluster) = self.cluster.filter(|_| !plan.orphans) else { return Ok(None) };
        let live = cluster.workflow(&plan.namespace, &plan.name).await?;
        if plan.archived {
            // A retry from the archive brings the workflow back by its name.
            return Ok(live.map(|_| "there is a workflow of its name again".to_owned()));
        }
        let Some(text) = live else { return Ok(Some("it was deleted".to_owned())) };
        let workflow: Workflow = serde_json::from_slice(&text).map_err(Error::new)?;
        checked.templates = template_of(&workflow);
        Ok(difference(plan, &workflow))
    }

    /// Which workflows that share objects run, or ran, since the plan was made.
    async fn sharers(
        &self,
        objects: &[PlannedObject],
        Terms { made, sharing }: &Terms<'_>,
    ) -> Result<HashMap<String, String>, Error> {
        let mut rerun_since = HashMap::new();
        let Some(cluster) = self.cluster else { return Ok(rerun_since) };
        let sets: HashSet<Option<u32>> = objects.iter().map(|object| object.shared_with).collect();
        let sharers: HashSet<&Sharer> = sets.into_iter().flat_map(|set| sharing.members(set)).collect();
        for Sharer { namespace, name, uid } in sharers {
            let Some(text) = cluster.workflow(namespace, name).await? else { continue };
            let workflow: Workflow = serde_json::from_slice(&text).map_err(Error::new)?;
            if workflow.metadata.uid == *uid
                && let Some(why) = rerun(&workflow, *made)
            {
                rerun_since.insert(uid.clone(), format!("it is shared with {namespace}/{name}: {why}"));
            }
        }
        Ok(rerun_since)
    }

    /// Waits until the guard knows everything that happened until now.
    async fn wait(&self, guard: &Guard) -> Result<(), ObjectOutcome> {
        let began = Instant::now();
        while !guard.is_current() {
            if self.stop.is_asked() {
                return Err(ObjectOutcome::NotReached);
            }
            if guard.is_lost() || began.elapsed() > PATIENCE {
                guard.lose();
                let why = guard.trouble();
                return Err(ObjectOutcome::Failed(format!("what needs it by now is unknown: {why}")));
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// What keeps an object by now.
    async fn objection(
        &self,
        plan: &PlannedWorkflow,
        object: &PlannedObject,
        checked: &Checked,
    ) -> Result<(), ObjectOutcome> {
        if self.stop.is_asked() {
            return Err(ObjectOutcome::NotReached);
        }
        let Some(guard) = self.guard else { return Ok(()) };
        self.wait(guard).await?;
        match guard.of_object(plan, &checked.templates, object) {
            Some((protection, detail)) => Err(ObjectOutcome::Kept(protection, detail)),
            None => Ok(()),
        }
    }

    async fn object(
        &self,
        plan: &PlannedWorkflow,
        object: &PlannedObject,
        checked: &Checked,
    ) -> Result<ObjectOutcome, Error> {
        if let Err(fate) = self.objection(plan, object, checked).await {
            return Ok(fate);
        }
        let PlannedObject { bucket, key, generation, .. } = object;
        self.journal.intend(object)?;
        // Between here and the request there may be a wait for its turn, or for another try.
        let guard = self.guard;
        let gate = || {
            guard.is_none_or(|guard| {
                guard.is_current() && guard.of_object(plan, &checked.templates, object).is_none()
            })
        };
        let mut outcome = Outcome::Withheld;
        let mut kept = None;
        for _ in 0..TRIES {
            outcome = self.store.delete_if(bucket, key, generation, &gate).await;
            if outcome != Outcome::Withheld {
                break;
            }
            kept = self.objection(plan, object, checked).await.err();
            if kept.is_some() {
                break;
            }
        }
        if outcome == Outcome::Withheld {
            // A run that goes on later asks again.
            outcome = Outcome::Failed("it was withheld when its turn came".to_owned());
        }
        self.journal.settle(object, outcome.clone())?;
        Ok(kept.unwrap_or_else(|| match fate(outcome) {
            // The delete that nobody wrote the outcome of came through.
            ObjectOutcome::Gone if self.earlier.is_some_and(|earlier| earlier.was_sent(object)) => {
                ObjectOutcome::DeletedBefore
            }
            fate => fate,
        }))
    }

    /// Looks whether what was deleted is really gone.
    async fn verify(&self, settled: &mut [Settled]) -> Result<(), Error> {
        let deleted = settled.iter().enumerate();
        let is_ours =
            |fate: &ObjectOutcome| matches!(fate, ObjectOutcome::Deleted | ObjectOutcome::DeletedBefore);
        let deleted = deleted.filter(|(_, settled)| is_ours(&settled.fate));
        let (numbers, spots): (Vec<usize>, Vec<Spot>) =
            deleted.map(|(at, settled)| (at, Spot::planned(&settled.object))).unzip();
        let left = lookup::objects(self.store, &spots, Depth::Listed).await;
        drop(spots);
        for (at, left) in numbers.into_iter().zip(left) {
            let Settled { object, fate, vacant } = &mut settled[at];
            match left {
                Ok(left) if left.iter().any(|left| *left.generation == *object.generation) => {
                    *fate = ObjectOutcome::StillThere;
                }
                Ok(left) => *vacant = left.is_empty(),
                Err(error) => *fate = ObjectOutcome::Failed(format!("deleted, but not verified: {error}")),
            }
            // A run that goes on later must not take the storage's word for it.
            let why = match fate {
                ObjectOutcome::StillThere => "deleted, but it is still there".to_owned(),
                ObjectOutcome::Failed(why) => why.clone(),
                _ => continue,
            };
            self.journal.settle(object, Outcome::Failed(why))?;
        }
        Ok(())
    }
}
