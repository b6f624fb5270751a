//! Fills in templates of manifests. A placeholder is a word such as `@NAME@`.

/// The security context of containers: no privileges, and nothing writable.
pub(crate) const CONTAINER_SECURITY: &str = include_str!("fill/container_security.yaml");

/// The security context of pods: an unprivileged user.
pub(crate) const POD_SECURITY: &str = include_str!("fill/pod_security.yaml");

/// Replaces a placeholder that has a line of its own by a text, and indents the text as the placeholder was.
pub(crate) fn fill(template: &str, word: &str, text: &str) -> String {
    let lines = template.lines().map(|line| match line.trim_start() == word {
        true => indented(text, line.len() - word.len()),
        false => line.to_owned(),
    });
    lines.map(|line| line + "\n").collect()
}

/// Quotes a text so that both YAML and JSON can read it.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Indents a text, without empty lines at its end.
fn indented(text: &str, depth: usize) -> String {
    let lines: Vec<String> = text.trim_end().lines().map(|line| format!("{:depth$}{line}", "")).collect();
    lines.join("\n")
}
