//! Documents in JSON and YAML; an Inspection is written workflow by workflow.

use crate::error::Error;
use crate::output::escape::is_dangerous;
use crate::output::view::View;
use argo_gc_core::inspection::Inspection;
use argo_gc_core::model::API_VERSION;
use argo_gc_core::model::assessment::Assessment;
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
    // JSON may hold these raw, but only within strings, where an escape says the same.
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

fn yaml(value: &impl Serialize, indent: &str) -> io::Result<String> {
    let text = serde_saphyr::to_string(value).map_err(io::Error::other)?;
    // Some of these the YAML writer leaves as they are; JSON's escapes are good YAML, too.
    if text.chars().any(|c| c != '\n' && is_dangerous(c)) {
        return json(value, indent);
    }
    Ok(text.trim_end().replace('\n', &format!("\n{indent}")))
}

/// Writes a document with a long list at its end, item by item, harmless for terminals.
///
/// # Errors
/// Writing failed, or an item can't be had.
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

fn json_begin(out: &mut impl Write, view: &View) -> io::Result<()> {
    let origin = json(&view.origin, "  ")?;
    write!(
        out,
        "{{\n  \"apiVersion\": \"{API_VERSION}\",\n  \"kind\": \"Inspection\",\n  \"generatedAt\": \"{}\",\n  \
         \"source\": {origin},\n  \"workflows\": [",
        view.now
    )
}

/// Writes one workflow, with what comes before the first.
pub(crate) fn json_item(
    out: &mut impl Write,
    view: &View,
    before: usize,
    item: &Assessment,
) -> io::Result<()> {
    if before == 0 {
        json_begin(out, view)?;
    }
    let separator = if before == 0 { "" } else { "," };
    write!(out, "{separator}\n    {}", json(item, "    ")?)
}

/// Writes what comes after the last workflow.
pub(crate) fn json_end(
    out: &mut impl Write,
    view: &View,
    written: usize,
    end: &Inspection,
) -> io::Result<()> {
    if written == 0 {
        json_begin(out, view)?;
    }
    let close = if written == 0 { "" } else { "\n  " };
    let (summary, gaps) = (json(&end.summary, "  ")?, json(&end.gaps, "  ")?);
    writeln!(out, "{close}],\n  \"summary\": {summary},\n  \"gaps\": {gaps}\n}}")
}

fn yaml_begin(out: &mut impl Write, view: &View, empty: bool) -> io::Result<()> {
    let origin = yaml(&view.origin, "  ")?;
    write!(
        out,
        "apiVersion: {API_VERSION}\nkind: Inspection\ngeneratedAt: \"{}\"\nsource:\n  {origin}\nworkflows:{}\n",
        view.now,
        if empty { " []" } else { "" }
    )
}

/// As [`json_item`].
pub(crate) fn yaml_item(
    out: &mut impl Write,
    view: &View,
    before: usize,
    item: &Assessment,
) -> io::Result<()> {
    if before == 0 {
        yaml_begin(out, view, false)?;
    }
    writeln!(out, "- {}", yaml(item, "  ")?)
}

/// As [`json_end`].
pub(crate) fn yaml_end(
    out: &mut impl Write,
    view: &View,
    written: usize,
    end: &Inspection,
) -> io::Result<()> {
    if written == 0 {
        yaml_begin(out, view, true)?;
    }
    writeln!(out, "summary:\n  {}", yaml(&end.summary, "  ")?)?;
    if end.gaps.is_empty() {
        return writeln!(out, "gaps: []");
    }
    writeln!(out, "gaps:")?;
    end.gaps.iter().try_for_each(|gap| writeln!(out, "- {}", yaml(gap, "  ")?))
}
