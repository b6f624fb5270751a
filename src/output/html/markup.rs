//! Small pieces of HTML: escaped text, numbers and tables.

use crate::output::escape::escape;
use crate::output::text::size;
use std::io::Write;
use std::{fmt, io};

/// The largest number of rows in a table; more would be too many for a browser, and for a reader.
pub(crate) const ROWS: usize = 2000;

/// Text, harmless within HTML: in elements and in quoted attributes.
pub(crate) struct Text<'a>(pub(crate) &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in escape(self.0).chars() {
            match c {
                '&' => f.write_str("&amp;"),
                '<' => f.write_str("&lt;"),
                '>' => f.write_str("&gt;"),
                '"' => f.write_str("&quot;"),
                '\'' => f.write_str("&#39;"),
                c => write!(f, "{c}"),
            }?;
        }
        Ok(())
    }
}

/// Text of the catalogue, in which words between backquotes are code.
pub(crate) struct Prose<'a>(pub(crate) &'a str);

impl fmt::Display for Prose<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, part) in self.0.split('`').enumerate() {
            match at % 2 {
                0 => write!(f, "{}", Text(part))?,
                _ => write!(f, "<code>{}</code>", Text(part))?,
            }
        }
        Ok(())
    }
}

/// `12,345`.
pub(crate) struct Number(pub(crate) u64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (at, digit) in digits.chars().enumerate() {
            let left = digits.len() - at;
            f.write_str(if at > 0 && left.is_multiple_of(3) { "," } else { "" })?;
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

/// Begins a table that can be scrolled by keyboard. Each column says whether it holds numbers.
pub(crate) fn begin_table(
    out: &mut dyn Write,
    id: &str,
    caption: &str,
    columns: &[(&str, bool)],
) -> io::Result<()> {
    write!(
        out,
        "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-labelledby=\"{id}-caption\"><table id=\"{id}\" \
         class=\"sortable\"><caption id=\"{id}-caption\">{}</caption><thead><tr>",
        Text(caption)
    )?;
    for (name, numeric) in columns {
        let class = if *numeric { " class=\"number\"" } else { "" };
        write!(out, "<th scope=\"col\"{class}>{name}</th>")?;
    }
    writeln!(out, "</tr></thead><tbody>")
}

/// Writes a section with a list of warnings; writes nothing if there are none.
pub(crate) fn notice(out: &mut dyn Write, id: &str, title: &str, lines: &[String]) -> io::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    write!(out, "<section class=\"notice\" aria-labelledby=\"{id}\"><h2 id=\"{id}\">{title}</h2><ul>")?;
    lines.iter().try_for_each(|line| write!(out, "<li>{}</li>", Text(line)))?;
    writeln!(out, "</ul></section>")
}

pub(crate) fn end_table(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "</tbody></table></div>")
}

/// Writes a cell with the number that it is sorted by. An unknown number sorts before all others.
pub(crate) fn number(out: &mut dyn Write, value: Option<u64>, text: &dyn fmt::Display) -> io::Result<()> {
    let value = value.map_or_else(|| "-1".to_owned(), |value| value.to_string());
    write!(out, "<td class=\"number\" data-v=\"{value}\">{text}</td>")
}

pub(crate) fn bytes(out: &mut dyn Write, value: Option<u64>) -> io::Result<()> {
    number(out, value, &value.map_or_else(|| "unknown".to_owned(), size))
}
