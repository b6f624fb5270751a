//! A report to paste into an issue.

use crate::output::headline::headline;
use crate::output::table;
use crate::output::view::View;
use argo_gc_core::inspection::Inspection;
use argo_gc_core::reason::Reason;
use std::io;
use std::io::Write;

pub(crate) fn write(
    out: &mut impl Write,
    view: &View,
    rows: &[table::Row],
    reasons: &[Reason],
    inspection: &Inspection,
) -> io::Result<()> {
    if !view.no_headers {
        writeln!(out, "{}\n", cell(&headline(inspection, &view.prices)))?;
    }
    if rows.is_empty() {
        return Ok(());
    }
    let (mut columns, cells) = table::cells(view, rows);
    columns.push("");
    writeln!(out, "| {} |\n|{}", columns.join(" | "), " --- |".repeat(columns.len()))?;
    for row in cells {
        let row: Vec<String> = row.iter().map(|text| cell(text)).collect();
        writeln!(out, "| {} |", row.join(" | "))?;
    }
    for reason in reasons {
        let entry = reason.entry();
        writeln!(out, "\n### `{}`: {}\n\n{}\n\n{}", reason.code(), entry.title, entry.why, entry.remedy)?;
    }
    Ok(())
}

/// Keeps text from the cluster from ending a cell or becoming markup.
pub(crate) fn cell(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '|' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '\\' | '#') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}
