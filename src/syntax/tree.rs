//! YAML (and so JSON) as a tree whose nodes have their places in the text.

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, Span, StructureStyle};
use serde_json::{Map, Number, Value};
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use thiserror::Error;

/// How much aliases may add to one text, in nodes, so that a small text can't expand without bound.
const REPEATED: usize = 100_000;

/// How many bytes of a text weigh as much as a node.
const NODE: usize = 256;

/// The deepest nesting that is read; JSON readers have the same limit.
const DEPTH: usize = 120;

/// An error in a text, with its place; lines and columns count from one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line} column {column}: {message}")]
pub struct SyntaxError {
    pub line: usize,
    pub column: usize,
    pub message: String,
}

/// One value of a document.
#[derive(Debug, Clone)]
pub struct Node {
    /// The bytes in the text, without trailing comments and blank lines. A block scalar's are without its header.
    pub span: Range<usize>,
    /// From one.
    pub line: usize,
    /// From one.
    pub column: usize,
    pub shape: Shape,
    /// Whether it has an anchor or a tag, or is an alias: then its text depends on other places, or they on it.
    pub entangled: bool,
}

/// The kind of value of a node.
#[derive(Debug, Clone)]
pub enum Shape {
    Scalar { text: String, style: Style },
    Seq { flow: bool, items: Vec<Node> },
    Map { flow: bool, entries: Vec<(Node, Node)> },
}

/// The way in which a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Plain,
    Quoted,
    Block,
}

impl Node {
    /// The value of a key, in this map or in a merged one (`<<`).
    pub fn get(&self, key: &str) -> Option<&Node> {
        let Shape::Map { entries, .. } = &self.shape else { return None };
        let own = entries.iter().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value);
        own.or_else(|| self.merged().find_map(|map| map.get(key)))
    }

    /// The entry of a key in this map itself, without merged maps.
    pub fn entry(&self, key: &str) -> Option<(&Node, &Node)> {
        let Shape::Map { entries, .. } = &self.shape else { return None };
        entries.iter().find(|(name, _)| name.text() == Some(key)).map(|(name, value)| (name, value))
    }

    /// The maps that are merged into this one.
    fn merged(&self) -> impl Iterator<Item = &Node> {
        let entries: &[(Node, Node)] = match &self.shape {
            Shape::Map { entries, .. } => entries,
            _ => &[],
        };
        let merges = entries.iter().filter(|(key, _)| key.is_merge());
        merges.flat_map(|(_, value)| match &value.shape {
            Shape::Seq { items, .. } => items.iter().collect::<Vec<_>>(),
            _ => vec![value],
        })
    }

    fn is_merge(&self) -> bool {
        matches!(&self.shape, Shape::Scalar { text, style: Style::Plain } if text == "<<")
    }

    /// The item of a list.
    pub fn item(&self, at: usize) -> Option<&Node> {
        self.items().get(at)
    }

    /// The items of a list; other values have none.
    pub fn items(&self) -> &[Node] {
        match &self.shape {
            Shape::Seq { items, .. } => items,
            _ => &[],
        }
    }

    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.shape {
            Shape::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Whether it contains anchors, aliases, tags or merges.
    pub fn is_entangled(&self) -> bool {
        self.entangled
            || match &self.shape {
                Shape::Scalar { .. } => false,
                Shape::Seq { items, .. } => items.iter().any(Self::is_entangled),
                Shape::Map { entries, .. } => entries
                    .iter()
                    .any(|(key, value)| key.is_merge() || key.is_entangled() || value.is_entangled()),
            }
    }

    /// All scalars in it, keys included, in the order of the text.
    pub fn scalars<'n>(&'n self, into: &mut Vec<&'n Node>) {
        match &self.shape {
            Shape::Scalar { .. } => into.push(self),
            Shape::Seq { items, .. } => items.iter().for_each(|item| item.scalars(into)),
            Shape::Map { entries, .. } => entries.iter().for_each(|(key, value)| {
                key.scalars(into);
                value.scalars(into);
            }),
        }
    }

    /// The value in JSON.
    pub fn value(&self) -> Value {
        match &self.shape {
            Shape::Scalar { text, style: Style::Plain } => plain(text),
            Shape::Scalar { text, .. } => Value::String(text.clone()),
            Shape::Seq { items, .. } => Value::Array(items.iter().map(Self::value).collect()),
            Shape::Map { entries, .. } => {
                let mut map = Map::new();
                for (key, value) in entries.iter().filter(|(key, _)| !key.is_merge()) {
                    map.insert(key.text().unwrap_or_default().to_owned(), value.value());
                }
                for merged in self.merged() {
                    if let Value::Object(more) = merged.value() {
                        more.into_iter().for_each(|(key, value)| {
                            map.entry(key).or_insert(value);
                        });
                    }
                }
                Value::Object(map)
            }
        }
    }

    /// The number of nodes, where a long text counts as several.
    fn count(&self) -> usize {
        1 + match &self.shape {
            Shape::Scalar { text, .. } => text.len() / NODE,
            Shape::Seq { items, .. } => items.iter().map(Self::count).sum(),
            Shape::Map { entries, .. } => {
                entries.iter().map(|(key, value)| key.count() + value.count()).sum()
            }
        }
    }
}

