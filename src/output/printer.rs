//! Prints assessments one by one, in the format that the user chose.

use crate::output::view::View;
use crate::output::writer::{End, FormatWriter};
use argo_gc_core::inspection::Inspection;
use argo_gc_core::model::assessment::Assessment;
use argo_gc_core::reason::Reason;
use std::io;
use std::io::Write;

/// Prints an inspection while it runs.
pub struct Printer<W> {
    out: W,
    view: View,
    format: Box<dyn FormatWriter>,
    /// Reasons met, for what comes after the rows.
    reasons: Vec<Reason>,
}

impl<W: Write> Printer<W> {
    /// Begins the output.
    pub fn new(out: W, view: View, format: Box<dyn FormatWriter>) -> Self {
        Self { out, view, format, reasons: Vec::new() }
    }

    /// Shows those parts of an assessment that the view selects.
    ///
    /// # Errors
    /// Writing failed; a closed pipe is returned unchanged.
    pub fn assessment(&mut self, assessment: Assessment) -> io::Result<()> {
        self.format.unfiltered(&self.view, &assessment);
        let Some(assessment) = self.view.cut(assessment) else { return Ok(()) };
        self.format.workflow(&mut self.out, &self.view, &assessment)?;
        let found = assessment.artifacts.iter().filter_map(|artifact| artifact.reason);
        for reason in found.chain(assessment.findings.iter().map(|finding| finding.reason)) {
            if !self.reasons.contains(&reason) {
                self.reasons.push(reason);
            }
        }
        Ok(())
    }

    /// Ends the output with the counts and the gaps.
    ///
    /// # Errors
    /// As [`Self::assessment`].
    pub fn finish(mut self, inspection: &Inspection) -> io::Result<()> {
        self.format.finish(&mut self.out, &self.view, &End { reasons: &self.reasons, inspection })?;
        self.out.flush()
    }
}
