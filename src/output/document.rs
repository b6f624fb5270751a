//! Documents in JSON and YAML.

use crate::error::Error;
use crate::output::escape::is_dangerous;
use serde::Serialize;
use serde_json::Value;
use std::io;
use std::io::Write;

/// Pretty JSON, harmless for terminals.
pub(crate) fn json(value: &impl Serialize, indent: &str) -> io::Result<String> {
    let text = serde_json::to_string_pretty(value)?;
    let text = text.replace('\n', &format!("\n{indent}"));
    if text.bytes().all(|byte| byte < 0x7f) {
        return Ok(text);
    }
    // JSON may hold these characters only within strings, where an escape means the same.
    let mut harmless = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '\n' && is_dangerous(c) {
            harmless.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            harmless.push(c);
        }
    }
    Ok(harmless)
}

/// YAML, harmless for terminals.
pub(crate) fn yaml(value: &impl Serialize, indent: &str) -> io::Result<String> {
    let text = serde_saphyr::to_string(value).map_err(io::Error::other)?;
    // The YAML writer leaves some of these unescaped. JSON is valid YAML, and escapes them.
    if text.chars().any(|c| c != '\n' && is_dangerous(c)) {
        return json(value, indent);
    }
    Ok(text.trim_end().replace('\n', &format!("\n{indent}")))
}

/// Writes a document with a long list at its end, item by item, harmless for terminals.
///
/// # Errors
/// Writing failed, or an item can't be read.
pub fn write<T: Serialize>(
    out: &mut dyn Write,
    as_yaml: bool,
    head: &Value,
    list: &str,
    items: impl Iterator<Item = Result<T, Error>>,
) -> Result<(), Error> {
    if as_yaml {
        let mut empty = true;
        write!(out, "{}\n{list}:", yaml(head, "")?)?;
        for item in items {
            write!(out, "\n- {}", yaml(&item?, "  ")?)?;
            empty = false;
        }
        writeln!(out, "{}", if empty { " []" } else { "" })?;
        return Ok(());
    }
    let text = json(head, "")?;
    write!(out, "{},\n  \"{list}\": [", text.strip_suffix("\n}").unwrap_or(&text))?;
    let mut separator = "";
    for item in items {
        write!(out, "{separator}\n    {}", json(&item?, "    ")?)?;
        separator = ",";
    }
    writeln!(out, "{}]\n}}", if separator.is_empty() { "" } else { "\n  " })?;
    Ok(())
}
