//! `--summary` writes how a run ended to a file.

use crate::cli::streams::Streams;
use crate::error::Error;
use crate::output::escape::escape;
use clap::Args;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

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
    pub fn open(&self) -> Result<Summary, Error> {
        let Some(path) = &self.summary else { return Ok(Summary(None)) };
        match File::create(path) {
            Ok(file) => Ok(Summary(Some((path.clone(), file)))),
            Err(error) => Err(Error::new(format!("--summary {}: {error}", path.display()))),
        }
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
