//! The streams of the process that the verbs use.

use crate::cli::hints;
use crate::error::{Error, exit};
use crate::interrupt::Stop;
use crate::output::escape::escape;
use crate::output::prose::Prose;
use crate::progress::Progress;
use std::io::{Read, Write};
use std::sync::Arc;

/// The streams that the process gives to the library, and what is known of its terminal.
pub struct Streams {
    pub out: Box<dyn Write + Send>,
    pub err: Box<dyn Write + Send>,
    pub input: Box<dyn Read + Send>,
    pub out_is_terminal: bool,
    pub err_is_terminal: bool,
    pub in_is_terminal: bool,
    /// The number of columns of the terminal that shows standard output; none if it goes elsewhere.
    pub width: Option<usize>,
    /// The same for standard error.
    pub err_width: Option<usize>,
    /// Whether `NO_COLOR` or `TERM=dumb` is set.
    pub no_color: bool,
    /// Told how far the run is.
    pub progress: Progress,
    /// The process reports interrupts here.
    pub stop: Arc<Stop>,
    /// Starts logging at the level of `-v`.
    pub log: Box<dyn Fn(u8) + Send>,
}

impl Streams {
    /// Prints lines on standard error with control characters escaped. Errors are ignored, because there is nowhere to
    /// report them.
    pub(crate) fn say(&mut self, text: impl std::fmt::Display) {
        let mut err = Prose::new(&mut self.err, self.err_width);
        for line in text.to_string().lines() {
            let _ = writeln!(err, "{}", escape(line));
        }
    }

    /// Ends a run after which something else may have failed, such as handing over its result. The failures are told; the first is
    /// the run's own unless the run has another code to tell of.
    ///
    /// # Errors
    /// That of the run, or the first failure.
    pub(crate) fn after_all(
        &mut self,
        failures: [Option<Error>; 2],
        ended: Result<u8, Error>,
    ) -> Result<u8, Error> {
        let mut failures = failures.into_iter().flatten().peekable();
        if failures.peek().is_none() {
            return ended;
        }
        self.out.flush()?;
        let ended = match ended {
            Ok(exit::DONE) => failures.next().map_or(ended, Err),
            ended => ended,
        };
        failures.for_each(|failure| self.say(hints::shown(&failure)));
        ended
    }
}
