//! One step of a repair, and the names that may be part of its commands.
//!
//! Names come from objects that users write. No command is printed for a name that is not a plain Kubernetes
//! name, because users paste the commands into shells and apply the YAML to clusters.

use serde::Serialize;

/// The most names in one command.
pub(crate) const NAMES: usize = 20;

/// One step of a repair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Repair {
    /// The description of the step.
    pub what: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub yaml: Option<String>,
    /// True if the YAML is whole objects for `kubectl apply -f -`; else it is a part of a workflow's spec.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub apply: bool,
}

impl Repair {
    pub(crate) fn say(what: impl Into<String>) -> Self {
        Self { what: what.into(), commands: Vec::new(), yaml: None, apply: false }
    }

    pub(crate) fn run(mut self, commands: impl IntoIterator<Item = String>) -> Self {
        self.commands.extend(commands);
        self
    }

    pub(crate) fn yaml(mut self, yaml: String) -> Self {
        self.yaml = Some(yaml);
        self
    }

    pub(crate) fn apply(mut self, yaml: String) -> Self {
        self.apply = true;
        self.yaml(yaml)
    }
}

/// Returns true if a name is a plain Kubernetes name, which has the same meaning in a shell, in YAML and in a
/// path. An all-digit name is refused because it would be a number in YAML, as are `true` and similar words.
pub(crate) fn is_plain(name: &str) -> bool {
    let ends = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let number = name.chars().all(|c| c.is_ascii_digit() || ".e".contains(c));
    let word = matches!(name, "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n");
    name.starts_with(ends)
        && name.ends_with(ends)
        && name.chars().all(|c| ends(c) || "-.".contains(c))
        && name.len() <= 253
        && !number
        && !word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_names_get_no_command() {
        for odd in
            ["", "-x", "a b", "a;b", "A", "a\nb", "a'b", "$(x)", "true", "123", "1e5", "a:b", "a/b", "a-"]
        {
            assert!(!is_plain(odd), "{odd:?}");
        }
        assert!(is_plain("etl-nightly-1795053600") && is_plain("a.b") && is_plain("default"));
    }
}
