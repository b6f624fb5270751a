//! What a JSON reader's errors say to people. Positions are left out: what is read is often a part of a file, or made from
//! YAML, so they are positions in no file.

use serde_json::error::Category;

/// Returns the error as a statement about the text.
pub fn of(error: &serde_json::Error) -> String {
    match error.classify() {
        Category::Eof => "it is cut off".to_owned(),
        Category::Syntax if error.to_string().starts_with("recursion") => {
            "it is nested deeper than is reasonable".to_owned()
        }
        Category::Syntax => "it is no JSON".to_owned(),
        Category::Io | Category::Data => {
            let text = error.to_string();
            let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
            mismatch(text).unwrap_or_else(|| text.to_owned())
        }
    }
}

/// Rewords `invalid type: integer `1`, expected struct Meta`.
fn mismatch(text: &str) -> Option<String> {
    let (found, expected) = text.strip_prefix("invalid type: ")?.split_once(", expected ")?;
    let found = match found.split_once([' ']) {
        _ if found == "map" => "an object".to_owned(),
        _ if found == "sequence" => "a list".to_owned(),
        Some(("integer", value)) => format!("the number {}", value.trim_matches('`')),
        Some(("floating", value)) => {
            format!("the number {}", value.trim_start_matches("point ").trim_matches('`'))
        }
        Some(("boolean", value)) => value.trim_matches('`').to_owned(),
        Some(("string", value)) => format!("the text {value}"),
        _ => found.to_owned(),
    };
    let expected = match expected {
        "a map" => "an object",
        "a sequence" => "a list",
        "a string" => "a text",
        "a boolean" => "true or false",
        structure if structure.starts_with("struct ") => "an object",
        other => other,
    };
    Some(format!("{found} is not {expected}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn errors_are_statements_without_positions() {
        let error = |text: &str| match serde_json::from_str::<BTreeMap<String, String>>(text) {
            Ok(_) => String::new(),
            Err(error) => of(&error),
        };
        assert_eq!(error("{\"a\": 1}"), "the number 1 is not a text");
        assert_eq!(error("{\"a\": [1]}"), "a list is not a text");
        assert_eq!(error("{\"a\": true}"), "true is not a text");
        assert_eq!(error("[1]"), "a list is not an object");
        assert_eq!(error("{\"a\": "), "it is cut off");
        assert_eq!(error("{a: 1}"), "it is no JSON");
    }
}
