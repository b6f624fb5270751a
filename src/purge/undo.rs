//! Undo: what a journal says was deleted is brought back, where the bucket still holds it.

use crate::error::{Error, storage_error};
use crate::purge::journal::{Journal, JournalReplay, Line, Lost};
use argo_gc_store::store::Store;
use argo_gc_store::types::Restored;
use futures::stream;
use futures::stream::StreamExt;

/// How many objects found their way back, and why others didn't.
#[derive(Debug, Clone, Default)]
pub struct Undone {
    pub objects: u64,
    pub restored: u64,
    /// A newer object has the name.
    pub taken: u64,
    /// The bucket holds no copy any more.
    pub lost: u64,
    /// The first failures, in words.
    pub failures: Vec<String>,
    pub failed: u64,
}

/// Brings back everything the journal says was deleted, or may have been, and that isn't back yet.
///
/// # Errors
/// The journal can't be read or written.
pub async fn undo(
    record: &JournalReplay,
    store: &Store,
    journal: &Journal,
    concurrency: usize,
) -> Result<Undone, Error> {
    /// Failures told in words.
    const TOLD: usize = 20;
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
    let mut undone = Undone::default();
    while let Some(one) = running.next().await {
        let (bucket, key, generation, Some(restored)) = one? else { continue };
        undone.objects += 1;
        match restored {
            Restored::Restored => {
                journal.write(&Line::Restored { bucket, key, generation })?;
                undone.restored += 1;
            }
            Restored::Taken => undone.taken += 1,
            Restored::Lost => undone.lost += 1,
            Restored::Failed(why) => {
                undone.failed += 1;
                if undone.failures.len() < TOLD {
                    undone.failures.push(format!("{}: {why}", bucket.uri(&key)));
                }
            }
        }
    }
    Ok(undone)
}
