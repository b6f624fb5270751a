//! A table for terminals: a row per workflow and reason, or per artifact, or totals in their place.

use crate::disk_queue::sort::DiskSort;
use crate::error::Error;
use crate::output::columns::Columns;
use crate::output::headline::headline;
use crate::output::next::{self, First, Next};
use crate::output::prose::Prose;
use crate::output::rows::{self, Rank, Row, finalizer, rank};
use crate::output::totals::Totals;
use crate::output::view::{GroupBy, View};
use crate::output::writer::{End, FormatWriter};
use anstyle::{AnsiColor, Style};
use argo_gc_core::doctor::folders::Folders;
use argo_gc_core::model::assessment::Assessment;
use argo_gc_core::verdict::Verdict;
use serde::{Deserialize, Serialize};
use std::io;
use std::io::Write;

/// The rows so far, and the totals if the view groups by something.
#[derive(Default)]
pub(crate) struct Table {
    per_artifact: bool,
    rows: DiskSort<Shown>,
    /// None before the first row. There is a column for finalizers.
    columns: Option<Columns<'static>>,
    has_finalizers: bool,
    totals: Totals,
}

/// A row as it is shown. They are ordered by rank and number.
#[derive(PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Shown {
    rank: Rank,
    number: u64,
    cells: Vec<String>,
    namespace: String,
    workflow: String,
    verdict: Verdict,
    reason: String,
    is_to_come: bool,
    stuck: bool,
    outside: Vec<String>,
}

impl Table {
    /// A table with a row for each artifact.
    pub fn per_artifact() -> Self {
        Self { per_artifact: true, ..Self::default() }
    }

    fn add(&mut self, view: &View, row: Row, outside: &[String]) -> Result<(), Error> {
        let new = || Columns::new(&rows::columns(view, self.per_artifact, true));
        let columns = self.columns.get_or_insert_with(new);
        let cells = rows::cells(view, self.per_artifact, true, &row);
        let text = cells.iter().map(|cell| cell.len() + size_of::<String>()).sum::<usize>();
        let shown = Shown {
            rank: rank(&row, view.sort_by),
            number: columns.rows,
            cells,
            namespace: row.namespace.clone(),
            workflow: row.workflow.clone(),
            verdict: row.verdict,
            reason: row.reason.to_owned(),
            is_to_come: row.is_to_come,
            stuck: row.stuck,
            outside: outside.to_vec(),
        };
        columns.measure(&shown.cells);
        self.has_finalizers |= !finalizer(&row, self.per_artifact).is_empty();
        self.rows.push(shown, text + row.namespace.len() + row.workflow.len())
    }

    /// Writes the rows; writes nothing if there are none.
    fn write(self, out: &mut dyn Write, view: &View) -> Result<Next, Error> {
        let mut next = Next::default();
        let Some(mut columns) = self.columns else { return Ok(next) };
        if !self.has_finalizers {
            columns.hide("FINALIZER");
        }
        // The table of artifacts is for who wants all of it: its rows take several lines where one is too narrow.
        let elastic: &[&str] = match self.per_artifact {
            true => &[],
            false => &["LOCATION", "LABELS", "ARTIFACTS", "AGE", "FINALIZER"],
        };
        let columns = columns.fit(view.width, elastic);
        if !view.no_headers {
            columns.header(out)?;
        }
        let names = rows::columns(view, self.per_artifact, true);
        let verdict = names.iter().position(|name| *name == "VERDICT").filter(|_| view.color);
        for shown in self.rows.into_sorted()? {
            let Shown {
                cells, namespace, workflow, verdict: of_row, reason, is_to_come, stuck, outside, ..
            } = shown?;
            columns.painted(out, &cells, verdict.map(|at| (at, style(of_row))))?;
            if of_row == Verdict::Failing && next.failing.is_none() {
                next.failing = Some(namespace.clone());
            }
            let is_for_purge = of_row <= Verdict::Failing && !is_to_come;
            next.first.get_or_insert(First { namespace, workflow, reason, is_for_purge, stuck, outside });
        }
        Ok(next)
    }
}

impl FormatWriter for Table {
    fn workflow(&mut self, _: &mut dyn Write, view: &View, shown: &Assessment) -> io::Result<()> {
        if let Some(by) = &view.group_by {
            self.totals.add(by, shown, &view.prices);
            return Ok(());
        }
        let rows = if self.per_artifact { rows::artifacts(shown) } else { rows::groups(shown) };
        let outside =
            view.allowed.as_ref().map(|allowed| Folders::of(shown).outside(allowed)).unwrap_or_default();
        rows.into_iter().try_for_each(|row| self.add(view, row, &outside)).map_err(io::Error::other)
    }

    fn finish(self: Box<Self>, out: &mut dyn Write, view: &View, end: &End<'_>) -> io::Result<()> {
        let out = &mut Prose::new(out, view.width);
        if !view.no_headers && end.inspection.summary.workflows > 0 {
            writeln!(out, "{}", headline(end.inspection, &view.prices))?;
            if self.columns.is_some() {
                writeln!(out)?;
            }
        }
        let next = match &view.group_by {
            Some(by) => {
                let first = self.totals.write(out, view.width, by, view.checked)?;
                match by {
                    GroupBy::Reason => Next { reason: first, ..Next::default() },
                    GroupBy::Namespace => Next { namespace: first, ..Next::default() },
                    _ => Next::default(),
                }
            }
            None => self.write(out, view).map_err(io::Error::other)?,
        };
        next::write(out, view, &next, end)
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
