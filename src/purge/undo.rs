//! Undo: what a journal says was deleted is brought back, where the bucket still holds it.

use crate::error::{Error, storage_error};
use crate::progress::Stage;
use crate::purge::journal::{Journal, JournalReplay, Line, Lost};
use crate::purge::quarantine::REWRITES;
use crate::purge::take_back::Back;
use argo_gc_core::model::engine::StorageEngine;
use argo_gc_store::store::Store;
use argo_gc_store::types::{MarkText, Marking, Restored, StoreError};
use futures::stream;
use futures::stream::StreamExt;

/// How many objects found their way back, and how many didn't.
#[derive(Debug, Default)]
pub struct Undone {
    pub objects: u64,
    pub restored: u64,
    /// A newer object has the name.
    pub taken: u64,
    /// The bucket shows no copy.
    pub lost: u64,
    pub failed: u64,
    /// What is there again, of this undo and of earlier ones.
    pub back: Back,
}

/// Brings back everything the journal says was deleted, or may have been, and that isn't back yet. `each` sees every
/// object and what became of it.
///
/// # Errors
/// The journal can't be read or written, or `each` fails.
pub async fn undo(
    record: &JournalReplay,
    store: &Store,
    journal: &Journal,
    (concurrency, stage): (usize, &Stage),
    each: &mut (dyn FnMut(&str, &Restored) -> Result<(), Error> + Send),
) -> Result<Undone, Error> {
    let mut undone = Undone::default();
    // What an earlier undo brought back may still be recorded as deleted, or be deleted by now.
    let mut earlier = stream::iter(record.restored()?.map(|restored| async move {
        let Lost { bucket, key, .. } = restored?;
        let is_there = matches!(store.head(&bucket, &key).await, Ok(Some(_)));
        Ok::<_, Error>((bucket, key, is_there))
    }))
    .buffered(concurrency.max(1));
    while let Some(one) = earlier.next().await {
        let (bucket, key, is_there) = one?;
        if is_there {
            undone.back.add(&bucket, &key);
        }
    }
    drop(earlier);
    let mut running = stream::iter(record.deleted()?.map(|deleted| async move {
        let Lost { bucket, key, generation, certain } = deleted?;
        // It may still be there: then it was never deleted, and no newer object has its name.
        let there = !certain
            && matches!(store.head(&bucket, &key).await, Ok(Some(now)) if *now.generation == *generation);
        let restored = match there {
            true => None,
            false => Some(match store.open(&bucket).await {
                Ok(()) => store.restore(&bucket, &key, &generation).await,
                Err(error) => Restored::Failed(storage_error(&error)),
            }),
        };
        Ok::<_, Error>((bucket, key, generation, restored))
    }))
    .buffered(concurrency.max(1));
    while let Some(one) = running.next().await {
        let (bucket, key, generation, Some(restored)) = one? else { continue };
        undone.objects += 1;
        stage.add(1);
        match &restored {
            Restored::Restored => {
                undone.restored += 1;
                undone.back.add(&bucket, &key);
                let place = bucket.uri(&key);
                journal.write(&Line::Restored { bucket, key, generation })?;
                each(&place, &restored)?;
                continue;
            }
            Restored::Taken => undone.taken += 1,
            Restored::Lost => undone.lost += 1,
            Restored::Failed(_) => undone.failed += 1,
        }
        each(&bucket.uri(&key), &restored)?;
    }
    Ok(undone)
}

/// What became of the marks of a run.
#[derive(Debug, Default)]
pub struct LiftedMarks {
    /// Marks that the run had set.
    pub lifted: u64,
    /// Objects that came back, and whose mark this account may not read.
    pub unread: u64,
}

/// Lifts the marks that the run set, and those that came back with what was deleted. `each` sees every mark that stays, and
/// why.
///
/// # Errors
/// The journal can't be read or written, or `each` fails.
pub async fn lift(
    record: &JournalReplay,
    store: &Store,
    journal: &Journal,
    concurrency: usize,
    each: &mut (dyn FnMut(&str, &str) -> Result<(), Error> + Send),
) -> Result<LiftedMarks, Error> {
    let marks_count = record.plan.head.quarantine_seconds.is_some();
    // What came back is read anew: this undo brought it back, or an earlier one. Runs without quarantine delete what is
    // marked, too, and a version that is shown again has its old mark.
    let back = record.restored()?.map(|back| (false, back));
    let marks = record.marked()?.map(|marked| (true, marked)).chain(back);
    let mut running = stream::iter(marks.map(|(ours, marked)| async move {
        let lost = marked?;
        let marking = lift_one(store, &lost, ours, marks_count).await;
        Ok::<_, Error>((ours, lost, marking))
    }))
    .buffered(concurrency.max(1));
    let mut marks = LiftedMarks::default();
    while let Some(one) = running.next().await {
        let (ours, Lost { bucket, key, generation, .. }, marking) = one?;
        let Some(marking) = marking else {
            marks.unread += 1;
            continue;
        };
        match marking {
            // To mark it, its storage wrote it anew as well.
            Marking::Done | Marking::Rewritten if ours => {
                marks.lifted += 1;
                journal.write(&Line::Lifted { bucket, key, generation })?;
            }
            // The run may go on later, and mark it again.
            Marking::Unmarked if ours => journal.write(&Line::Lifted { bucket, key, generation })?,
            Marking::Done | Marking::Rewritten | Marking::Unmarked | Marking::Gone => {}
            Marking::Changed => each(&bucket.uri(&key), "it is being overwritten")?,
            Marking::NotTried => each(&bucket.uri(&key), REWRITES)?,
            Marking::Denied(why) | Marking::Failed(why) => each(&bucket.uri(&key), &why)?,
        }
    }
    Ok(marks)
}

/// Lifts the mark of an object that the run marked, or that came back; none if the mark may not be read.
async fn lift_one(
    store: &Store,
    Lost { bucket, key, .. }: &Lost,
    ours: bool,
    marks_count: bool,
) -> Option<Marking> {
    // What GCS restores has another pin, so that its mark does not count.
    let counts = ours || bucket.engine() != StorageEngine::Gcs;
    if !ours && !marks_count {
        if !counts {
            return Some(Marking::Unmarked);
        }
        // An undo of such a run needs no permission for marks.
        match store.mark_text(bucket, key).await {
            Ok(MarkText::Read(Some(_))) => {}
            Ok(_) => return Some(Marking::Unmarked),
            Err(StoreError::Denied { .. }) => return None,
            Err(error) => return Some(Marking::Failed(storage_error(&error))),
        }
    }
    Some(match store.unmark(bucket, key).await {
        Marking::Denied(_) if !counts => Marking::Unmarked,
        marking => marking,
    })
}
