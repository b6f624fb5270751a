//! What an output format of `inspect` has to do.

use crate::output::view::View;
use argo_gc_core::inspection::Inspection;
use argo_gc_core::model::assessment::Assessment;
use argo_gc_core::reason::Reason;
use std::io;
use std::io::Write;

/// Writes an inspection in one format.
pub trait FormatWriter {
    /// Takes in an assessment as a whole, before the view's filter.
    fn unfiltered(&mut self, _view: &View, _assessment: &Assessment) {}

    /// Takes in what the view shows of a workflow. The format writes it now, or keeps it until the end.
    ///
    /// # Errors
    /// Writing failed.
    fn workflow(&mut self, out: &mut dyn Write, view: &View, shown: &Assessment) -> io::Result<()>;

    /// Ends the output.
    ///
    /// # Errors
    /// Writing failed.
    fn finish(self: Box<Self>, out: &mut dyn Write, view: &View, end: &End<'_>) -> io::Result<()>;
}

/// What is known only after the last workflow.
pub struct End<'a> {
    /// The reasons of what was shown, in the order in which they were met.
    pub reasons: &'a [Reason],
    pub inspection: &'a Inspection,
}
