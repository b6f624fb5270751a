//! The journals of a folder, each in a few words.

use crate::cluster::identity::ClusterIdentity;
use crate::error::Error;
use crate::purge::journal::{JournalReplay, Line};
use jiff::Timestamp;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// A journal in a few words.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JournalEntry {
    pub journal: PathBuf,
    /// When the run began; none if it was killed before.
    pub started_at: Option<Timestamp>,
    /// None for a plan of files.
    pub cluster: Option<ClusterIdentity>,
    /// The hash of the plan.
    pub plan: String,
    /// Objects of the plan.
    pub objects: u64,
    /// Those that were deleted, or may have been, and were not brought back.
    pub deleted: u64,
    /// Those that were marked, or may have been, and whose mark was not lifted by `undo`.
    pub marked: u64,
    pub state: RunState,
}

/// How far a run came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// It ended by itself.
    Ended,
    /// It did not end: it was interrupted or killed, or still goes on.
    Interrupted,
}

impl RunState {
    /// The word in tables and documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Interrupted => "interrupted",
        }
    }
}

/// The journals of a folder, oldest first, each as an entry or with why it can't be read. A folder that does not exist
/// has none.
///
/// # Errors
/// The folder can't be read.
pub fn journals(folder: &Path) -> Result<Vec<Result<JournalEntry, Error>>, Error> {
    let mut entries: Vec<_> = paths(folder)?.into_iter().map(entry).collect();
    entries.sort_by_key(|entry| entry.as_ref().map_or(None, |entry| entry.started_at));
    Ok(entries)
}

/// The paths of the journals of a folder, in the order of their names, which begin with a time. None is opened.
///
/// # Errors
/// As [`journals`].
pub fn paths(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |error: std::io::Error| Error::new(format!("{}: {error}", folder.display()));
    let files = match std::fs::read_dir(folder) {
        Ok(files) => files,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut paths = Vec::new();
    for file in files {
        let path = file.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn entry(path: PathBuf) -> Result<JournalEntry, Error> {
    let record = JournalReplay::read(&path)?;
    let begins = record.lines()?.find_map(|line| match line {
        Ok(Line::Begin { time, .. }) => Some(time),
        _ => None,
    });
    let mut deleted = 0;
    for object in record.deleted()? {
        object?;
        deleted += 1;
    }
    Ok(JournalEntry {
        journal: path,
        started_at: begins,
        deleted,
        marked: record.count_marked(),
        objects: record.plan.tail.totals.objects,
        state: if record.ended { RunState::Ended } else { RunState::Interrupted },
        cluster: record.plan.head.cluster,
        plan: record.plan.hash,
    })
}
