//! YAML input, document by document.

use serde_json::Value;
use serde_saphyr::{Budget, Options};
use std::io::Read;

/// Reads YAML documents; each is turned into JSON text, so that there is one way to read an object.
pub(super) fn read(mut reader: impl Read, each: &mut dyn FnMut(&str, &str) -> bool) -> Result<(), String> {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err("this is UTF-16 text; convert it to UTF-8".to_owned());
    }
    let text =
        String::from_utf8(bytes).map_err(|error| format!("neither JSON nor YAML: {}", error.utf8_error()))?;
    for (number, (line, document)) in documents(&text).into_iter().enumerate() {
        let place = format!("document {} (line {line})", number + 1);
        let value: Value = serde_saphyr::from_str_with_options(document, options())
            .map_err(|error| format!("{place}: {}", first_line(&error.to_string())))?;
        match value {
            Value::Null => {}
            Value::Object(_) | Value::Array(_) => super::json::read(value.to_string().as_bytes(), each)?,
            _ => return Err(format!("{place}: not a Kubernetes object")),
        }
    }
    Ok(())
}

/// Splits at lines that begin with `---`: within a document such a line cannot stand, not even in a block scalar.
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
        document.lines().any(|line| !line.trim().is_empty() && !line.starts_with('#') && line.trim() != "---")
    });
    documents
}

/// A file of one's own may be large; aliases stay bounded, so that a bomb is not unfolded.
fn options() -> Options {
    let mut budget = Budget::default();
    budget.max_events = usize::MAX;
    budget.max_nodes = usize::MAX;
    budget.max_total_scalar_bytes = usize::MAX;
    budget.max_depth = 256;
    let mut options = Options::default();
    options.budget = Some(budget);
    options
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
