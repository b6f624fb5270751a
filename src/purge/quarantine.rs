//! Quarantine: which objects of a plan are deleted now and which are only marked, and the marks themselves.

use crate::error::Error;
use crate::interrupt::Stop;
use crate::progress::Stage;
use crate::purge::journal::{Journal, Line};
use crate::purge::keep::kept_object;
use crate::purge::outcome::{ObjectOutcome, Settled};
use crate::purge::plan_file::{Head, Plan};
use argo_gc_core::model::bucket::Bucket;
use argo_gc_core::model::protection::Protection;
use argo_gc_core::plan::planned::{KeptObject, ObjectPlace, PlannedObject, PlannedWorkflow};
use argo_gc_core::plan::quarantine::{Quarantine, Standing, text};
use argo_gc_store::store::Store;
use argo_gc_store::types::{MarkText, Marking, StoreError};
use futures::stream::StreamExt;
use futures::{TryStreamExt, stream};
use jiff::Timestamp;

/// Workflows whose marks are read at a time, and objects of each; the throttle bounds the requests.
const AT_A_TIME: (usize, usize) = (16, 32);

/// Why no more objects are marked where the first one was written anew.
pub const REWRITTEN: &str = "its storage writes an object anew to mark it";

/// The plan with its objects parted: those whose time in quarantine is over stay to be deleted, the others are to be marked
/// or wait. What is needed again loses its mark. The stage sees every object.
///
/// # Errors
/// The storage can't be asked: a plan with holes would look whole.
pub async fn part(plan: &Plan, quarantine: &Quarantine, store: &Store, stage: &Stage) -> Result<Plan, Error> {
    let lasts = u64::try_from(quarantine.lasts.as_secs()).unwrap_or_default();
    let mut draft = plan.redraft(Head { quarantine_seconds: Some(lasts), ..plan.head.clone() })?;
    let workflows = plan.workflows()?;
    let mut parted = stream::iter(workflows)
        .map(|workflow| async { parted(workflow?, quarantine, store, stage).await })
        .buffered(AT_A_TIME.0);
    while let Some(workflow) = parted.next().await {
        draft.add(&workflow?)?;
    }
    drop(parted);
    plan.reseal(draft)
}

async fn parted(
    mut workflow: PlannedWorkflow,
    quarantine: &Quarantine,
    store: &Store,
    stage: &Stage,
) -> Result<PlannedWorkflow, Error> {
    let read = stream::iter(std::mem::take(&mut workflow.delete)).map(|object| async {
        let text = store.mark_text(&object.bucket, &object.key).await;
        stage.add(1);
        text.map(|text| (object, text))
    });
    let read: Vec<(PlannedObject, MarkText)> = read.buffered(AT_A_TIME.1).try_collect().await?;
    let mut stays = false;
    for (object, text) in read {
        let (protection, detail) = match text {
            MarkText::Unable(why) => (Protection::Unmarkable, why),
            MarkText::Read(text) => {
                match quarantine.standing(text.as_deref(), &object, workflow.finished_at) {
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
    let needed = workflow.keep.iter().filter_map(needed);
    workflow.lift = stream::iter(needed.collect::<Vec<_>>())
        .map(|place| async {
            match store.mark_text(&place.bucket, &place.key).await {
                Ok(MarkText::Read(Some(_))) => Ok(Some(place)),
                // It is kept whatever its mark is.
                Ok(_)
                | Err(
                    StoreError::NoBucket(_)
                    | StoreError::BadKey(_)
                    | StoreError::Untrusted(_)
                    | StoreError::NoIdentity { .. },
                ) => Ok(None),
                Err(error) => Err(error),
            }
        })
        .buffered(AT_A_TIME.1)
        .try_filter_map(async |place| Ok(place))
        .try_collect()
        .await?;
    Ok(workflow)
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
    pub store: &'a Store,
    pub journal: &'a Journal,
    pub stop: &'a Stop,
    /// Told of each object that is marked.
    pub stage: &'a Stage,
}

impl Marker<'_> {
    /// Marks objects that still have their pins. What the user's wish to stop leaves out is not settled.
    ///
    /// # Errors
    /// The journal can't be written.
    pub async fn mark(&self, objects: Vec<PlannedObject>) -> Result<Vec<Settled>, Error> {
        let marked = stream::iter(objects).map(|object| async {
            if self.stop.is_asked() {
                return Ok(None);
            }
            let fate = self.mark_one(&object).await?;
            self.stage.add_one(object.size);
            Ok::<_, Error>(Some(Settled::new(object, fate)))
        });
        marked.buffered(AT_A_TIME.1).try_filter_map(async |settled| Ok(settled)).try_collect().await
    }

    async fn mark_one(&self, object: &PlannedObject) -> Result<ObjectOutcome, Error> {
        let PlannedObject { bucket, key, generation, .. } = object;
        let place = || (bucket.clone(), key.clone(), generation.clone());
        // Even if this process is killed now, the mark can be lifted.
        let ((bucket, key, generation), time) = (place(), Timestamp::now());
        self.journal.write(&Line::Marking { time, bucket, key, generation })?;
        let (bucket, key, generation) = place();
        Ok(match self.store.mark(&bucket, &key, &generation, &text(time, &generation)).await {
            Marking::Done => {
                self.journal.write(&Line::Marked { bucket, key, generation })?;
                ObjectOutcome::Marked
            }
            Marking::Gone => ObjectOutcome::Gone,
            Marking::Changed => ObjectOutcome::NotMarked("it was overwritten".to_owned()),
            Marking::Rewritten => ObjectOutcome::NotMarked(REWRITTEN.to_owned()),
            Marking::Denied(why) => ObjectOutcome::NotMarked(format!("permission denied: {why}")),
            Marking::Failed(why) => ObjectOutcome::NotMarked(why),
        })
    }

    /// Lifts the marks of objects that are needed again. Returns how many, and what was left undone, in words.
    pub async fn lift(&self, places: &[ObjectPlace]) -> (u64, Vec<String>) {
        let (mut lifted, mut notes) = (0, Vec::new());
        for ObjectPlace { bucket, key } in places {
            match self.store.unmark(bucket, key).await {
                Marking::Done => lifted += 1,
                Marking::Gone => {}
                Marking::Rewritten => notes.push(not_lifted(bucket, key, REWRITTEN)),
                Marking::Changed => notes.push(not_lifted(bucket, key, "it was overwritten")),
                Marking::Denied(why) | Marking::Failed(why) => notes.push(not_lifted(bucket, key, &why)),
            }
        }
        (lifted, notes)
    }
}

fn not_lifted(bucket: &Bucket, key: &str, why: &str) -> String {
    format!("the mark of {} is not lifted: {why}", bucket.uri(key))
}
