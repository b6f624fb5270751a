//! The one table writer: columns three spaces apart, without borders.

use std::io;
use std::io::Write;
use tabled::builder::Builder;
use tabled::grid::util::string::get_text_width;
use tabled::settings::{Padding, Style as Borders};

/// The columns of a table whose rows come one by one.
pub(crate) struct Columns<'c> {
    pub(crate) names: &'c [&'c str],
    pub(crate) widths: Vec<usize>,
    pub(crate) rows: u64,
}

impl<'c> Columns<'c> {
    pub(crate) fn new(names: &'c [&'c str]) -> Self {
        Self { names, widths: names.iter().map(|name| name.len()).collect(), rows: 0 }
    }

    pub(crate) fn measure(&mut self, row: &[String]) {
        self.rows += 1;
        self.widths.iter_mut().zip(row).for_each(|(width, cell)| *width = get_text_width(cell).max(*width));
    }

    /// An empty line and the names.
    pub(crate) fn header(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out)?;
        self.row(out, self.names)
    }

    pub(crate) fn row(&self, out: &mut dyn Write, row: &[impl AsRef<str>]) -> io::Result<()> {
        let mut line = String::new();
        for (at, cell) in row.iter().map(AsRef::as_ref).enumerate() {
            line.push_str(cell);
            let width = self.widths.get(at).copied().unwrap_or_default();
            line.extend(std::iter::repeat_n(' ', width.saturating_sub(get_text_width(cell)) + 3));
        }
        writeln!(out, "{}", line.trim_end())
    }
}

/// A table below an empty line; nothing where there are no rows.
pub(crate) fn table(out: &mut dyn Write, columns: &[&str], rows: Vec<Vec<String>>) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut builder = Builder::new();
    builder.push_record(columns.iter().copied());
    rows.into_iter().for_each(|row| builder.push_record(row));
    let mut table = builder.build();
    table.with(Borders::empty()).with(Padding::new(0, 3, 0, 0));
    writeln!(out)?;
    table.to_string().lines().try_for_each(|line| writeln!(out, "{}", line.trim_end()))
}
