//! Tells whose key a repository's key format makes: a workflow can't claim a key that the format gives to another
//! namespace or workflow (`docs/dangers.md`, danger 29).

use crate::model::location::clean;
use crate::model::variables::next_variable;
use crate::plan::key_shape::is_uuid;

/// A workflow as keys name it. A part that is unknown is empty, and then every text may be it.
#[derive(Debug, Clone, Copy)]
pub struct Claimant<'a> {
    pub namespace: &'a str,
    pub name: &'a str,
    pub uid: &'a str,
}

/// The format of the keys that a repository gives to artifacts without a key of their own. A key is the format with
/// its variables replaced, then `/` and the file's name (`docs/argo-gc.md#repository-keys`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyFormat {
    text: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Namespace,
    Name,
    Uid,
    /// Argo begins a pod's name with the workflow's (GeneratePodName, workflow/util/pod_name.go@v4.1.2).
    Pod,
    /// A value that can't hold a slash.
    Word,
    /// A value that can, such as a parameter's.
    Path,
}

/// What the parts that name the workflow stand for; none for any text of the right kind.
#[derive(Clone, Copy, Default)]
struct Bound<'a> {
    namespace: Option<&'a str>,
    name: Option<&'a str>,
    uid: Option<&'a str>,
    /// True if a pod's name must begin with the workflow's.
    pods: bool,
}

impl KeyFormat {
    pub(crate) fn parse(format: &str) -> Self {
        let text = clean(format).trim_start_matches('/').to_owned();
        let mut parts = Vec::new();
        let mut rest = text.as_str();
        while let Some((before, variable, after)) = next_variable(rest) {
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::of_variable(variable));
            rest = after;
        }
        // Every key goes on with the file's name.
        parts.push(Part::Text(format!("{rest}/")));
        parts.push(Part::Path);
        Self { text, parts }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns true if the key has this format's shape with another namespace, workflow or UID in it. A key without
    /// that shape is one that a template sets itself.
    pub(crate) fn is_anothers(&self, claimant: Claimant<'_>, key: &str) -> bool {
        let known = |text| Some(text).filter(|text: &&str| !text.is_empty());
        let Claimant { namespace, name, uid } = claimant;
        let own = Bound { namespace: known(namespace), name: known(name), uid: known(uid), pods: false };
        let has = |part: &Part| self.parts.contains(part);
        if !has(&Part::Namespace) && !has(&Part::Name) && !has(&Part::Uid) || self.fits(key, own) {
            return false;
        }
        // Whoever puts the namespace into the format keeps namespaces apart: every key of that shape is one of theirs.
        let in_own = Bound { namespace: own.namespace, ..Bound::default() };
        if has(&Part::Namespace) && !self.fits(key, in_own) {
            return self.fits(key, Bound::default());
        }
        if has(&Part::Name) && has(&Part::Pod) {
            return self.names_its_pod(key, in_own);
        }
        self.fits(key, in_own)
    }

    /// Returns true if the key fits with some workflow's name and a pod's name that begins with it.
    fn names_its_pod(&self, key: &str, bound: Bound<'_>) -> bool {
        let at = self.parts.iter().position(|part| *part == Part::Name).unwrap_or_default();
        let starts = self.ends(&self.parts[..at], key, bound);
        let mut starts = starts.iter().enumerate().filter(|(_, reached)| **reached);
        starts.any(|(start, _)| {
            let length = key.as_bytes()[start..].iter().take_while(|byte| is_of_name(**byte)).count();
            (1..=length).any(|length| {
                let name = key.get(start..start + length);
                name.is_some() && self.fits(key, Bound { name, pods: true, ..bound })
            })
        })
    }

    fn fits(&self, key: &str, bound: Bound<'_>) -> bool {
        self.ends(&self.parts, key, bound).last() == Some(&true)
    }

    /// Returns for each position of the key whether these parts can end there. The work is the product of both lengths.
    fn ends(&self, parts: &[Part], key: &str, bound: Bound<'_>) -> Vec<bool> {
        let mut ends = vec![false; key.len() + 1];
        ends[0] = true;
        for part in parts {
            ends = match (part, bound) {
                (Part::Text(text), _) => after(&ends, key, text),
                (Part::Namespace, Bound { namespace: Some(text), .. })
                | (Part::Name, Bound { name: Some(text), .. })
                | (Part::Uid, Bound { uid: Some(text), .. }) => after(&ends, key, text),
                (Part::Pod, Bound { name: Some(name), pods: true, .. }) => {
                    let begun = after(&ends, key, name);
                    let more = through(&begun, key, is_of_name);
                    begun.iter().zip(more).map(|(begun, more)| *begun || more).collect()
                }
                (Part::Uid, _) => uids(&ends, key),
                (Part::Namespace | Part::Name | Part::Pod, _) => through(&ends, key, is_of_name),
                (Part::Word, _) => through(&ends, key, |byte| byte != b'/'),
                (Part::Path, _) => through(&ends, key, |_| true),
            };
        }
        ends
    }
}