/// Reads a plain scalar as Kubernetes does: by YAML's core schema, and with YAML 1.1's words for true and false.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => return Value::Bool(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => {
            return Value::Bool(false);
        }
        _ => {}
    }
    let begins = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    let digits = text.trim_start_matches(['+', '-']);
    if begins && digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        if let Ok(number) = text.trim_start_matches('+').parse::<i64>() {
            return Value::Number(number.into());
        }
        if let Some(number) = text.strip_prefix("0x").and_then(|hex| i64::from_str_radix(hex, 16).ok()) {
            return Value::Number(number.into());
        }
        let float = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
        if let Some(number) = text.parse::<f64>().ok().filter(|_| float).and_then(Number::from_f64) {
            return Value::Number(number);
        }
    }
    Value::String(text.to_owned())
}

/// Reads all documents of a text; empty ones are left out.
///
/// # Errors
/// It is no YAML, a map has a key twice, or nesting or aliases exceed their limits.
pub fn parse(text: &str) -> Result<Vec<Node>, SyntaxError> {
    let options = granit_parser::options! {
        flow_nesting_limit: DEPTH,
        block_nesting_limit: DEPTH,
    };
    let mut builder = Builder::default();
    for event in Parser::new_from_str_with_options(text, options) {
        let result = match event {
            Ok((event, span)) => builder.event(event, span, text),
            Err(error) => {
                let (line, column) = (error.marker().line(), error.marker().col() + 1);
                Err(SyntaxError { line, column, message: words(error.kind()) })
            }
        };
        result.map_err(|fault| prefixed(text).or_else(|| unrendered(text)).unwrap_or(fault))?;
    }
    let documents = builder.documents;
    Ok(documents.into_iter().filter(|node| !matches!(node.value(), Value::Null)).collect())
}

/// The parser's reasons as they concern people who wrote a manifest.
fn words(kind: &ErrorKind) -> String {
    use ErrorKind as Kind;
    let words = match kind {
        Kind::TabNotAllowed
        | Kind::TabInBlockIndentation
        | Kind::TabInIndentation
        | Kind::TabAtBlockScalarStart => "there is a tab; YAML is indented with spaces",
        Kind::SimpleKeyExpected | Kind::InvalidSimpleKey => "this is no key with a colon after it",
        Kind::ExpectedFlowMappingSeparator | Kind::ExpectedFlowSequenceSeparator => {
            "a comma or the closing bracket is missing"
        }
        Kind::ExpectedBlockMappingKey | Kind::ExpectedBlockSequenceEntry | Kind::InvalidIndentation => {
            "this is indented like nothing above it"
        }
        Kind::MappingValueNotAllowed | Kind::MappingKeyNotAllowed | Kind::InvalidColonPlacement => {
            "there can be no key here; is the line above complete?"
        }
        Kind::ExpectedDocumentStart => "something follows the end of the document; --- begins another",
        Kind::RecursionLimitExceeded => "this is nested deeper than is reasonable",
        other => return other.to_string(),
    };
    words.to_owned()
}

/// The line before JSON that is no part of it, as a warning that was written into the same file.
fn prefixed(text: &str) -> Option<SyntaxError> {
    let first = text.lines().next()?;
    let begins = |line: &str| line.starts_with(['{', '[']);
    let json = text.lines().position(begins).filter(|at| *at > 0)?;
    let yaml =
        |line: &str| line.trim().is_empty() || line.starts_with(['#', '-', ' ']) || line.ends_with(':');
    if text.lines().take(json).any(yaml) || text.lines().skip(json + 1).any(|line| line.starts_with("---")) {
        return None;
    }
    let shown: String = first.chars().take(80).collect();
    let message = format!("{shown:?} is no part of the JSON that begins on line {}; take it out", json + 1);
    Some(SyntaxError { line: 1, column: 1, message })
}

