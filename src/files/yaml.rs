//! YAML input, document by document.

use crate::syntax::tree;
use crate::syntax::tree::SyntaxError;
use serde_json::Value;
use serde_saphyr::{Budget, Options};
use std::io::Read;

/// Reads YAML documents. Each is turned into JSON text, so that objects are read in one way.
pub(crate) fn read(mut reader: impl Read, each: &mut dyn FnMut(&str, &str) -> bool) -> Result<(), String> {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    let text = crate::files::encoding::text(bytes)?;
    for (number, (line, document)) in documents(&text).into_iter().enumerate() {
        let value: Value = serde_saphyr::from_str_with_options(document, options(document.len()))
            .map_err(|error| format!("document {}, {}", number + 1, describe(&error, document, line)))?;
        let refused = |why: &str| Err(format!("document {}, line {line}: {why}", number + 1));
        match &value {
            Value::Null => {}
            Value::Object(_) | Value::Array(_) => {
                crate::files::json::read(value.to_string().as_bytes(), each)?
            }
            _ => return refused("not a Kubernetes object"),
        }
        // The kind of a list follows its items, and nothing else shows that some are missing.
        let has = |field| value.get(field).is_some();
        if has("apiVersion") && has("items") && !has("kind") {
            return refused("the list has no kind: it was cut off");
        }
    }
    Ok(())
}

/// Splits at lines that begin with `---`. No document can hold such a line, not even in a block scalar.
fn documents(text: &str) -> Vec<(usize, &str)> {
    let mut documents = Vec::new();
    let (mut start, mut start_line, mut offset) = (0, 1, 0);
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let is_marker =
            line.strip_prefix("---").is_some_and(|rest| rest.trim_start() != rest || rest.is_empty());
        if is_marker {
            documents.push((start_line, &text[start..offset]));
            (start, start_line) = (offset, number + 1);
        }
        offset += line.len();
    }
    documents.push((start_line, &text[start..]));
    documents.retain(|(_, document)| {
        // A directive such as %YAML belongs to the marker below it.
        let says_nothing =
            |line: &str| line.trim().is_empty() || line.starts_with(['#', '%']) || line.trim() == "---";
        !document.lines().all(says_nothing)
    });
    documents
}

/// Allows files of any size, but limits aliases, which could make a small file expand without bound.
fn options(length: usize) -> Options {
    /// How many bytes aliases may add.
    const REPEATED: usize = 64 << 20;
    let mut budget = Budget::default();
    budget.max_events = usize::MAX;
    budget.max_nodes = usize::MAX;
    budget.max_total_scalar_bytes = length + REPEATED;
    budget.max_depth = 256;
    let mut options = Options::default();
    options.budget = Some(budget);
    options
}

/// The longest document that is read once more for the place and the words of an error.
const SHORT: usize = 16 << 20;

/// Place and message of an error. Lines count from the start of the file; `start` is the document's first line.
fn describe(error: &serde_saphyr::Error, document: &str, start: usize) -> String {
    let text = error.to_string();
    let beyond = text.contains("budget breached");
    // The reader that knows all places says it in our words, unless it has nothing to say against the text.
    if !beyond
        && document.len() <= SHORT
        && let Err(SyntaxError { line, column, message }) = tree::parse(document)
    {
        return format!("line {} column {column}: {message}", line + start - 1);
    }
    let text = text.lines().next().unwrap_or_default();
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let place = error.location().map(|place| (place.line(), place.column()));
    let own = place.map(|(line, column)| format!("line {line} column {column}: ")).unwrap_or_default();
    let message = if beyond {
        "nested or repeated more than is reasonable"
    } else {
        text.strip_prefix(&own).unwrap_or(text)
    };
    match place {
        Some((line, column)) => format!("line {} column {column}: {message}", line + start as u64 - 1),
        None => format!("line {start}: {message}"),
    }
}
