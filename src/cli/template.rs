//! Fills in templates of manifests. A placeholder is a word such as `@NAME@`.

/// The security context of containers: no privileges, and nothing writable.
pub(crate) const CONTAINER_SECURITY: &str = include_str!("fill/container_security.yaml");

/// The security context of pods: an unprivileged user.
pub(crate) const POD_SECURITY: &str = include_str!("fill/pod_security.yaml");

/// Replaces a placeholder that has a line of its own by a text, and indents the text as the placeholder was. No text
/// leaves no line.
pub(crate) fn fill(template: &str, word: &str, text: &str) -> String {
    let lines = template.lines().filter_map(|line| match line.trim_start() == word {
        true if text.is_empty() => None,
        true => Some(indented(text, line.len() - word.len())),
        false => Some(line.to_owned()),
    });
    lines.map(|line| line + "\n").collect()
}

/// The arguments of a container as items of a YAML list, one a line.
pub(crate) fn items(arguments: &[String]) -> String {
    let lines: Vec<String> = arguments.iter().map(|argument| format!("- {}", quoted(argument))).collect();
    lines.join("\n")
}

/// The variable with the token for the Argo server, from the field `token` of a Secret, as an item of a list; empty
/// without a Secret.
pub(crate) fn argo_token(secret: Option<&str>) -> String {
    let variable = |name: &str| {
        let name = quoted(name);
        format!("{{ name: ARGO_TOKEN, valueFrom: {{ secretKeyRef: {{ name: {name}, key: token }} }} }}")
    };
    secret.map(variable).unwrap_or_default()
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
