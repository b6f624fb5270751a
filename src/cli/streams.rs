//! The streams of the process, as the verbs use them.

use crate::interrupt::Stop;
use std::io::{Read, Write};
use std::sync::Arc;

/// What the process gives the library to talk to.
pub struct Streams {
    pub out: Box<dyn Write + Send>,
    pub err: Box<dyn Write + Send>,
    pub input: Box<dyn Read + Send>,
    pub out_is_terminal: bool,
    pub err_is_terminal: bool,
    pub in_is_terminal: bool,
    /// Columns of the terminal.
    pub width: Option<usize>,
    /// `NO_COLOR` or `TERM=dumb`.
    pub no_color: bool,
    /// Told of interrupts by the process.
    pub stop: Arc<Stop>,
    /// Begins to log, at the level of `-v`.
    pub log: Box<dyn Fn(u8) + Send>,
}

impl Streams {
    /// Prints lines on standard error, made harmless for terminals; that they can't be printed changes nothing.
    pub(crate) fn say(&mut self, text: impl std::fmt::Display) {
        for line in text.to_string().lines() {
            let _ = writeln!(self.err, "{}", crate::output::escape::escape(line));
        }
    }
}
