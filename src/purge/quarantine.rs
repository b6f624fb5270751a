//! Quarantine: which objects of a plan are deleted now and which are only marked, and the marks themselves.

use crate::error::Error;
use crate::progress::Stage;
use crate::purge::delete::{Deleter, Wanted};
use crate::purge::journal::Line;
use crate::purge::keep::kept_object;
use crate::purge::marks::{Marks, Reading, why_unread};
use crate::purge::outcome::{ObjectOutcome, Settled};
use crate::purge::plan_file::{Head, Plan};
use argo_gc_core::model::bucket::Bucket;
use argo_gc_core::model::protection::Protection;
use argo_gc_core::plan::planned::{KeptObject, ObjectPlace, PlannedObject, PlannedWorkflow, UnreadPlace};
use argo_gc_core::plan::quarantine::{Mark, Quarantine, Standing};
use argo_gc_core::plan::sharing::Sharing;
use argo_gc_store::store::Store;
use argo_gc_store::types::{MarkText, Marking};
use futures::stream::StreamExt;
use futures::{TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;

/// Workflows whose marks are read at a time, and objects of each; the throttle bounds the requests.
const AT_A_TIME: (usize, usize) = (16, 32);

/// Why no more objects are marked where the first one was written anew.
pub const REWRITES: &str = "its storage writes an object anew to mark it, or to lift its mark";

/// What became of the first one. Its time is now, so its workflow's purges keep it as newer than the run.
const REWRITTEN: &str = "its storage wrote it anew to mark it, so that it is newer than its run now and the mark does not \
    count; leave --quarantine out for this storage, and delete it with a --margin longer than the time since the run ended";

/// The plan with its objects parted: those whose time in quarantine is over stay to be deleted, the others are to be marked
/// or wait. What is needed again loses its mark. The stage sees every object.
///
/// # Errors
/// The storage can't be asked: a plan with holes would look whole. Or the permission to read marks is missing.
pub async fn part(plan: &Plan, quarantine: &Quarantine, store: &Store, stage: &Stage) -> Result<Plan, Error> {
    let lasts = u64::try_from(quarantine.lasts.as_secs()).unwrap_or_default();
    let mut draft = plan.redraft(Head { quarantine_seconds: Some(lasts), ..plan.head.clone() })?;
    let (workflows, marks) = (plan.workflows()?, &Marks::of(store));
    let mut parted = stream::iter(workflows)
        .map(|workflow| async { parted(plan, workflow?, quarantine, (marks, stage)).await })
        .buffered(AT_A_TIME.0);
    while let Some(workflow) = parted.next().await {
        draft.add(&workflow?)?;
    }
    drop(parted);
    marks.ensure_permitted().await?;
    plan.reseal(draft)
}

async fn parted(
    plan: &Plan,
    mut workflow: PlannedWorkflow,
    quarantine: &Quarantine,
    (marks, stage): (&Marks<'_>, &Stage),
) -> Result<PlannedWorkflow, Error> {
    let read = stream::iter(std::mem::take(&mut workflow.delete)).map(|object| async {
        let reading = marks.read(&object.bucket, &object.key).await;
        stage.add(1);
        reading.map(|reading| (object, reading))
    });
    let read: Vec<(PlannedObject, Reading)> = read.buffered(AT_A_TIME.1).try_collect().await?;
    let mut stays = false;
    for (object, reading) in read {
        let (protection, detail) = match reading {
            Reading::Unable(why) | Reading::Unread(why) => (Protection::Unmarkable, why),
            Reading::Mark(text) => {
                let needed_until = needed_until(&object, &workflow, &plan.tail.sharing);
                match quarantine.standing(text.as_deref(), &object, needed_until) {
                    Standing::Over => {
                        workflow.delete.push(object);
                        continue;
                    }
                    Standing::Unmarked => {
                        workflow.mark.push(object);
                        continue;
                    }
                    Standing::Until(end) => (Protection::Quarantined, format!("until {end}")),
                }
            }
        };
        stays = true;
        workflow.keep.push(kept_object(&object, protection, detail));
    }
    // Its artifacts are not all gone after this run.
    workflow.release_finalizer &= !stays && workflow.mark.is_empty();
    let needed: Vec<ObjectPlace> = workflow.keep.iter().filter_map(needed).collect();
    let artifacts = std::mem::take(&mut workflow.needed);
    (workflow.lift, workflow.unread) = marks.to_lift(needed, artifacts).await?;
    Ok(workflow)
}

/// When the last run ended that had the object, of its own workflow or of those that give it up too.
fn needed_until(object: &PlannedObject, workflow: &PlannedWorkflow, sharing: &Sharing) -> Option<Timestamp> {
    workflow.finished_at.max(sharing.last_end(object.shared_with))
}

/// Those of the objects, whose time was over when the plan was made, of which that can't be said any more, and what becomes of
/// them: another run or an undo took the mark off, or it can't be read.
pub async fn no_longer_over(
    workflow: &PlannedWorkflow,
    objects: &[PlannedObject],
    quarantine: &Quarantine,
    (sharing, store): (&Sharing, &Store),
) -> HashMap<(Bucket, Box<str>), ObjectOutcome> {
    let read = stream::iter(objects).map(|object| async move {
        let fate = match store.mark_text(&object.bucket, &object.key).await {
            Ok(MarkText::Read(text)) => {
                let needed_until = needed_until(object, workflow, sharing);
                if quarantine.standing(text.as_deref(), object, needed_until) == Standing::Over {
                    return None;
                }
                ObjectOutcome::Kept(Protection::Changed, "its mark was lifted".to_owned())
            }
            Ok(MarkText::Unable(why)) => ObjectOutcome::Failed(format!("its mark can't be read: {why}")),
            Err(error) => ObjectOutcome::Failed(why_unread(&error)),
        };
        Some(((object.bucket.clone(), object.key.clone()), fate))
    });
    read.buffered(AT_A_TIME.1).filter_map(async |fate| fate).collect().await
}

/// Where an object is that somebody needs.
fn needed(kept: &KeptObject) -> Option<ObjectPlace> {
    if !matches!(kept.protection, Protection::Referenced | Protection::Pinned) {
        return None;
    }
    let (bucket, key) = Bucket::and_key(&kept.location).ok().filter(|(_, key)| !key.is_empty())?;
    Some(ObjectPlace { bucket, key: key.into() })
}

/// What marks objects, and lifts marks.
pub struct Marker<'a> {
    pub deleter: Deleter<'a>,
    /// Told of each object that is marked.
    pub stage: &'a Stage,
    /// How long the marks are to last.
    pub lasts: SignedDuration,
}

impl Marker<'_> {
    /// Marks objects of a workflow that still have their pins, as far as nothing needs them by now. `templates` are what the
    /// workflow was made from.
    ///
    /// # Errors
    /// The journal can't be written.
    pub async fn mark(
        &self,
        plan: &PlannedWorkflow,
        templates: &[(String, String)],
        objects: Vec<PlannedObject>,
    ) -> Result<Vec<Settled>, Error> {
        let marked = stream::iter(objects).map(|object| async {
            let wanted = Wanted { plan, templates, object: &object };
            let fate = match self.deleter.objection(&wanted).await {
                Ok(()) => self.mark_one(&object).await?,
                Err(ObjectOutcome::Kept(protection, detail)) => {
                    ObjectOutcome::NotMarked(format!("{}: {detail}", protection.code()))
                }
                Err(ObjectOutcome::Failed(why)) => ObjectOutcome::NotMarked(why),
                Err(ObjectOutcome::NotReached) => ObjectOutcome::MarkNotReached,
                Err(fate) => fate,
            };
            self.stage.add_one(object.size);
            Ok::<_, Error>(Settled::new(object, fate))
        });
        marked.buffered(AT_A_TIME.1).try_collect().await
    }

    async fn mark_one(&self, object: &PlannedObject) -> Result<ObjectOutcome, Error> {
        let PlannedObject { bucket, key, generation, .. } = object;
        let place = || (bucket.clone(), key.clone(), generation.clone());
        // Even if this process is killed now, the mark can be lifted.
        let ((bucket, key, generation), time) = (place(), Timestamp::now());
        let Deleter { store, journal, .. } = self.deleter;
        journal.write(&Line::Marking { time, bucket, key, generation })?;
        let (bucket, key, generation) = place();
        let text = Mark { since: time, lasts: self.lasts }.text(&generation);
        Ok(match store.mark(&bucket, &key, &generation, &text).await {
            Marking::Done => {
                journal.write(&Line::Marked { bucket, key, generation })?;
                ObjectOutcome::Marked
            }
            Marking::Gone => ObjectOutcome::Gone,
            Marking::Unmarked => ObjectOutcome::NotMarked("it has no mark".to_owned()),
            Marking::Changed => ObjectOutcome::NotMarked("it was overwritten".to_owned()),
            Marking::Rewritten => ObjectOutcome::NotMarked(REWRITTEN.to_owned()),
            Marking::NotTried => ObjectOutcome::NotMarked(REWRITES.to_owned()),
            Marking::Denied(why) => ObjectOutcome::NotMarked(format!("permission denied: {why}")),
            Marking::Failed(why) => ObjectOutcome::NotMarked(why),
        })
    }

    /// Lifts the marks of objects that are needed again.
    pub async fn lift(&self, places: &[ObjectPlace]) -> Lifting {
        let unmarked = stream::iter(places).map(|place| async move {
            match self.deleter.stop.is_asked() {
                true => (place, None),
                false => (place, Some(self.deleter.store.unmark(&place.bucket, &place.key).await)),
            }
        });
        let mut unmarked = unmarked.buffered(AT_A_TIME.1);
        let mut lifting = Lifting::default();
        while let Some((ObjectPlace { bucket, key }, marking)) = unmarked.next().await {
            let why = match &marking {
                // To mark it, its storage wrote it anew as well.
                Some(Marking::Done | Marking::Rewritten) => {
                    lifting.lifted += 1;
                    continue;
                }
                Some(Marking::Unmarked | Marking::Gone) => continue,
                None => "",
                Some(Marking::NotTried) => REWRITES,
                Some(Marking::Changed) => "it was overwritten",
                Some(Marking::Denied(why) | Marking::Failed(why)) => why,
            };
            lifting.unlifted += 1;
            // That the run was interrupted is said once.
            let note = || format!("the mark of {} is not lifted: {why}", bucket.uri(key));
            lifting.notes.extend(marking.is_some().then(note));
        }
        lifting
    }
}

