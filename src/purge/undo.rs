//! Undo: what a journal says was deleted is brought back, where the bucket still holds it.

use super::journal::{Journal, Line, Record};
use crate::error::Error;
use crate::store::{Outcome, Restored, Store};
use futures::stream::{self, StreamExt};

/// One object's way back.
#[derive(Debug, Clone)]
pub struct Undone {
    pub bucket: String,
    pub key: String,
    pub generation: String,
    pub restored: Restored,
}

/// Brings back everything the journal says was deleted and that isn't back yet.
///
/// # Errors
/// The journal can't be written.
pub async fn undo(
    record: &Record,
    store: &Store,
    journal: &Journal,
    concurrency: usize,
) -> Result<Vec<Undone>, Error> {
    let mut deleted: Vec<_> = record
        .outcomes
        .iter()
        .filter(|(object, outcome)| **outcome == Outcome::Deleted && !record.restored.contains(object))
        .map(|(object, _)| object.clone())
        .collect();
    deleted.sort();
    let mut running = stream::iter(deleted.into_iter().map(|(bucket, key, generation)| async move {
        let restored = store.restore(&bucket, &key, &generation).await;
        Undone { bucket, key, generation, restored }
    }))
    .buffered(concurrency.max(1));
    let mut all = Vec::new();
    while let Some(undone) = running.next().await {
        if undone.restored == Restored::Restored {
            let Undone { bucket, key, generation, .. } = undone.clone();
            journal.write(&Line::Restored { bucket, key, generation })?;
        }
        all.push(undone);
    }
    Ok(all)
}
