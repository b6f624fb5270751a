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
    let mut document = Document::begin(out, as_yaml, head, list)?;
    for item in items {
        document.item(&item?)?;
    }
    Ok(document.end()?)
}

/// A document with a long list at its end, as far as it is written.
pub(crate) struct Document<'o> {
    out: &'o mut dyn Write,
    as_yaml: bool,
    is_empty: bool,
}

impl<'o> Document<'o> {
    pub fn begin(out: &'o mut dyn Write, as_yaml: bool, head: &Value, list: &str) -> io::Result<Self> {
        if as_yaml {
            write!(out, "{}\n{list}:", yaml(head, "")?)?;
        } else {
            let text = json(head, "")?;
            write!(out, "{},\n  \"{list}\": [", text.strip_suffix("\n}").unwrap_or(&text))?;
        }
        Ok(Self { out, as_yaml, is_empty: true })
    }

    pub fn item(&mut self, item: &impl Serialize) -> io::Result<()> {
        let text = if self.as_yaml { yaml(item, "  ")? } else { json(item, "    ")? };
        self.lead()?;
        self.out.write_all(text.as_bytes())
    }

    /// Writes an item with a list that is long, and empty in `item`.
    ///
    /// # Errors
    /// Writing failed, or a row can't be read.
    pub fn item_with<T: Serialize>(
        &mut self,
        item: &Value,
        list: &str,
        rows: impl Iterator<Item = Result<T, Error>>,
    ) -> Result<(), Error> {
        let mut rows = rows.peekable();
        if rows.peek().is_none() {
            return Ok(self.item(item)?);
        }
        self.lead()?;
        let text = if self.as_yaml { yaml(item, "  ")? } else { json(item, "    ")? };
        // Some YAML is written as JSON.
        let as_yaml = self.as_yaml && !text.starts_with('{');
        // No name or text within the item looks like this: quotes are escaped, and lines of texts have a deeper indent.
        let (mark, lead, indent, end) = match as_yaml {
            true => (format!("{list}: []"), "\n  - ", "    ", ""),
            false => (format!("\"{list}\": []"), "\n        ", "        ", "\n      ]"),
        };
        let starts = text.match_indices(&mark).map(|(at, _)| at);
        let at = starts.filter(|at| !as_yaml || *at == 0 || text[..*at].ends_with("\n  ")).last();
        let Some(at) = at else { return Err(Error::new(format!("an item has no list of {list}"))) };
        self.out.write_all(&text.as_bytes()[..at + mark.len() - if as_yaml { 3 } else { 1 }])?;
        let mut separator = "";
        for row in rows {
            let row = row?;
            let row = if as_yaml { yaml(&row, indent)? } else { json(&row, indent)? };
            write!(self.out, "{separator}{lead}{row}")?;
            separator = if as_yaml { "" } else { "," };
        }
        self.out.write_all(end.as_bytes())?;
        Ok(self.out.write_all(&text.as_bytes()[at + mark.len()..])?)
    }

    /// Writes what comes before an item.
    fn lead(&mut self) -> io::Result<()> {
        let separator = if self.is_empty || self.as_yaml { "" } else { "," };
        self.is_empty = false;
        write!(self.out, "{separator}{}", if self.as_yaml { "\n- " } else { "\n    " })
    }

    pub fn end(self) -> io::Result<()> {
        match (self.as_yaml, self.is_empty) {
            (true, true) => writeln!(self.out, " []"),
            (true, false) => writeln!(self.out),
            (false, true) => writeln!(self.out, "]\n}}"),
            (false, false) => writeln!(self.out, "\n  ]\n}}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use serde_json::json;

    /// A document whose item was written with its list apart reads as the item does.
    #[test]
    fn a_long_list_in_an_item_is_read_as_if_it_had_been_there() {
        let texts =
            ["plain", "\"rows\": []", "a\n  rows: []\nb", "\u{1b}[31m", "rows: []", "x\n\"rows\": []"];
        for (text, count) in texts.iter().flat_map(|text| [(text, 0), (text, 1), (text, 3)]) {
            for names in [["a", "z"], ["rows: []", "\"rows\": []"]] {
                let rows: Vec<Value> =
                    (0..count).map(|at| json!({"name": text, "at": at, "more": [text]})).collect();
                let item = |rows: &[Value]| json!({names[0]: text, "rows": rows, names[1]: [{"name": text}]});
                for as_yaml in [false, true] {
                    let mut out = Vec::new();
                    let mut document =
                        Document::begin(&mut out, as_yaml, &json!({"kind": "K"}), "items").unwrap();
                    for _ in 0..2 {
                        document.item_with(&item(&[]), "rows", rows.iter().map(Ok)).unwrap();
                    }
                    document.end().unwrap();
                    let out = String::from_utf8(out).unwrap();
                    assert!(!out.contains('\u{1b}'));
                    let read: Value = match as_yaml {
                        true => serde_saphyr::from_str(&out).unwrap(),
                        false => serde_json::from_str(&out).unwrap(),
                    };
                    assert_eq!(read, json!({"kind": "K", "items": [item(&rows), item(&rows)]}), "{out}");
                }
            }
        }
    }
}
