//! Small pieces of HTML: escaped text, numbers and tables.

use crate::output::escape::escape;
use crate::output::text::size;
use std::io::Write;
use std::{fmt, io};

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

/// Prose of our own, in which `words` are code.
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

/// A table that can be scrolled by keyboard; columns with whether they are numbers.
pub(crate) fn begin_table(
    out: &mut impl Write,
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

pub(crate) fn end_table(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "</tbody></table></div>")
}

/// A cell with the number it is ordered by; what is not known is less than anything.
pub(crate) fn number(out: &mut impl Write, value: Option<u64>, text: &dyn fmt::Display) -> io::Result<()> {
    let value = value.map_or_else(|| "-1".to_owned(), |value| value.to_string());
    write!(out, "<td class=\"number\" data-v=\"{value}\">{text}</td>")
}

pub(crate) fn bytes(out: &mut impl Write, value: Option<u64>) -> io::Result<()> {
    number(out, value, &value.map_or_else(|| "unknown".to_owned(), size))
}
