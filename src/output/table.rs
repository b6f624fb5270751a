//! A table for terminals: a row per workflow and reason, or per artifact, or totals in their place.

use crate::output::columns::Columns;
use crate::output::headline::headline;
use crate::output::next;
use crate::output::prose::Prose;
use crate::output::rows::{self, Row, cells};
use crate::output::totals::Totals;
use crate::output::view::View;
use crate::output::writer::{End, FormatWriter};
use anstyle::{AnsiColor, Style};
use argo_gc_core::model::assessment::Assessment;
use argo_gc_core::verdict::Verdict;
use std::io;
use std::io::Write;

/// The rows so far, and the totals if the view groups by something.
#[derive(Default)]
pub(crate) struct Table {
    per_artifact: bool,
    rows: Vec<Row>,
    totals: Totals,
}

impl Table {
    /// A table with a row for each artifact.
    pub fn per_artifact() -> Self {
        Self { per_artifact: true, ..Self::default() }
    }

    /// Writes the rows; writes nothing if there are none.
    fn write(&self, out: &mut dyn Write, width: Option<usize>, view: &View) -> io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let (names, cells) = cells(view, self.per_artifact, &self.rows);
        let columns = Columns::of(&names, &cells).fit(width, &["LOCATION", "LABELS", "ARTIFACTS"]);
        if !view.no_headers {
            columns.header(out)?;
        }
        let verdict = names.iter().position(|name| *name == "VERDICT").filter(|_| view.color);
        for (row, cells) in self.rows.iter().zip(&cells) {
            columns.painted(out, cells, verdict.map(|at| (at, style(row.verdict))))?;
        }
        Ok(())
    }
}

impl FormatWriter for Table {
    fn workflow(&mut self, _: &mut dyn Write, view: &View, shown: &Assessment) -> io::Result<()> {
        match &view.group_by {
            Some(by) => self.totals.add(by, shown, &view.prices),
            None if self.per_artifact => self.rows.extend(rows::artifacts(shown)),
            None => self.rows.extend(rows::groups(shown)),
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, out: &mut dyn Write, view: &View, end: &End<'_>) -> io::Result<()> {
        // The table of artifacts may be wide.
        let width = view.width.filter(|_| !self.per_artifact);
        let out = &mut Prose::new(out, width);
        rows::sort(&mut self.rows, view.sort_by);
        if !view.no_headers && end.inspection.summary.workflows > 0 {
            writeln!(out, "{}", headline(end.inspection, &view.prices))?;
            if !self.rows.is_empty() {
                writeln!(out)?;
            }
        }
        match &view.group_by {
            Some(by) => self.totals.write(out, view.width, by, view.checked)?,
            None => self.write(out, width, view)?,
        }
        next::write(out, view, &self.rows, end.reasons)
    }
}

/// Returns the colour of a verdict.
pub(crate) fn style(verdict: Verdict) -> Style {
    let color = match verdict {
        Verdict::Uncovered | Verdict::Failing | Verdict::Endangered => AnsiColor::Red,
        Verdict::Unknown => AnsiColor::Yellow,
        Verdict::Kept => AnsiColor::Cyan,
        Verdict::Covered | Verdict::Collected => AnsiColor::Green,
    };
    Style::new().fg_color(Some(color.into()))
}
