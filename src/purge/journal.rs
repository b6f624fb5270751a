//! The journal: what was to be done, and what was, as JSON lines that survive a killed process.

use super::Plan;
use crate::error::Error;
use crate::gc::PlannedObject;
use crate::store::Outcome;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "line")]
pub enum Line {
    /// The first: the plan, and who carries it out.
    Begin { time: Timestamp, identity: String, plan: Box<Plan> },
    /// A delete is about to be sent.
    #[serde(rename_all = "camelCase")]
    Intent { bucket: Arc<str>, key: Box<str>, generation: Box<str>, size: u64, crc32c: Box<str> },
    /// What became of it.
    #[serde(rename_all = "camelCase")]
    Result {
        bucket: Arc<str>,
        key: Box<str>,
        generation: Box<str>,
        #[serde(flatten)]
        outcome: Outcome,
    },
    /// What was done to a workflow after its objects.
    #[serde(rename_all = "camelCase")]
    Workflow { namespace: String, name: String, uid: String, recorded: u64, finalizer_released: bool },
    /// A deleted object was brought back.
    #[serde(rename_all = "camelCase")]
    Restored { bucket: String, key: String, generation: String },
    /// The run ended by itself.
    End { time: Timestamp },
}

/// An open journal.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: Mutex<File>,
}

impl Journal {
    /// Begins a new journal; an existing file is never written over.
    ///
    /// # Errors
    /// The file exists or can't be made.
    pub fn begin(path: &Path, identity: &str, plan: &Plan, now: Timestamp) -> Result<Self, Error> {
        let failed = |error: std::io::Error| Error::new(format!("the journal {}: {error}", path.display()));
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let file = OpenOptions::new().append(true).create_new(true).open(path).map_err(failed)?;
        let journal = Self { path: path.to_owned(), file: Mutex::new(file) };
        #[derive(Serialize)]
        struct Begin<'a> {
            line: &'static str,
            time: Timestamp,
            identity: &'a str,
            plan: &'a Plan,
        }
        // As [`Line::Begin`] is read, but without a copy of a plan that may be large.
        let begin = Begin { line: "begin", time: now, identity, plan };
        {
            let mut file = journal.file.lock().unwrap_or_else(PoisonError::into_inner);
            let mut writer = std::io::BufWriter::with_capacity(1 << 16, &mut *file);
            serde_json::to_writer(&mut writer, &begin).map_err(|error| failed(error.into()))?;
            writer.write_all(b"\n").and_then(|()| writer.flush()).map_err(failed)?;
        }
        // Without the plan on disk there must be no delete.
        journal.sync()?;
        Ok(journal)
    }

    /// Opens a journal to write more.
    ///
    /// # Errors
    /// It can't be opened for writing.
    pub fn reopen(path: &Path) -> Result<Self, Error> {
        let failed = |error: std::io::Error| Error::new(format!("the journal {}: {error}", path.display()));
        let mut file = OpenOptions::new().append(true).open(path).map_err(failed)?;
        // A killed process may have left half a line.
        file.write_all(b"\n").map_err(failed)?;
        Ok(Self { path: path.to_owned(), file: Mutex::new(file) })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a line. One write, so that a killed process leaves at most one torn line.
    ///
    /// # Errors
    /// The disk is full, or the like: nothing more may be deleted.
    pub fn write(&self, line: &Line) -> Result<(), Error> {
        let failed = |error: std::io::Error| {
            Error::new(format!("writing the journal {}: {error}", self.path.display()))
        };
        let mut text = serde_json::to_vec(line).map_err(|error| failed(error.into()))?;
        text.push(b'\n');
        self.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(&text).map_err(failed)
    }

    /// Brings what was written to the disk.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn sync(&self) -> Result<(), Error> {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.sync_data()
            .map_err(|error| Error::new(format!("writing the journal {}: {error}", self.path.display())))
    }
}

/// A journal read back.
#[derive(Debug)]
pub struct Record {
    pub plan: Plan,
    pub identity: String,
    /// Outcomes by bucket, key and generation.
    pub outcomes: HashMap<(String, String, String), Outcome>,
    /// Objects brought back already.
    pub restored: Vec<(String, String, String)>,
    /// The run ended by itself.
    pub ended: bool,
}

impl Record {
    /// Reads a journal; a torn last line is what a killed process leaves, and no error.
    ///
    /// # Errors
    /// The file can't be read, or is no journal.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let failed = |what: String| Error::new(format!("the journal {}: {what}", path.display()));
        let file = File::open(path).map_err(|error| failed(error.to_string()))?;
        let mut lines = BufReader::new(file).lines();
        let first = lines.next().transpose().map_err(|error| failed(error.to_string()))?.unwrap_or_default();
        let Ok(Line::Begin { identity, plan, .. }) = serde_json::from_str(&first) else {
            return Err(failed("it does not begin with a plan, so it is no journal of a purge".to_owned()));
        };
        let mut record =
            Self { plan: *plan, identity, outcomes: HashMap::new(), restored: Vec::new(), ended: false };
        let mut torn = None;
        for (number, line) in lines.enumerate() {
            let line = line.map_err(|error| failed(error.to_string()))?;
            // A later run goes on after a torn line, on a line of its own.
            match serde_json::from_str::<Line>(&line) {
                Ok(Line::Result { bucket, key, generation, outcome }) => {
                    record.outcomes.insert((bucket.to_string(), key.into(), generation.into()), outcome);
                }
                Ok(Line::Restored { bucket, key, generation }) => {
                    record.restored.push((bucket, key, generation))
                }
                Ok(Line::End { .. }) => record.ended = true,
                Ok(_) => {}
                Err(_) if line.is_empty() => {}
                Err(error) if torn.is_none() => torn = Some((number + 2, error)),
                Err(error) => return Err(failed(format!("line {}: {error}", number + 2))),
            }
        }
        Ok(record)
    }

    /// Whether the object was settled: gone, or kept for a reason that will not pass.
    pub fn is_settled(&self, object: &PlannedObject) -> bool {
        let key = (object.bucket.to_string(), object.key.to_string(), object.generation.to_string());
        self.outcomes.get(&key).is_some_and(|outcome| !matches!(outcome, Outcome::Failed(_)))
    }
}