/// The dash that begins an item of a block list.
fn dash_before(text: &str, item: usize) -> Option<usize> {
    text.get(..item)?.trim_end().strip_suffix('-').map(str::len)
}

/// The first place of a template language's text outside quotes, which explains any other error.
fn unrendered(text: &str) -> Option<SyntaxError> {
    for (number, line) in text.lines().enumerate() {
        let start = line.trim_start();
        let value = ["- ", ": ", "-", ":"].into_iter().find_map(|before| {
            let at = line.find(&format!("{before}{{{{"))?;
            Some(at + before.len())
        });
        let at = if start.starts_with("{{") { Some(line.len() - start.len()) } else { value };
        if let Some(at) = at.filter(|_| !start.starts_with('#')) {
            return Some(SyntaxError {
                line: number + 1,
                column: line[..at].chars().count() + 1,
                message:
                    "{{ }} outside quotes is no YAML: render the chart first (helm template), or quote it"
                        .to_owned(),
            });
        }
    }
    None
}

/// Builds the tree from the parser's events.
#[derive(Default)]
struct Builder {
    documents: Vec<Node>,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    repeated: usize,
}

/// A collection whose end is still to come.
struct Open {
    node: Node,
    anchor: usize,
    /// For a map, the key whose value comes next.
    waiting: Option<Node>,
    /// For a map, all keys so far: lock files have tens of thousands, too many to be compared with each other.
    keys: HashSet<String>,
}

impl Open {
    fn new(node: Node, anchor: usize) -> Self {
        Self { node, anchor, waiting: None, keys: HashSet::new() }
    }
}