impl Part {
    fn of_variable(variable: &str) -> Self {
        match variable {
            "workflow.namespace" => Self::Namespace,
            "workflow.name" => Self::Name,
            "workflow.uid" => Self::Uid,
            "pod.name" => Self::Pod,
            "workflow.serviceAccountName" | "workflow.mainEntrypoint" | "workflow.priority" => Self::Word,
            // `%D` is a date with slashes.
            "workflow.creationTimestamp.D" => Self::Path,
            _ if variable.starts_with("workflow.creationTimestamp") => Self::Word,
            _ if variable.starts_with("workflow.labels.") => Self::Word,
            _ => Self::Path,
        }
    }
}

/// Returns true for the characters of names in Kubernetes.
fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.')
}

/// Returns the positions behind a text that begins at one of these.
fn after(starts: &[bool], key: &str, text: &str) -> Vec<bool> {
    let mut ends = vec![false; starts.len()];
    for (at, _) in starts.iter().enumerate().filter(|(_, reached)| **reached) {
        if key.as_bytes()[at..].starts_with(text.as_bytes()) {
            ends[at + text.len()] = true;
        }
    }
    ends
}

/// Returns the positions behind one or more such bytes that begin at one of these.
fn through(starts: &[bool], key: &str, takes: impl Fn(u8) -> bool) -> Vec<bool> {
    let mut ends = vec![false; starts.len()];
    let mut going = false;
    for (at, byte) in key.bytes().enumerate() {
        going = (going || starts[at]) && takes(byte);
        ends[at + 1] = going;
    }
    ends
}

