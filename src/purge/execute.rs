//! Carrying out a plan: per workflow a fresh look, per object a pinned delete, then verification.

use crate::cluster::client::Cluster;
use crate::cluster::references::template_of;
use crate::error::Error;
use crate::interrupt::Stop;
use crate::progress::Stage;
use crate::purge::delete::{Deleter, Wanted};
use crate::purge::group::{Checked, Groups, Together, Work};
use crate::purge::guard::Guard;
use crate::purge::journal::{Journal, JournalReplay, Line};
use crate::purge::outcome::{ObjectOutcome, Settled, Tally, WorkflowTally, WorkflowUpdate};
use crate::purge::plan_file::Plan;
use crate::purge::quarantine::{Lifting, Marker, no_longer_over, not_looked_through};
use crate::purge::recheck::{difference, rerun};
use crate::purge::record::{Proof, announce, settle};
use crate::scan::lookup;
use crate::scan::lookup::Spot;
use argo_gc_core::argo::workflow::Workflow;
use argo_gc_core::model::bucket::Bucket;
use argo_gc_core::model::context::Context;
use argo_gc_core::model::protection::Protection;
use argo_gc_core::plan::planned::{PlannedObject, PlannedWorkflow};
use argo_gc_core::plan::quarantine::Quarantine;
use argo_gc_core::plan::sharing::{Sharer, Sharing};
use argo_gc_store::store::Store;
use argo_gc_store::types::{Depth, Outcome, Reach};
use futures::future::{BoxFuture, join_all};
use futures::stream::{FuturesOrdered, StreamExt};
use futures::{FutureExt, stream};
use jiff::{SignedDuration, Timestamp};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::Ordering;
use tokio::sync::Semaphore;

/// What a workflow counts for, by its objects. As many workflows of few objects as there may be requests are under way
/// at a time, and an eighth of that of many.
const SHARE: (usize, usize) = (8, 64);

/// Workflows that are read or written at a time: each may be large, and the API server is others', too.
const READ: usize = 16;

/// What the plan says of all its workflows.
struct Terms<'a> {
    made: Timestamp,
    sharing: &'a Sharing,
    /// How long objects stay marked before they are deleted.
    quarantine: Option<SignedDuration>,
}

impl<'a> Terms<'a> {
    fn of(plan: &'a Plan) -> Self {
        let seconds = plan.head.quarantine_seconds.map(|seconds| i64::try_from(seconds).unwrap_or(i64::MAX));
        let quarantine = seconds.map(SignedDuration::from_secs);
        Self { made: plan.head.created_at, sharing: &plan.tail.sharing, quarantine }
    }
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
    /// The journal of the run that continues; none for a new run.
    pub earlier: Option<&'a JournalReplay>,
    /// Told of each object that is settled.
    pub stage: &'a Stage,
}

