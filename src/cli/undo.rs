//! `undo` restores the objects that a purge deleted, if the bucket still holds them.

use crate::cli::storage::StorageFlags;
use crate::cli::streams::Streams;
use crate::error::{Error, exit};
use crate::output::escape::escape;
use crate::purge::journal::{Journal, JournalReplay};
use crate::purge::undo::{Undone, undo};
use clap::Args;
use jiff::Timestamp;
use std::io::Write;
use std::path::PathBuf;

/// Brings back what a purge deleted, where the bucket still holds it
///
/// It comes back from the bucket's soft delete, or from noncurrent versions; where the bucket has neither, it is gone.
/// An object that has taken the name since is left alone. Workflows are not told: the artifacts stay marked as deleted.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kubectl argo-gc undo ~/.local/state/argo-gc/purge-20261125T100000Z-1a2b3c4d.jsonl

Exit status: 0 all is back; 1 error; 2 wrong usage; 4 something could not be brought back; 5 refused, as the journal \
is of another storage; 130 interrupted.")]
pub(crate) struct Arguments {
    /// The journal that the purge named at its end.
    #[arg(value_name = "JOURNAL")]
    journal: PathBuf,
    #[command(flatten)]
    storage: StorageFlags,
}

impl Arguments {
    pub async fn run(self, streams: &mut Streams, _now: Timestamp) -> Result<u8, Error> {
        let record = JournalReplay::read(&self.journal)?;
        if record.plan.head.storage != self.storage.name() {
            return Err(Error::refused(format!(
                "the journal is of other storage: {}",
                record.plan.head.storage
            )));
        }
        let store = self.storage.open()?;
        let journal = Journal::reopen(&self.journal)?;
        let undone = undo(&record, &store, &journal, self.storage.concurrency()).await?;
        let Undone { objects, restored, taken, lost, failures, failed } = undone;
        let out = &mut streams.out;
        writeln!(out, "Brought back {restored} of {objects} objects")?;
        if taken > 0 {
            writeln!(out, "{taken} were left alone: a newer object has their name")?;
        }
        if lost > 0 {
            writeln!(out, "{lost} are gone for good: the bucket holds no copy")?;
        }
        for failure in &failures {
            streams.say(format!("Warning: {}", escape(failure)));
        }
        if failed > failures.len() as u64 {
            streams.say(format!("Warning: and {} more", failed - failures.len() as u64));
        }
        Ok(if restored == objects { exit::DONE } else { exit::PARTIAL })
    }
}
