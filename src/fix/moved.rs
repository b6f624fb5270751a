//! The text of an inline body as an item of the list of templates.

use crate::fix::edit::Layout;
use crate::fix::{LAYOUT, edit};
use crate::syntax::tree::{Node, Shape};

/// A block body as a new item of a block list.
pub(crate) fn block(
    layout: &Layout<'_>,
    last: &Node,
    templates: &Node,
    lines: &str,
    body: &Node,
    name: &str,
) -> String {
    let dash = templates.column - 1;
    let column = if edit::is_flow(last) { dash + 2 } else { (last.column - 1).max(dash + 2) };
    let from = body.column - 1;
    let lines = without_name(layout, lines, body);
    let shifted = edit::shift(&lines, column as isize - from as isize, from);
    let shifted = if shifted.ends_with('\n') { shifted } else { format!("{shifted}{}", layout.newline) };
    let gap = " ".repeat(column - dash - 1);
    let (pad, newline) = (" ".repeat(dash), layout.newline);
    format!("{pad}-{gap}name: {}{newline}{shifted}", edit::scalar(name, false))
}

/// The body's lines without its own name, which no node ever had. A comment beside it stays.
fn without_name(layout: &Layout<'_>, lines: &str, body: &Node) -> String {
    let Some((key, value)) = body.entry("name") else { return lines.to_owned() };
    let (from, to) = (layout.line_start(key.span.start), layout.line_end(value.span.end));
    let own = &layout.text[from..to];
    let comment = layout.text[value.span.end..to].trim_start_matches([' ', '\t']);
    let comment = match comment.starts_with('#') {
        true => format!("{}{comment}", &layout.text[from..key.span.start]),
        false => String::new(),
    };
    lines.replacen(own, &comment, 1)
}

/// A flow body as a new item of a block or flow list.
pub(crate) fn flow(
    layout: &Layout<'_>,
    templates: &Node,
    last: &Node,
    key: &Node,
    body: &Node,
    name: &str,
) -> Result<String, String> {
    let Shape::Map { entries, .. } = &body.shape else { return Err(LAYOUT.to_owned()) };
    let quoted = layout.text[key.span.clone()].starts_with('"');
    let name_key = if quoted { "\"name\"" } else { "name" };
    let entry = format!("{name_key}: {}", edit::scalar(name, quoted));
    let text = &layout.text[body.span.clone()];
    let named = match (body.entry("name"), entries.first()) {
        (Some((own, value)), _) => {
            let (from, to) = (own.span.start - body.span.start, value.span.end - body.span.start);
            format!("{}{entry}{}", &text[..from], &text[to..])
        }
        (None, None) => format!("{{{entry}}}"),
        (None, Some((first, _))) => {
            // The text between the brace and the first key is repeated between the name and that key.
            let at = first.span.start - body.span.start;
            let between = &text[1..at];
            let gap = if between.contains('\n') { between } else { " " };
            let comment = between.contains('#');
            if comment {
                return Err(LAYOUT.to_owned());
            }
            format!("{}{entry},{gap}{}", &text[..at], &text[at..])
        }
    };
    let from = layout.indent(key.span.start);
    if edit::is_flow(templates) {
        let start = layout.line_start(last.span.start);
        let alone = layout.text[start..last.span.start].trim().is_empty();
        let to = layout.indent(last.span.start);
        let shifted = shift_rest(&named, to as isize - from as isize);
        return Ok(match alone {
            true => format!(",{}{}{shifted}", layout.newline, " ".repeat(to)),
            false => format!(", {shifted}"),
        });
    }
    let dash = templates.column - 1;
    let shifted = shift_rest(&named, (dash + 2) as isize - from as isize);
    Ok(format!("{}- {shifted}{}", " ".repeat(dash), layout.newline))
}

/// Indents all lines but the first, which begins in the middle of a line.
fn shift_rest(text: &str, by: isize) -> String {
    match text.split_once('\n') {
        None => text.to_owned(),
        Some((first, rest)) => format!("{first}\n{}", edit::shift(rest, by, 0)),
    }
}