impl Executor<'_> {
    /// Deletes what the plan says, as far as everything is still as it was, verifies it, and settles each
    /// workflow; `each` sees every one.
    ///
    /// # Errors
    /// The journal can't be written, or the plan not be read. What was deleted until then is in the journal.
    pub async fn run(
        &self,
        plan: &Plan,
        each: &mut (dyn FnMut(&WorkflowTally) -> Result<(), Error> + Send),
    ) -> Result<Tally, Error> {
        let together = &self.together(plan).await;
        let (terms, turns) = (&Terms::of(plan), &Semaphore::new(READ));
        let mut groups = Groups::of(plan.workflows()?, together);
        let (mut running, mut room) = (FuturesOrdered::new(), SHARE.0 * self.concurrency.max(1));
        let mut tally = Tally::default();
        let mut failure = None;
        loop {
            while room > 0 && failure.is_none() {
                let Some(group) = groups.next() else { break };
                let objects =
                    |group: &Vec<PlannedWorkflow>| group.iter().map(|plan| plan.touched().count()).sum();
                let objects: usize = group.as_ref().map_or(0, objects);
                let share = objects.clamp(SHARE.0, SHARE.1).min(room);
                room -= share;
                running.push_back(async move {
                    let group = match group {
                        Ok(group) => self.whole(group, (terms, together), turns).await,
                        Err(error) => Err(error),
                    };
                    (share, group)
                });
            }
            let Some((share, group)) = running.next().await else { break };
            room += share;
            let told = group.and_then(|group| {
                group.iter().try_for_each(|workflow| {
                    tally.add(workflow);
                    each(workflow)
                })
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

    /// How many objects of each bucket of the plan are deleted together.
    async fn together(&self, plan: &Plan) -> Together {
        let mut together = Together::default();
        for facts in &plan.tail.buckets {
            together.0.insert(facts.bucket.clone(), self.store.together(&facts.bucket).await);
        }
        together
    }

    fn deleter(&self) -> Deleter<'_> {
        let Self { store, guard, journal, stop, earlier, .. } = *self;
        Deleter { store, guard, journal, stop, earlier }
    }

    /// The workflows of a group, from the first look to the last.
    async fn whole(
        &self,
        group: Vec<PlannedWorkflow>,
        (terms, together): (&Terms<'_>, &Together),
        turns: &Semaphore,
    ) -> Result<Vec<WorkflowTally>, Error> {
        let mut works: Vec<Work> = group.into_iter().map(Work::new).collect();
        loop {
            let checks = works.iter_mut().map(|work| self.check(work, (terms, together), turns));
            join_all(checks).await;
            if works.iter().all(|work| work.batch.is_empty()) {
                break;
            }
            self.batch(&mut works, (terms, together)).await?;
        }
        for work in &mut works {
            let before = |object| Settled::new(object, ObjectOutcome::DeletedBefore);
            work.settled.extend(std::mem::take(&mut work.gone).into_iter().map(before));
        }
        self.verify(&mut works).await?;
        let lasts = terms.quarantine.unwrap_or_default();
        let marker = &Marker { deleter: self.deleter(), stage: self.stage, lasts };
        let settled = works.into_iter().map(|Work { mut plan, mut settled, checked, .. }| async move {
            let _turn = turns.acquire().await;
            let mark = std::mem::take(&mut plan.mark);
            let settlement = self.settle(&plan, &settled, &checked).await?;
            settled.extend(marker.mark(&plan, &checked.templates, mark).await?);
            let Lifting { lifted, mut unlifted, mut notes } = marker.lift(&plan.lift).await;
            notes.extend(plan.unread.iter().map(not_looked_through));
            unlifted += plan.unread.len() as u64;
            let settlement = WorkflowUpdate { notes: [settlement.notes, notes].concat(), ..settlement };
            Ok(WorkflowTally { plan, objects: settled, lifted, unlifted, settlement })
        });
        join_all(settled).await.into_iter().collect()
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
        if let Err(fate) = self.deleter().wait(guard).await {
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

    /// Looks whether the next objects of a workflow may be deleted still. If not, they and the rest are settled.
    async fn check(&self, work: &mut Work, (terms, together): (&Terms<'_>, &Together), turns: &Semaphore) {
        let is_begun = !work.settled.is_empty();
        work.batch = work.next_batch(together);
        if work.batch.is_empty() {
            if work.plan.release_finalizer && !is_begun {
                // Nothing is deleted, but what the finalizer's release rests on is the same.
                let _ = self.recheck(&work.plan, &mut work.checked).await;
            }
            return;
        }
        // Thousands of deletes take their time, and a retry may come between any two of them.
        let turn = turns.acquire().await;
        let obstacle = self.obstacle(&work.plan, &work.batch, terms, &mut work.checked).await;
        drop(turn);
        if let Err(fate) = obstacle {
            let objects = std::mem::take(&mut work.batch).into_iter().chain(work.rest.by_ref());
            work.settled.extend(objects.map(|object| Settled::new(object, fate.clone())));
        }
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
        if let Some(lasts) = terms.quarantine {
            let quarantine = Quarantine { lasts, now: Timestamp::now() };
            let store = (terms.sharing, self.store);
            checked.no_longer_over = no_longer_over(plan, batch, &quarantine, store).await;
        }
        Ok(())
    }

    /// Deletes the next objects of the workflows, those of a bucket together.
    async fn batch(
        &self,
        works: &mut [Work],
        (terms, together): (&Terms<'_>, &Together),
    ) -> Result<(), Error> {
        let mut fates: Vec<Option<(ObjectOutcome, bool)>> = Vec::new();
        let mut wanted: BTreeMap<&Bucket, Vec<(usize, Wanted<'_>)>> = BTreeMap::new();
        for Work { plan, batch, checked: Checked { templates, rerun, no_longer_over }, .. } in &*works {
            for object in batch {
                let kept = match no_longer_over.is_empty() {
                    true => None,
                    false => no_longer_over.get(&(object.bucket.clone(), object.key.clone())).cloned(),
                };
                let rerun = || rerun_sharer(object, terms, rerun);
                let kept = kept.or_else(|| rerun().map(|why| ObjectOutcome::Kept(Protection::Changed, why)));
                if kept.is_none() {
                    let of_bucket = wanted.entry(&object.bucket).or_default();
                    of_bucket.push((fates.len(), Wanted { plan, templates, object }));
                } else {
                    self.stage.add_one(object.size);
                }
                fates.push(kept.map(|fate| (fate, false)));
            }
        }
        let deleter = &self.deleter();
        let mut deletes: Vec<BoxFuture<'_, Result<_, Error>>> = Vec::new();
        for (bucket, of_bucket) in &wanted {
            for part in of_bucket.chunks(together.of(bucket)) {
                deletes.push(
                    async move {
                        let (numbers, wanted): (Vec<usize>, Vec<Wanted>) = part.iter().copied().unzip();
                        let done = deleter.delete(bucket, &wanted).await?;
                        wanted.iter().for_each(|one| self.stage.add_one(one.object.size));
                        Ok(numbers.into_iter().zip(done).collect::<Vec<_>>())
                    }
                    .boxed(),
                );
            }
        }
        let done: Vec<_> = stream::iter(deletes).buffered(self.concurrency.max(1)).collect().await;
        for part in done {
            part?.into_iter().for_each(|(number, fate)| fates[number] = Some(fate));
        }
        let mut fates = fates.into_iter();
        for work in works {
            for object in std::mem::take(&mut work.batch) {
                let (fate, listed) = fates.next().flatten().unwrap_or((ObjectOutcome::NotReached, false));
                work.settled.push(Settled { listed, ..Settled::new(object, fate) });
            }
        }
        Ok(())
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
        Terms { made, sharing, .. }: &Terms<'_>,
    ) -> Result<HashMap<String, String>, Error> {
        let mut rerun_since = HashMap::new();
        let Some(cluster) = self.cluster else { return Ok(rerun_since) };
        let sets: HashSet<Option<u32>> = objects.iter().map(|object| object.shared_with).collect();
        let sharers: HashSet<&Sharer> = sets.into_iter().flat_map(|set| sharing.members(set)).collect();
        for Sharer { namespace, name, uid, .. } in sharers {
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

    /// Looks whether what was deleted is really gone.
    async fn verify(&self, works: &mut [Work]) -> Result<(), Error> {
        let is_ours =
            |fate: &ObjectOutcome| matches!(fate, ObjectOutcome::Deleted | ObjectOutcome::DeletedBefore);
        let settled = works.iter_mut().flat_map(|work| &mut work.settled);
        let mut deleted: Vec<&mut Settled> = settled.filter(|settled| is_ours(&settled.fate)).collect();
        let spots: Vec<Spot> = deleted.iter().map(|settled| spot(settled)).collect();
        let left = lookup::objects(self.store, &spots, Depth::Listed).await;
        drop(spots);
        for (settled, left) in deleted.iter_mut().zip(left) {
            let Settled { object, fate, vacant, .. } = &mut **settled;
            match left {
                Ok(left) if left.iter().any(|left| *left.generation == *object.generation) => {
                    *fate = ObjectOutcome::StillThere;
                }
                Ok(left) => *vacant = left.is_empty(),
                Err(error) => *fate = ObjectOutcome::Failed(format!("deleted, but not verified: {error}")),
            }
            // A run that continues later must not take the storage's word for it.
            let why = match fate {
                ObjectOutcome::StillThere => "deleted, but it is still there".to_owned(),
                ObjectOutcome::Failed(why) => why.clone(),
                _ => continue,
            };
            self.journal.settle(std::iter::once((&*object, Outcome::Failed(why))))?;
        }
        Ok(())
    }
}

/// Where to look whether an object is gone.
fn spot(Settled { object, listed, .. }: &Settled) -> Spot<'_> {
    let mut spot = Spot::planned(object);
    if *listed {
        spot.place.reach = Reach::Listed;
    }
    spot
}

/// Why an object is kept that is shared with a workflow which ran again.
fn rerun_sharer(
    object: &PlannedObject,
    terms: &Terms<'_>,
    rerun: &HashMap<String, String>,
) -> Option<String> {
    if rerun.is_empty() {
        return None;
    }
    let sharers = terms.sharing.members(object.shared_with);
    sharers.into_iter().find_map(|sharer| rerun.get(&sharer.uid)).cloned()
}
