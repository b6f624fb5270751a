//! `--summary` writes how a run ended to a file.

use crate::cli::streams::Streams;
use crate::error::Error;
use crate::output::escape::escape;
use clap::Args;
use std::fmt::Display;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

#[derive(Debug, Clone, Args)]
pub(crate) struct SummaryFlag {
    /// Also writes to FILE, in one line, how the run ended; /dev/termination-log makes it a pod's message.
    #[arg(long, value_name = "FILE", help_heading = "Deleting")]
    summary: Option<PathBuf>,
}

/// The file, if one was asked for.
pub(crate) struct Summary(Option<(PathBuf, File)>);

impl SummaryFlag {
    /// Empties the file before anything else is done: what it says is about this run, or it says nothing.
    ///
    /// # Errors
    /// The file can't be written, or holds more than an earlier summary.
    pub fn open(&self) -> Result<Summary, Error> {
        let Some(path) = &self.summary else { return Ok(Summary(None)) };
        let wrong = |why: &dyn Display| Error::new(format!("--summary {}: {why}", path.display()));
        // A plan or a journal that is named by mistake is not lost.
        if holds_more(path) {
            return Err(wrong(&"the file contains something else, and is not overwritten"));
        }
        let file = File::create(path).map_err(|error| wrong(&error))?;
        Ok(Summary(Some((path.clone(), file))))
    }
}

/// Whether a file holds more than one line.
fn holds_more(path: &Path) -> bool {
    /// No summary is as long.
    const LONG: u64 = 1024;
    match std::fs::metadata(path) {
        Ok(file) if file.is_file() && file.len() > LONG => true,
        Ok(file) if file.is_file() => std::fs::read(path).is_ok_and(|bytes| bytes.contains(&b'\n')),
        _ => false,
    }
}

impl Summary {
    /// Writes the line without a line's end, which no message has. What was done is done, so a failure is only told.
    pub fn write(self, line: &str, streams: &mut Streams) {
        let Some((path, mut file)) = self.0 else { return };
        if let Err(error) = file.write_all(line.as_bytes()) {
            streams.say(escape(&format!("Warning: --summary {}: {error}", path.display())));
        }
    }
}
