//! The one table writer: columns three spaces apart, without borders, and no wider than the terminal. Names and codes are
//! never cut, because people copy them: a row that is too wide goes on below.

use anstyle::Style;
use std::io;
use std::io::Write;
use tabled::grid::util::string::get_text_width;

/// The space between columns, and the least of it where the terminal is narrow.
const GAP: usize = 3;
const NARROW: usize = 2;

/// The narrowest that an elastic column is worth to be shown.
const ELASTIC: usize = 24;

/// The indentation of a row's second line and those after it.
const INDENT: usize = 4;

/// How a table is laid out.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// Columns of the terminal, if there is one.
    pub width: Option<usize>,
    /// Whether there is a headline, and names above the columns.
    pub headers: bool,
}

/// The columns of a table: their names, and their widths once all rows were measured.
pub(crate) struct Columns<'c> {
    names: Vec<&'c str>,
    widths: Vec<usize>,
    /// The columns with a cell that says something, which an empty one and `<none>` don't.
    tells: Vec<bool>,
    /// Where a row takes several lines: its columns in their order there, each with whether it begins a line.
    lines: Vec<(usize, bool)>,
    gap: usize,
    pub(crate) rows: u64,
}

impl<'c> Columns<'c> {
    /// A table whose rows come one by one. Without names it has no header, and takes its columns from the rows.
    pub(crate) fn new(names: &[&'c str]) -> Self {
        let widths = names.iter().map(|name| get_text_width(name)).collect();
        Self { names: names.to_vec(), widths, tells: Vec::new(), lines: Vec::new(), gap: GAP, rows: 0 }
    }

    /// A table whose rows are known.
    pub(crate) fn of(names: &[&'c str], rows: &[Vec<String>]) -> Self {
        let mut columns = Self::new(names);
        rows.iter().for_each(|row| columns.measure(row));
        columns
    }

    pub(crate) fn measure(&mut self, row: &[String]) {
        self.rows += 1;
        self.widths.resize(self.widths.len().max(row.len()), 0);
        self.widths.iter_mut().zip(row).for_each(|(width, cell)| *width = get_text_width(cell).max(*width));
        self.tells.resize(self.tells.len().max(row.len()), false);
        self.tells.iter_mut().zip(row).for_each(|(tells, cell)| *tells |= !matches!(&**cell, "" | "<none>"));
    }

    /// Whether every line fits the terminal as it is.
    pub(crate) fn fits(&self, width: Option<usize>) -> bool {
        width.is_none_or(|width| self.total() <= width)
    }

    /// Leaves out a column.
    pub(crate) fn hide(&mut self, name: &str) {
        let at = self.names.iter().position(|column| *column == name);
        if let Some(width) = at.and_then(|at| self.widths.get_mut(at)) {
            *width = 0;
        }
    }

    /// Makes every line fit the terminal, if there is one, after all rows were measured.
    ///
    /// Columns that say nothing are left out first. The elastic columns, the least important first, get what the others
    /// leave. Where that is too little to be read, the first of them is left out. If the others are too wide by themselves,
    /// each row takes several lines.
    pub(crate) fn fit(mut self, width: Option<usize>, elastic: &[&str]) -> Self {
        let Some(width) = width.filter(|width| *width < self.total()) else { return self };
        self.gap = NARROW;
        self.widths
            .iter_mut()
            .zip(&self.tells)
            .filter(|(_, tells)| !**tells)
            .for_each(|(width, _)| *width = 0);
        let elastic: Vec<usize> =
            elastic.iter().filter_map(|name| self.names.iter().position(|column| column == name)).collect();
        let full = self.widths.clone();
        for left_out in 0..=elastic.len() {
            self.widths.clone_from(&full);
            for at in &elastic[..left_out] {
                self.widths[*at] = 0;
            }
            for at in &elastic[left_out..] {
                let over = self.total().saturating_sub(width);
                let least = self.widths[*at].min(ELASTIC);
                self.widths[*at] = self.widths[*at].saturating_sub(over).max(least);
            }
            if self.total() <= width {
                return self;
            }
        }
        self.break_lines(width);
        self
    }

    /// Cuts rows into lines. The first column stays the first, and what is wider than any line comes last.
    fn break_lines(&mut self, width: usize) {
        let mut order: Vec<usize> = (0..self.widths.len()).filter(|at| self.widths[*at] > 0).collect();
        if let Some((_, others)) = order.split_first_mut() {
            others.sort_by_key(|at| INDENT + self.widths[*at] > width);
        }
        let mut used = 0;
        for at in order {
            let cell = self.widths[at];
            let begins = used > 0 && used + self.gap + cell > width;
            used = match (begins, used) {
                (true, _) => INDENT + cell,
                (false, 0) => cell,
                (false, used) => used + self.gap + cell,
            };
            self.lines.push((at, begins));
        }
    }

    /// The width of the longest line. A column without width is not shown.
    fn total(&self) -> usize {
        let shown = self.widths.iter().filter(|width| **width > 0);
        shown.map(|width| width + self.gap).sum::<usize>().saturating_sub(self.gap)
    }

    /// Writes the names, if there are any.
    pub(crate) fn header(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.names.is_empty() { Ok(()) } else { self.row(out, &self.names) }
    }

    pub(crate) fn row(&self, out: &mut dyn Write, row: &[impl AsRef<str>]) -> io::Result<()> {
        self.painted(out, row, None)
    }

    /// Writes a row, with one of its cells in a style.
    pub(crate) fn painted(
        &self,
        out: &mut dyn Write,
        row: &[impl AsRef<str>],
        paint: Option<(usize, Style)>,
    ) -> io::Result<()> {
        let shown: Vec<(usize, bool)> = match self.lines.is_empty() {
            true => (0..self.widths.len()).filter(|at| self.widths[*at] > 0).map(|at| (at, false)).collect(),
            false => self.lines.clone(),
        };
        // The spaces that are due before the next cell that is not empty: no line ends with any.
        let (mut due, mut ends_line) = (0, false);
        for (at, begins) in shown {
            if begins {
                (due, ends_line) = (INDENT, true);
            }
            let Some(cell) = row.get(at) else { continue };
            let (width, cell) = (self.widths[at], shorten(cell.as_ref(), self.widths[at]));
            if !cell.is_empty() {
                if std::mem::take(&mut ends_line) {
                    writeln!(out)?;
                }
                write!(out, "{:due$}", "")?;
                due = 0;
                match paint.filter(|(painted, _)| *painted == at) {
                    Some((_, style)) => write!(out, "{style}{cell}{style:#}")?,
                    None => write!(out, "{cell}")?,
                }
            }
            due += width - get_text_width(&cell).min(width) + self.gap;
        }
        writeln!(out)
    }
}

/// Shortens a text in the middle to a number of columns.
fn shorten(text: &str, room: usize) -> String {
    let width = get_text_width(text);
    if width <= room {
        return text.to_owned();
    }
    // The whole text without a part in its middle. The parts that remain are no wider than what is left beside the dots.
    let head_room = room / 2;
    let tail_room = room.saturating_sub(head_room + 1);
    let head = text.char_indices().map(|(at, character)| at + character.len_utf8());
    let head = head.take_while(|end| get_text_width(&text[..*end]) <= head_room).last().unwrap_or(0);
    let tail = text.char_indices().rev().map(|(at, _)| at);
    let tail = tail.take_while(|start| get_text_width(&text[*start..]) <= tail_room).last();
    format!("{}…{}", &text[..head], &text[tail.unwrap_or(text.len())..])
}

/// Writes a table below an empty line; writes nothing if there are no rows.
pub(crate) fn table(
    out: &mut dyn Write,
    width: Option<usize>,
    names: &[&str],
    elastic: &[&str],
    rows: &[Vec<String>],
) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let columns = Columns::of(names, rows).fit(width, elastic);
    writeln!(out)?;
    columns.header(out)?;
    rows.iter().try_for_each(|row| columns.row(out, row))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(width: Option<usize>, names: &[&str], elastic: &[&str], rows: &[&[&str]]) -> String {
        let rows: Vec<Vec<String>> =
            rows.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect();
        let mut out = Vec::new();
        let written = table(&mut out, width, names, elastic, &rows);
        assert!(written.is_ok());
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows: &[&[&str]] = &[&["train", "1"], &["größe-模型", "12", "a remark"], &["", "3"]];
        assert_eq!(
            written(None, &["NAME", "OBJECTS"], &[], rows),
            "\nNAME         OBJECTS\ntrain        1\ngröße-模型   12        a remark\n             3\n"
        );
        assert_eq!(written(None, &["NAME"], &[], &[]), "");
    }

    #[test]
    fn a_narrow_terminal_gets_shorter_places_then_none_then_several_lines() {
        let names = &["WORKFLOW", "LOCATION", "AGE"];
        let rows: &[&[&str]] = &[&["train-x7k2p", "gs://bucket/train-x7k2p/model.tgz", "3d"]];
        let at = |width| written(Some(width), names, &["LOCATION"], rows);
        assert_eq!(
            at(53),
            "\nWORKFLOW      LOCATION                            AGE\n\
             train-x7k2p   gs://bucket/train-x7k2p/model.tgz   3d\n"
        );
        assert_eq!(
            at(44),
            "\nWORKFLOW     LOCATION                    AGE\ntrain-x7k2p  gs://bucket/t…2p/model.tgz  3d\n"
        );
        for width in [20, 41] {
            assert_eq!(at(width), "\nWORKFLOW     AGE\ntrain-x7k2p  3d\n");
        }
        assert_eq!(at(13), "\nWORKFLOW\n    AGE\ntrain-x7k2p\n    3d\n");
    }

    #[test]
    fn a_narrow_terminal_gets_no_column_that_says_nothing() {
        let names = &["NAMESPACE", "NOTES", "WHEN"];
        let rows: &[&[&str]] = &[&["ml", "<none>", "now"], &["etl", "<none>", "<none>"]];
        assert!(written(None, names, &[], rows).contains("NOTES"));
        let narrow = written(Some(20), names, &[], rows);
        assert_eq!(narrow, "\nNAMESPACE  WHEN\nml         now\netl        <none>\n");
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_the_terminal(
            width in 44usize..120,
            rows in proptest::collection::vec(proptest::collection::vec("[a-zä模]{0,20}", 5), 1..5),
        ) {
            let names = ["NAMESPACE", "WORKFLOW", "REASON", "LOCATION", "AGE"];
            let mut out = Vec::new();
            prop_assert!(table(&mut out, Some(width), &names, &["LOCATION"], &rows).is_ok());
            for line in String::from_utf8_lossy(&out).lines() {
                prop_assert!(get_text_width(line) <= width && line.trim_end() == line, "{}", line);
            }
            // Only locations are shortened.
            let shown = String::from_utf8_lossy(&out);
            for name in rows.iter().flat_map(|row| [&row[0], &row[1], &row[2], &row[4]]) {
                prop_assert!(shown.contains(name.as_str()), "{}", name);
            }
        }

        #[test]
        fn shortening_keeps_to_the_room(text in ".{0,60}", room in 3usize..40) {
            prop_assert!(get_text_width(&shorten(&text, room)) <= room);
        }
    }
}
