//! Variables in texts: `{{name}}` and `{{=expression}}`.

use serde_json::Value;
use std::ops::Range;

/// The tags of a text, each with its place, braces included, and its trimmed content.
pub(crate) fn tags(text: &str) -> Vec<(Range<usize>, &str)> {
    let mut tags = Vec::new();
    let mut at = 0;
    while let Some(open) = text[at..].find("{{") {
        let start = at + open;
        let Some(close) = text[start + 2..].find("}}") else { break };
        let end = start + 2 + close;
        tags.push((start..end + 2, text[start + 2..end].trim()));
        at = end + 2;
    }
    tags
}

/// The variable of an input parameter, which replaces another variable.
pub(crate) fn parameter(name: &str) -> String {
    format!("{{{{inputs.parameters.{name}}}}}")
}

/// Replaces simple tags in a text.
pub(crate) fn replace(text: &str, with: &dyn Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for (range, tag) in tags(text) {
        if let Some(new) = with(tag) {
            out.push_str(&text[done..range.start]);
            out.push_str(&new);
            done = range.end;
        }
    }
    out.push_str(&text[done..]);
    out
}

/// Replaces simple tags in all texts of a value, keys included.
pub(crate) fn replace_in(value: &mut Value, with: &dyn Fn(&str) -> Option<String>) {
    match value {
        Value::String(text) => *text = replace(text, with),
        Value::Array(items) => items.iter_mut().for_each(|item| replace_in(item, with)),
        Value::Object(map) => {
            let old = std::mem::take(map);
            for (key, mut value) in old {
                replace_in(&mut value, with);
                map.insert(replace(&key, with), value);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The words of an expression outside its quotes, and whether each is a member (after a dot).
pub(crate) fn words(expression: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut quote = None;
    let mut start = None;
    for (at, c) in expression.char_indices().chain([(expression.len(), ' ')]) {
        if let Some(open) = quote {
            if c == open {
                quote = None;
            }
            continue;
        }
        if c.is_ascii_alphanumeric() || c == '_' {
            start.get_or_insert(at);
            continue;
        }
        if let Some(start) = start.take()
            && !expression[..start].trim_end().ends_with('.')
        {
            words.push(&expression[start..at]);
        }
        if matches!(c, '\'' | '"' | '`') {
            quote = Some(c);
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_tags_and_words() {
        let found: Vec<&str> = tags("a {{ item }} {{=x}} {{y").into_iter().map(|(_, tag)| tag).collect();
        assert_eq!(found, ["item", "=x"]);
        assert_eq!(
            words("=inputs.parameters['item'] + steps.a + \"tasks\" + item.b"),
            ["inputs", "steps", "item"]
        );
        assert_eq!(replace("{{a}}-{{b}}", &|tag| (tag == "b").then(|| "c".into())), "{{a}}-c");
    }
}
