//! Edits of a text at places of its tree, in the style of the text around them.

use crate::syntax::tree::{Node, Shape};
use std::ops::Range;

/// Replacements; none may overlap another.
#[derive(Debug, Default)]
pub(crate) struct Edits(Vec<(Range<usize>, String)>);

impl Edits {
    pub fn replace(&mut self, range: Range<usize>, text: impl Into<String>) {
        self.0.push((range, text.into()));
    }

    pub fn insert(&mut self, at: usize, text: impl Into<String>) {
        self.replace(at..at, text);
    }

    /// The edited text; none if edits overlap.
    pub fn apply(mut self, text: &str) -> Option<String> {
        self.0.sort_by_key(|(range, _)| (range.start, range.end));
        let mut out = String::with_capacity(text.len() + 256);
        let mut done = 0;
        for (range, new) in self.0 {
            out.push_str(text.get(done..range.start)?);
            out.push_str(&new);
            done = range.end;
        }
        out.push_str(text.get(done..)?);
        Some(out)
    }
}

/// The layout of a text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout<'t> {
    pub text: &'t str,
    pub newline: &'static str,
}

impl<'t> Layout<'t> {
    /// New lines get the break of the line that holds this byte, or of the line before the last, because a text may have
    /// breaks of both kinds.
    pub fn near(text: &'t str, at: usize) -> Self {
        let after = text[at..].find('\n').map(|end| at + end);
        let newline = match after.or_else(|| text[..at].rfind('\n')) {
            Some(end) if text[..end].ends_with('\r') => "\r\n",
            _ => "\n",
        };
        Self { text, newline }
    }

    /// The start of the line that holds this byte.
    pub fn line_start(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |newline| newline + 1)
    }

    /// The end of the line that holds this byte, after its line break.
    pub fn line_end(&self, at: usize) -> usize {
        self.text[at..].find('\n').map_or(self.text.len(), |newline| at + newline + 1)
    }

    /// The end of a block value, after its last line and the comments below that are indented at least as deep.
    pub fn block_end(&self, node: &Node, indent: usize) -> usize {
        let mut end = self.line_end(node.span.end);
        loop {
            let line = &self.text[end..self.line_end(end)];
            let trimmed = line.trim_start_matches(' ');
            if !trimmed.starts_with('#') || line.len() - trimmed.len() < indent {
                return end;
            }
            end += line.len();
        }
    }

    /// The number of spaces at the start of the line that holds this byte.
    pub fn indent(&self, at: usize) -> usize {
        let line = &self.text[self.line_start(at)..];
        line.len() - line.trim_start_matches(' ').len()
    }

    /// Whole lines to be inserted at the start of a line. If the text ends without a line break, one is added.
    pub fn lines(&self, at: usize, lines: &str) -> String {
        match at == self.text.len() && !self.text.ends_with('\n') {
            true => format!("{}{}", self.newline, lines.trim_end_matches(['\r', '\n'])),
            false => lines.to_owned(),
        }
    }
}

/// Whether keys must be quoted, as in JSON.
pub(crate) fn is_json(layout: &Layout<'_>, map: &Node) -> bool {
    match &map.shape {
        Shape::Map { entries, flow: true } => {
            entries.first().is_none_or(|(key, _)| layout.text[key.span.start..].starts_with('"'))
        }
        _ => false,
    }
}

pub(crate) fn is_flow(node: &Node) -> bool {
    match &node.shape {
        Shape::Map { flow, .. } | Shape::Seq { flow, .. } => *flow,
        Shape::Scalar { .. } => true,
    }
}

pub(crate) fn is_empty(node: &Node) -> bool {
    match &node.shape {
        Shape::Map { entries, .. } => entries.is_empty(),
        Shape::Seq { items, .. } => items.is_empty(),
        Shape::Scalar { .. } => node.value().is_null(),
    }
}

