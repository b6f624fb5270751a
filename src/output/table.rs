//! A table for terminals: a row per workflow and reason, or per artifact, or totals in their place.

use crate::output::columns::Columns;
use crate::output::headline::headline;
use crate::output::next;
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
    fn write(&self, out: &mut dyn Write, view: &View) -> io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let (names, mut cells) = cells(view, self.per_artifact, &self.rows);
        let location = names.iter().position(|column| *column == "LOCATION");
        if let (Some(at), Some(width)) = (location, view.width.filter(|_| view.interactive)) {
            fit(&names, &mut cells, at, width);
        }
        let names = if view.no_headers { &[] } else { &names[..] };
        let columns = Columns::of(names, &cells);
        columns.header(out)?;
        for (row, cells) in self.rows.iter().zip(&cells) {
            let line = columns.line(cells);
            let line = if view.color { paint(&line, row.verdict) } else { line };
            writeln!(out, "{line}")?;
        }
        Ok(())
    }
}

impl FormatWriter for Table {
    fn workflow(&mut self, _: &mut dyn Write, view: &View, shown: &Assessment) -> io::Result<()> {
        match view.group_by {
            Some(by) => self.totals.add(by, shown, &view.prices),
            None if self.per_artifact => self.rows.extend(rows::artifacts(shown)),
            None => self.rows.extend(rows::groups(shown)),
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, out: &mut dyn Write, view: &View, end: &End<'_>) -> io::Result<()> {
        rows::sort(&mut self.rows, view.sort_by);
        if !view.no_headers && end.inspection.summary.workflows > 0 {
            writeln!(out, "{}", headline(end.inspection, &view.prices))?;
            if !self.rows.is_empty() {
                writeln!(out)?;
            }
        }
        match view.group_by {
            Some(by) => self.totals.write(out, by, view.checked)?,
            None => self.write(out, view)?,
        }
        next::write(out, view, &self.rows, end.reasons)
    }
}

/// Shortens locations in the middle so that rows fit the terminal. At least 24 characters of them are kept.
fn fit(columns: &[&str], cells: &mut [Vec<String>], at: usize, width: usize) {
    let widest = |column: usize| {
        let header = columns.get(column).map_or(0, |name| name.len());
        cells.iter().map(|row| row[column].chars().count()).max().unwrap_or_default().max(header)
    };
    let others: usize =
        (0..=columns.len()).filter(|column| *column != at).map(|column| widest(column) + 3).sum();
    let room = width.saturating_sub(others).max(24);
    for row in cells {
        row[at] = shorten(&row[at], room);
    }
}

fn shorten(text: &str, room: usize) -> String {
    let length = text.chars().count();
    if length <= room {
        return text.to_owned();
    }
    let (head, tail) = (room / 2, room - room / 2 - 1);
    let start: String = text.chars().take(head).collect();
    let end: String = text.chars().skip(length - tail).collect();
    format!("{start}…{end}")
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

fn paint(line: &str, verdict: Verdict) -> String {
    let style = style(verdict);
    let word = format!("   {}   ", verdict.as_str());
    line.replacen(&word, &format!("   {style}{}{style:#}   ", verdict.as_str()), 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn shortening_keeps_to_the_room(text in ".{0,60}", room in 3usize..40) {
            prop_assert!(shorten(&text, room).chars().count() <= room.max(text.chars().count().min(room)));
        }
    }
}
