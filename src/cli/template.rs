//! Manifests put together from texts with places to fill in: words such as `@NAME@`.

/// What a container may do: little.
pub(crate) const CONTAINER_SECURITY: &str = include_str!("fill/container_security.yaml");

/// Who it is in its pod: nobody in particular.
pub(crate) const POD_SECURITY: &str = include_str!("fill/pod_security.yaml");

/// Puts a text in the place of a word that has a line of its own, moved to the right as far as the word stands.
pub(crate) fn fill(template: &str, word: &str, text: &str) -> String {
    let lines = template.lines().map(|line| match line.trim_start() == word {
        true => indented(text, line.len() - word.len()),
        false => line.to_owned(),
    });
    lines.map(|line| line + "\n").collect()
}

/// A text as YAML and JSON both quote it.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Without empty lines at the end.
fn indented(text: &str, depth: usize) -> String {
    let lines: Vec<String> = text.trim_end().lines().map(|line| format!("{:depth$}{line}", "")).collect();
    lines.join("\n")
}