/// A text as a scalar, without quotes if that is safe.
pub(crate) fn scalar(text: &str, json: bool) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
            .contains(&text.to_ascii_lowercase().as_str());
    if plain && !json { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

/// A parameter: its name, and in arguments its value.
pub(crate) type Parameter = (String, Option<String>);

fn flow_parameter((name, value): &Parameter, json: bool) -> String {
    let key = |key: &str| if json { format!("\"{key}\"") } else { key.to_owned() };
    let value = value.as_ref().map(|value| format!(", {}: {}", key("value"), scalar(value, true)));
    format!("{{{}: {}{}}}", key("name"), scalar(name, json), value.unwrap_or_default())
}

fn flow_parameters(parameters: &[Parameter], json: bool) -> String {
    let all: Vec<String> = parameters.iter().map(|parameter| flow_parameter(parameter, json)).collect();
    all.join(", ")
}

fn block_parameters(layout: &Layout<'_>, parameters: &[Parameter], indent: usize) -> String {
    let (pad, newline) = (" ".repeat(indent), layout.newline);
    let mut lines = String::new();
    for (name, value) in parameters {
        lines += &format!("{pad}- name: {}{newline}", scalar(name, false));
        if let Some(value) = value {
            lines += &format!("{pad}  value: {}{newline}", scalar(value, true));
        }
    }
    lines
}

/// Where a new entry of a block map is inserted.
pub(crate) enum Spot<'n> {
    First,
    /// After this entry's value.
    After(&'n Node),
}

/// Adds parameters to `outer.parameters` of a map, and creates the fields that are missing.
pub(crate) fn add_parameters(
    edits: &mut Edits,
    layout: &Layout<'_>,
    map: &Node,
    outer: &str,
    parameters: &[Parameter],
    spot: Spot<'_>,
) -> Option<()> {
    let json = is_json(layout, map);
    let key = |key: &str| if json { format!("\"{key}\"") } else { key.to_owned() };
    let list = format!("[{}]", flow_parameters(parameters, json));
    let inner = format!("{{{}: {list}}}", key("parameters"));
    let Some((name, holder)) = map.entry(outer) else {
        if is_flow(map) {
            let entry = format!("{}: {inner}", key(outer));
            match spot {
                Spot::First => first_in_flow(edits, map, &entry),
                Spot::After(value) => edits.insert(value.span.end, format!(", {entry}")),
            }
            return Some(());
        }
        let Shape::Map { entries, .. } = &map.shape else { return None };
        let column = entries.first()?.0.column - 1;
        let (pad, newline) = (" ".repeat(column), layout.newline);
        let lines = block_parameters(layout, parameters, column + 2);
        match spot {
            Spot::First => {
                let text = format!("{outer}:{newline}{pad}  parameters:{newline}{lines}{pad}");
                edits.insert(entries.first()?.0.span.start, text);
            }
            Spot::After(value) => {
                let text = format!("{pad}{outer}:{newline}{pad}  parameters:{newline}{lines}");
                let at = layout.block_end(value, column + 1);
                edits.insert(at, layout.lines(at, &text));
            }
        }
        return Some(());
    };
    if is_empty(holder) {
        refill(edits, layout, name, holder, &inner);
        return Some(());
    }
    match holder.entry("parameters") {
        Some((name, parameters)) if is_empty(parameters) => refill(edits, layout, name, parameters, &list),
        Some((_, listed)) if is_flow(listed) => {
            let last = listed.items().last()?;
            edits.insert(last.span.end, format!(", {}", flow_parameters(parameters, json)));
        }
        Some((_, listed)) => {
            let at = layout.block_end(listed.items().last()?, listed.column);
            let lines = block_parameters(layout, parameters, listed.column - 1);
            edits.insert(at, layout.lines(at, &lines));
        }
        None if is_flow(holder) => {
            first_in_flow(edits, holder, &format!("{}: {list}", key("parameters")));
        }
        None => {
            let Shape::Map { entries, .. } = &holder.shape else { return None };
            let first = &entries.first()?.0;
            let column = first.column - 1;
            let (pad, newline) = (" ".repeat(column), layout.newline);
            let lines = block_parameters(layout, parameters, column);
            edits.insert(first.span.start, format!("parameters:{newline}{lines}{pad}"));
        }
    }
    Some(())
}

/// Inserts an entry at the start of a flow map, with the spaces of its first entry.
pub(crate) fn first_in_flow(edits: &mut Edits, map: &Node, entry: &str) {
    let Shape::Map { entries, .. } = &map.shape else { return };
    match entries.first() {
        Some((key, _)) => edits.insert(key.span.start, format!("{entry}, ")),
        None => edits.insert(map.span.start + 1, entry),
    }
}

/// Replaces an empty value (`{}`, `[]`, nothing, null).
fn refill(edits: &mut Edits, layout: &Layout<'_>, key: &Node, value: &Node, content: &str) {
    let nothing = value.span.is_empty();
    if nothing {
        let colon = layout.text[key.span.end..].find(':').map_or(key.span.end, |at| key.span.end + at + 1);
        edits.insert(colon, format!(" {content}"));
    } else {
        edits.replace(value.span.clone(), content);
    }
}

/// Moves lines to another indentation. Lines of white space move too if they may be part of a text.
pub(crate) fn shift(lines: &str, by: isize, from: usize) -> String {
    let mut out = String::with_capacity(lines.len());
    for line in lines.split_inclusive('\n') {
        let text = line.trim_end_matches(['\r', '\n']);
        let spaces = text.len() - text.trim_start_matches(' ').len();
        let blank = spaces == text.len();
        if blank && spaces <= from {
            out.push_str(&line[spaces..]);
        } else if by >= 0 {
            out.push_str(&" ".repeat(by.unsigned_abs()));
            out.push_str(line);
        } else {
            out.push_str(&line[spaces.min(by.unsigned_abs())..]);
        }
    }
    out
}