/// What became of marks that were to be lifted.
#[derive(Debug, Default)]
pub struct Lifting {
    pub lifted: u64,
    pub unlifted: u64,
    /// Why marks are still there, in words.
    pub notes: Vec<String>,
}

/// What is told of an artifact that can't be looked through for marks.
pub fn not_looked_through(UnreadPlace { place: ObjectPlace { bucket, key }, why }: &UnreadPlace) -> String {
    format!("whether objects of {} are marked can't be read, so they may still be: {why}", bucket.uri(key))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::interrupt::Stop;
    use crate::progress::{Doing, Progress};
    use crate::purge::journal::{Journal, Who};
    use crate::purge::plan_file::Draft;
    use argo_gc_store::local::LocalBuckets;

    #[tokio::test]
    async fn what_an_interrupt_leaves_unmarked_is_not_reached() {
        let folder = tempfile::tempdir().unwrap();
        let head = Head::new(Timestamp::UNIX_EPOCH, None, "gcs".into(), Vec::new());
        let plan = Draft::new(head).unwrap().seal(Vec::new()).unwrap();
        let journal = &Journal::begin(&folder.path().join("journal.jsonl"), &Who::default(), &plan).unwrap();
        let (stop, store) =
            (&Stop::default(), &Store::Local(LocalBuckets::directory(folder.path()).unwrap()));
        assert!(!stop.ask());
        stop.guard();
        assert!(stop.ask());
        let stage = &Progress::default().begin(Doing::Marking, None);
        let marker = Marker {
            deleter: Deleter { store, guard: None, journal, stop, earlier: None },
            stage,
            lasts: SignedDuration::ZERO,
        };
        let object: PlannedObject = serde_json::from_value(serde_json::json!({
            "bucket": "gs://b", "key": "k", "generation": "1", "size": 1, "created": null, "artifact": "a", "nodeId": "n",
        }))
        .unwrap();
        let settled = marker.mark(&PlannedWorkflow::default(), &[], vec![object]).await.unwrap();
        assert_eq!(settled.iter().map(|one| &one.fate).collect::<Vec<_>>(), [&ObjectOutcome::MarkNotReached]);
        let place = ObjectPlace { bucket: "gs://b".parse().unwrap(), key: "k".into() };
        let Lifting { lifted, unlifted, notes } = marker.lift(&[place]).await;
        assert_eq!((lifted, unlifted, notes.len()), (0, 1, 0));
    }
}