impl Builder {
    fn event(&mut self, event: Event<'_>, span: Span, text: &str) -> Result<(), SyntaxError> {
        let range = span.byte_range().unwrap_or_default();
        let (line, column) = (span.start.line(), span.start.col() + 1);
        let node = |shape, entangled| Node { span: range.clone(), line, column, shape, entangled };
        match event {
            Event::DocumentStart(..) => self.anchors.clear(),
            Event::Scalar(value, style, anchor, tag) => {
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
                    _ => Style::Block,
                };
                let tagged = tag.is_some();
                let shape = Shape::Scalar { text: value.into_owned(), style };
                let mut node = node(shape, anchor > 0 || tagged);
                let raw = text.get(range.clone()).unwrap_or_default();
                node.span.end = node.span.start + raw.trim_end().len();
                self.put(node, anchor)?;
            }
            Event::SequenceStart(style, anchor, tag) => {
                let shape = Shape::Seq { flow: style == StructureStyle::Flow, items: Vec::new() };
                self.open.push(Open::new(node(shape, anchor > 0 || tag.is_some()), anchor));
            }
            Event::MappingStart(style, anchor, tag) => {
                let shape = Shape::Map { flow: style == StructureStyle::Flow, entries: Vec::new() };
                self.open.push(Open::new(node(shape, anchor > 0 || tag.is_some()), anchor));
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(Open { mut node, anchor, .. }) = self.open.pop() else { return Ok(()) };
                let (flow, last) = match &node.shape {
                    Shape::Seq { flow, items } => (*flow, items.last().map(|item| item.span.end)),
                    Shape::Map { flow, entries } => {
                        (*flow, entries.last().map(|(key, value)| key.span.end.max(value.span.end)))
                    }
                    Shape::Scalar { .. } => (true, None),
                };
                if let Shape::Seq { flow: false, items } = &node.shape
                    && let Some(dash) = items.first().and_then(|item| dash_before(text, item.span.start))
                {
                    // The parser reports the start of a list that is not indented after its first dash.
                    let line = text[..dash].rfind('\n').map_or(0, |newline| newline + 1);
                    node.column = text[line..dash].chars().count() + 1;
                    node.line -= text[dash..node.span.start.max(dash)].matches('\n').count();
                    node.span.start = dash;
                }
                // The parser reports the end of a block at the next token.
                node.span.end = if flow { range.end } else { last.unwrap_or(node.span.start) };
                self.put(node, anchor)?;
            }
            Event::Alias(id) => {
                let Some(target) = self.anchors.get(&id) else {
                    let message = "an alias is inside the node it refers to".to_owned();
                    return Err(SyntaxError { line, column, message });
                };
                self.repeated += target.count();
                if self.repeated > REPEATED {
                    let message = "aliases repeat more than is reasonable".to_owned();
                    return Err(SyntaxError { line, column, message });
                }
                let shape = target.shape.clone();
                self.put(node(shape, true), 0)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn put(&mut self, node: Node, anchor: usize) -> Result<(), SyntaxError> {
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(Open { node: parent, waiting, keys, .. }) = self.open.last_mut() else {
            self.documents.push(node);
            return Ok(());
        };
        match &mut parent.shape {
            Shape::Seq { items, .. } => items.push(node),
            Shape::Map { entries, .. } => match waiting.take() {
                Some(key) => entries.push((key, node)),
                None => {
                    let fault =
                        |message: String| SyntaxError { line: node.line, column: node.column, message };
                    let Some(name) = node.text() else {
                        return Err(fault("a key has to be a text".to_owned()));
                    };
                    if !node.is_merge() && !keys.insert(name.to_owned()) {
                        return Err(fault(format!("the key {name:?} appears twice")));
                    }
                    *waiting = Some(node);
                }
            },
            Shape::Scalar { .. } => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn nodes_know_where_they_stand() {
        let text = "a: |\n  x\n\n# c\nb: [1, {k: 'v'}] # t\nc:\n- - n: x\n";
        let documents = parse(text).unwrap();
        let root = &documents[0];
        assert_eq!(root.value(), json!({"a": "x\n", "b": [1, {"k": "v"}], "c": [[{"n": "x"}]]}));
        assert_eq!(&text[root.get("b").unwrap().span.clone()], "[1, {k: 'v'}]");
        assert_eq!(&text[..root.get("a").unwrap().span.end], "a: |\n  x");
        let name = root.get("c").unwrap().item(0).unwrap().item(0).unwrap().get("n").unwrap();
        assert_eq!((name.line, name.column), (7, 8));
        let list = root.get("c").unwrap();
        assert_eq!((list.line, list.column, list.item(0).unwrap().column), (7, 1, 3));
        assert_eq!(root.span.end, text.len() - 1);
    }

    #[test]
    fn agrees_with_the_other_reader() {
        for text in [
            "a: 1\nb: -2\nc: 1.5\nd: '1'\ne: yes\nf: ~\ng:\nh: 1e3\ni: 0.10.1\nj: -x\nk: +x\nl: +5\nm: 0x1f\nn: .5\no: [No, on, ~, -.5]\n",
            "x: &a {k: [1, 2]}\ny: *a\n",
            "- >\n  folded\n  text\n- |-\n  strip\n",
        ] {
            let other: Value = serde_saphyr::from_str(text).unwrap();
            assert_eq!(parse(text).unwrap()[0].value(), other, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_place() {
        let fault = |text: &str| parse(text).unwrap_err();
        let helm = fault("a: b\nname: {{ .Values.name }}\n");
        assert_eq!((helm.line, helm.column), (2, 7));
        assert!(helm.message.contains("helm template"));
        assert_eq!(fault("{{- if .Values.gc }}\na: b\n{{- end }}\n").line, 1);
        assert!(fault("a: 1\na: 2\n").message.contains("twice"));
        let lock: String = (0..100_000).map(|n| format!("k{n}: 1\n")).collect();
        assert_eq!(fault(&(lock + "k7: 1\n")).line, 100_001);
        assert!(!fault("a: [1\nb: 2\n").message.contains("helm"));
        assert!(fault("a: &x\n  b: *x\n").message.contains("alias"));
        let bomb =
            (0..20).map(|n| format!("k{}: &k{} [*k{n}, *k{n}, *k{n}]\n", n + 1, n + 1)).collect::<String>();
        assert!(fault(&format!("k0: &k0 [1, 2]\n{bomb}")).message.contains("reasonable"));
        let wide = format!("a: &a {:?}\nb:\n{}", "x".repeat(1 << 20), "- *a\n".repeat(20_000));
        assert!(fault(&wide).message.contains("reasonable"));
        assert!(parse(&"[".repeat(100_000)).is_err());
        assert!(parse("# nothing\n---\n").unwrap().is_empty());
    }
}
