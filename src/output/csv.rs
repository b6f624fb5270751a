//! A line for each artifact, for spreadsheets.

use crate::output::escape::escape;
use crate::output::rows::{self, Row, finalizer};
use crate::output::view::View;
use crate::output::writer::{End, FormatWriter};
use argo_gc_core::model::assessment::Assessment;
use std::io;
use std::io::Write;

const COLUMNS: [&str; 13] = [
    "namespace",
    "workflow",
    "node",
    "artifact",
    "strategy",
    "verdict",
    "reason",
    "notes",
    "when",
    "bytes",
    "location",
    "finalizer",
    "finishedAt",
];

/// Comma-separated values. What a table shows as `<none>` is empty.
#[derive(Default)]
pub(crate) struct Csv {
    begun: bool,
}

impl Csv {
    fn write(&mut self, out: &mut dyn Write, view: &View, rows: &[Row]) -> io::Result<()> {
        let mut writer = csv::Writer::from_writer(out);
        if !self.begun && !view.no_headers {
            writer.write_record(COLUMNS)?;
        }
        self.begun = true;
        for row in rows {
            writer.write_record(record(row))?;
        }
        writer.flush()
    }
}

impl FormatWriter for Csv {
    fn workflow(&mut self, out: &mut dyn Write, view: &View, shown: &Assessment) -> io::Result<()> {
        self.write(out, view, &rows::artifacts(shown))
    }

    fn finish(mut self: Box<Self>, out: &mut dyn Write, view: &View, _: &End<'_>) -> io::Result<()> {
        self.write(out, view, &[])
    }
}

fn record(row: &Row) -> [String; 13] {
    let [node, artifact, strategy] = row.artifact.clone().unwrap_or_default();
    let cells = [
        row.namespace.clone(),
        row.workflow.clone(),
        node,
        artifact,
        strategy,
        row.verdict.as_str().to_owned(),
        row.reason.to_owned(),
        row.notes.clone(),
        row.when.clone(),
        row.bytes.map(|bytes| bytes.to_string()).unwrap_or_default(),
        row.location.clone(),
        finalizer(row, true).to_owned(),
        row.since.map(|since| since.to_string()).unwrap_or_default(),
    ];
    cells.map(|cell| cell_of(&cell))
}

/// A cell that no terminal obeys and no spreadsheet takes for a formula.
fn cell_of(text: &str) -> String {
    if text == "<none>" {
        return String::new();
    }
    let text = escape(text);
    let formula = text.starts_with(['=', '+', '-', '@']);
    if formula { format!("'{text}") } else { text.into_owned() }
}

#[cfg(test)]
mod tests {
    use super::cell_of;

    #[test]
    fn no_cell_is_a_formula_or_a_placeholder() {
        assert_eq!(cell_of("=HYPERLINK(1)"), "'=HYPERLINK(1)");
        assert_eq!(cell_of("<none>"), "");
        assert_eq!(cell_of("gs://b/a,b"), "gs://b/a,b");
        assert_eq!(cell_of("a\u{1b}[2J"), "a\\u{1b}[2J");
    }
}