/// Returns the positions behind a UID that begins at one of these.
fn uids(starts: &[bool], key: &str) -> Vec<bool> {
    const LENGTH: usize = 36;
    let mut ends = vec![false; starts.len()];
    for (at, _) in starts.iter().enumerate().filter(|(_, reached)| **reached) {
        if key.get(at..at + LENGTH).is_some_and(is_uuid) {
            ends[at + LENGTH] = true;
        }
    }
    ends
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OWN: &str = "0c6c7f5e-1f6f-4a3e-9a53-0d8f6a3b8b11";
    const OTHER: &str = "f3b0a6f2-7c1d-4f0e-8f4a-6b1d2c3e4f50";
    const CLAIMANT: Claimant<'static> = Claimant { namespace: "ml", name: "train", uid: OWN };

    fn is_anothers(format: &str, key: &str) -> bool {
        KeyFormat::parse(format).is_anothers(CLAIMANT, key)
    }

    #[test]
    fn danger_29_a_key_of_another_namespaces_shape_is_anothers() {
        let format = "argo/{{workflow.namespace}}/{{workflow.name}}/{{pod.name}}";
        assert!(!is_anothers(format, "argo/ml/train/train-1/out.tgz"));
        assert!(is_anothers(format, "argo/team-a/train/train-1/out.tgz"));
        assert!(is_anothers(format, "argo/team-a/other/other-1/dir/below/out.tgz"));
        // A namespace's folder is the namespace's, whatever its templates write there.
        assert!(is_anothers(format, "argo/team-a/models/prod/weights.bin"));
        // In the own namespace it is a template's own key, unless the pod is another workflow's.
        assert!(!is_anothers(format, "argo/ml/models/prod/weights.bin"));
        assert!(is_anothers(format, "argo/ml/other/other-1/out.tgz"));
        for own_key in
            ["latest.tgz", "argo/latest.tgz", "argo/team-a/x.tgz", "data/a/b/c/d", "argo/Team/x/y/z"]
        {
            assert!(!is_anothers(format, own_key), "{own_key}");
        }
        assert!(is_anothers("{{workflow.namespace}}/{{pod.name}}", "team-a/p/out.tgz"));
        assert!(!is_anothers("{{workflow.namespace}}/{{pod.name}}", "ml/other-1/out.tgz"));
    }

    #[test]
    fn danger_29_a_key_of_another_workflows_shape_is_anothers() {
        let format = "{{workflow.name}}/{{pod.name}}";
        for own in
            ["train/train-1/out.tgz", "train/other-1/out.tgz", "models/prod/out.tgz", "latest/out.tgz", "x"]
        {
            assert!(!is_anothers(format, own), "{own}");
        }
        for others in ["other/other-1/out.tgz", "other/other/main.log", "train-2/train-2-x-1/out.tgz"] {
            assert!(is_anothers(format, others), "{others}");
        }
        // What a name can be is cut by the format, not by a slash alone.
        let dashed = "argo/{{workflow.creationTimestamp.Y}}/{{workflow.name}}-{{pod.name}}";
        assert!(is_anothers(dashed, "argo/2026/other-other-1/out.tgz"));
        assert!(!is_anothers(dashed, "argo/2026/train-train-1/out.tgz"));
        assert!(!is_anothers(dashed, "argo/2026/report-final/out.tgz"));
        // Without a pod's name there is nothing to tell a name by.
        assert!(is_anothers("argo/{{ workflow.name }}", "argo/other/out.tgz"));
    }

    #[test]
    fn danger_29_a_key_with_another_uid_is_anothers() {
        for format in ["{{workflow.uid}}/{{pod.name}}", "/x//{{workflow.uid}}/{{workflow.name}}"] {
            let key = |uid: &str| match format.starts_with('/') {
                true => format!("x/{uid}/train/out.tgz"),
                false => format!("{uid}/train-1/out.tgz"),
            };
            assert!(!is_anothers(format, &key(OWN)) && is_anothers(format, &key(OTHER)), "{format}");
            assert!(!is_anothers(format, &key("models")), "{format}");
        }
        let unknown = Claimant { uid: "", ..CLAIMANT };
        let format = KeyFormat::parse("{{workflow.uid}}/{{pod.name}}");
        assert!(!format.is_anothers(unknown, &format!("{OTHER}/train-1/out.tgz")));
    }

    #[test]
    fn a_variable_takes_a_slash_only_if_its_value_may_hold_one() {
        for (variable, slashes) in [
            ("workflow.serviceAccountName", false),
            ("workflow.mainEntrypoint", false),
            ("workflow.priority", false),
            ("workflow.creationTimestamp", false),
            ("workflow.creationTimestamp.Y", false),
            ("workflow.labels.team", false),
            ("workflow.creationTimestamp.D", true),
            ("workflow.annotations.team", true),
            ("workflow.parameters.team", true),
        ] {
            let format = format!("{{{{{variable}}}}}/{{{{workflow.namespace}}}}/{{{{pod.name}}}}");
            // With a slash in the variable's value the key is the claimant's, without one that of `team-a`.
            assert_eq!(is_anothers(&format, "x/team-a/ml/p/out.tgz"), !slashes, "{variable}");
            assert!(!is_anothers(&format, "x/ml/p/out.tgz"), "{variable}");
        }
    }

    #[test]
    fn a_format_that_names_no_workflow_tells_nothing() {
        for format in
            ["", "argo", "{{pod.name}}", "argo/{{workflow.parameters.a}}/{{pod.name}}", "{{workflow.name"]
        {
            assert!(!is_anothers(format, "argo/other/other-1/out.tgz"), "{format}");
        }
        let wide = "{{workflow.parameters.team}}/{{workflow.namespace}}/{{pod.name}}";
        assert!(!is_anothers(wide, "any/team/ml/train-1/out.tgz"));
        assert!(is_anothers(wide, "any/team/other/train-1/out.tgz"));
    }

    prop_compose! {
        fn format()(parts in prop::collection::vec(prop::sample::select(vec![
            "{{workflow.namespace}}", "{{workflow.name}}", "{{workflow.uid}}", "{{pod.name}}", "argo", "logs",
            "{{workflow.creationTimestamp.Y}}", "{{workflow.labels.team}}",
        ]), 1..6)) -> String { parts.join("/") }
    }

    fn made(format: &str, by: Claimant<'_>, pod: &str, file: &str) -> String {
        let key = format
            .replace("{{workflow.namespace}}", by.namespace)
            .replace("{{workflow.name}}", by.name)
            .replace("{{workflow.uid}}", by.uid)
            .replace("{{pod.name}}", &format!("{}-{pod}", by.name))
            .replace("{{workflow.creationTimestamp.Y}}", "2026")
            .replace("{{workflow.labels.team}}", "blue");
        format!("{key}/{file}")
    }

    proptest! {
        /// What a format makes for a workflow is never another's, and what it makes for a workflow of another
        /// namespace, name and UID is, if the format names any of them.
        #[test]
        fn a_key_is_its_makers(
            format in format(), namespace in "[a-z]{1,4}", name in "[a-z]{1,4}", pod in "[a-z0-9]{1,4}",
            file in "[a-zA-Z.]{1,4}(/[a-z]{1,3})?",
        ) {
            prop_assume!(file != "." && file != "..");
            let by = Claimant { namespace: &namespace, name: &name, uid: OWN };
            let parsed = KeyFormat::parse(&format);
            let key = made(&format, by, &pod, &file);
            prop_assert!(!parsed.is_anothers(by, &key), "{} {}", format, key);
            let (namespace, name) = (format!("{namespace}0"), format!("{name}0"));
            let other = Claimant { namespace: &namespace, name: &name, uid: OTHER };
            let key = made(&format, other, &pod, &file);
            let named = ["namespace", "name", "uid"].iter().any(|what| format.contains(&format!("{{{{workflow.{what}}}}}")));
            prop_assert_eq!(parsed.is_anothers(by, &key), named, "{} {}", format, key);
        }

        /// Any text is a key, and any text a format.
        #[test]
        fn nothing_panics(format in "[a-zé/{}. ]{0,12}(\\{\\{workflow.name\\}\\})?[/-]?(\\{\\{pod.name\\}\\})?", key in "[a-zé/. -]{0,16}") {
            KeyFormat::parse(&format).is_anothers(CLAIMANT, &key);
        }
    }
}
