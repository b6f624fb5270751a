//! A report to paste into an issue.

use crate::output::headline::headline;
use crate::output::rows::{self, Row, finalizer};
use crate::output::view::View;
use crate::output::writer::{End, FormatWriter};
use argo_gc_core::model::assessment::Assessment;
use std::io;
use std::io::Write;

/// The rows so far.
#[derive(Default)]
pub(crate) struct Markdown {
    rows: Vec<Row>,
}

impl FormatWriter for Markdown {
    fn workflow(&mut self, _: &mut dyn Write, _: &View, shown: &Assessment) -> io::Result<()> {
        self.rows.extend(rows::groups(shown));
        Ok(())
    }

    fn finish(mut self: Box<Self>, out: &mut dyn Write, view: &View, end: &End<'_>) -> io::Result<()> {
        rows::sort(&mut self.rows, view.sort_by);
        if !view.no_headers {
            writeln!(out, "{}\n", cell(&headline(end.inspection, &view.prices)))?;
        }
        if self.rows.is_empty() {
            return Ok(());
        }
        let has_finalizers = self.rows.iter().any(|row| !finalizer(row, false).is_empty());
        let cells = self.rows.iter().map(|row| rows::cells(view, false, has_finalizers, row));
        table(out, &rows::columns(view, false, has_finalizers), &cells.collect::<Vec<_>>())?;
        for reason in end.reasons {
            let entry = reason.entry();
            writeln!(out, "\n### `{}`: {}\n\n{}\n\n{}", reason.code(), entry.title, entry.why, entry.remedy)?;
        }
        Ok(())
    }
}

/// Writes a table of escaped cells.
pub(crate) fn table(out: &mut dyn Write, names: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
    writeln!(out, "| {} |\n|{}", names.join(" | "), " --- |".repeat(names.len()))?;
    for row in rows {
        let row: Vec<String> = row.iter().map(|text| cell(text)).collect();
        writeln!(out, "| {} |", row.join(" | "))?;
    }
    Ok(())
}

/// Escapes text so that it neither ends a cell nor becomes markup.
fn cell(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '|' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '\\' | '#') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}
