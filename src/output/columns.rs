//! The one table writer: columns three spaces apart, without borders.

use std::io;
use std::io::Write;
use tabled::grid::util::string::get_text_width;

/// The columns of a table: their names, and their widths once all rows were measured.
pub(crate) struct Columns<'c> {
    names: &'c [&'c str],
    widths: Vec<usize>,
    pub(crate) rows: u64,
}

impl<'c> Columns<'c> {
    /// A table whose rows come one by one. Without names it has no header, and takes its columns from the rows.
    pub(crate) fn new(names: &'c [&'c str]) -> Self {
        Self { names, widths: names.iter().map(|name| get_text_width(name)).collect(), rows: 0 }
    }

    /// A table whose rows are known.
    pub(crate) fn of(names: &'c [&'c str], rows: &[Vec<String>]) -> Self {
        let mut columns = Self::new(names);
        rows.iter().for_each(|row| columns.measure(row));
        columns
    }

    pub(crate) fn measure(&mut self, row: &[String]) {
        self.rows += 1;
        // A row may have a remark behind the last column that has a name.
        self.widths.resize(self.widths.len().max(row.len()), 0);
        self.widths.iter_mut().zip(row).for_each(|(width, cell)| *width = get_text_width(cell).max(*width));
    }

    /// Writes the names, if there are any.
    pub(crate) fn header(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.names.is_empty() { Ok(()) } else { self.row(out, self.names) }
    }

    pub(crate) fn row(&self, out: &mut dyn Write, row: &[impl AsRef<str>]) -> io::Result<()> {
        writeln!(out, "{}", self.line(row))
    }

    /// A row without the end of its line.
    pub(crate) fn line(&self, row: &[impl AsRef<str>]) -> String {
        let mut line = String::new();
        for (at, cell) in row.iter().map(AsRef::as_ref).enumerate() {
            line.push_str(cell);
            let width = self.widths.get(at).copied().unwrap_or_default();
            line.extend(std::iter::repeat_n(' ', width.saturating_sub(get_text_width(cell)) + 3));
        }
        line.truncate(line.trim_end().len());
        line
    }
}

/// Writes a table below an empty line; writes nothing if there are no rows.
pub(crate) fn table(out: &mut dyn Write, names: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let columns = Columns::of(names, rows);
    writeln!(out)?;
    columns.header(out)?;
    rows.iter().try_for_each(|row| columns.row(out, row))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(names: &[&str], rows: &[&[&str]]) -> String {
        let rows: Vec<Vec<String>> =
            rows.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect();
        let mut out = Vec::new();
        let written = table(&mut out, names, &rows);
        assert!(written.is_ok());
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows: &[&[&str]] = &[&["train", "1"], &["größe-模型", "12", "a remark"], &["", "3"]];
        assert_eq!(
            written(&["NAME", "OBJECTS"], rows),
            "\nNAME         OBJECTS\ntrain        1\ngröße-模型   12        a remark\n             3\n"
        );
        assert_eq!(written(&["NAME"], &[]), "");
    }
}
