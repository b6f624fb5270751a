//! Reads a repository's key format as a shape, and tells what a key of that shape names.
//!
//! Argo fills in the variables of the format and adds the artifact's file name (`docs/argo-gc.md#repository-keys`),
//! so a key of the shape is longer than the format. Names of pods begin with the name of their workflow: a format
//! with both variables confirms itself, and no other path has its shape by chance.

use crate::argo::config::DEFAULT_KEY_FORMAT;
use crate::model::variables::next_variable;
use std::ops::ControlFlow;

/// The number of ways to divide a key among the variables that are tried. A key that needs more has no certain shape.
const MAX_STEPS: usize = 10_000;

/// A key format, such as `argo/{{workflow.name}}/{{pod.name}}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFormat {
    text: String,
    /// The parts of each path segment.
    segments: Vec<Vec<Part>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Variable(Variable),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Variable {
    Namespace,
    Name,
    Uid,
    Pod,
    /// A number of so many digits, as in dates.
    Digits(usize),
    /// A variable whose values may be any text without a slash.
    Any,
}

/// What a key names. What the format has no variable for is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Named<'k> {
    pub namespace: Option<&'k str>,
    /// The workflow's name.
    pub name: Option<&'k str>,
    /// The workflow's UID.
    pub uid: Option<&'k str>,
    pub pod: Option<&'k str>,
}

impl KeyFormat {
    /// Reads a key format. Slashes at its ends and doubled ones do not count, as in the keys that Argo makes.
    pub fn parse(text: &str) -> Self {
        let mut segments: Vec<Vec<Part>> = vec![Vec::new()];
        let mut rest = text;
        let push_text = |segments: &mut Vec<Vec<Part>>, text: &str| {
            for (at, piece) in text.split('/').enumerate() {
                if at > 0 {
                    segments.push(Vec::new());
                }
                if let (false, Some(segment)) = (piece.is_empty(), segments.last_mut()) {
                    segment.push(Part::Text(piece.to_owned()));
                }
            }
        };
        while let Some((before, variable, after)) = next_variable(rest) {
            push_text(&mut segments, before);
            if let Some(segment) = segments.last_mut() {
                segment.push(Part::Variable(Variable::of(variable)));
            }
            rest = after;
        }
        push_text(&mut segments, rest);
        segments.retain(|segment| !segment.is_empty() && segment[..] != [Part::Text(".".to_owned())]);
        Self { text: text.to_owned(), segments }
    }

    /// Returns the format of the keys that Argo makes below a prefix if no other is configured.
    pub fn default_below(prefix: &str) -> Self {
        Self::parse(&format!("{}/{DEFAULT_KEY_FORMAT}", prefix.trim_end_matches('/')))
    }

    /// Returns the format as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns true if keys of the format tell their workflow in a way that no other path has by chance: by a UID, or
    /// by a name that the name of the pod repeats.
    pub fn tells_workflow(&self) -> bool {
        self.has(Variable::Uid) || (self.has(Variable::Name) && self.has(Variable::Pod))
    }

    fn has(&self, variable: Variable) -> bool {
        self.segments.iter().flatten().any(|part| *part == Part::Variable(variable))
    }

    /// Returns what a key names if it has the shape of the format, and names it in one way only.
    pub fn matches<'k>(&self, key: &'k str) -> Option<Named<'k>> {
        let segments: Vec<&str> = key.split('/').collect();
        // The file's name, or the path of a file in a directory, follows what the format makes.
        if segments.len() <= self.segments.len() || segments.iter().any(|segment| segment.is_empty()) {
            return None;
        }
        let mut matching = Matching { format: self, key: segments, found: None, steps: 0 };
        match matching.walk((0, 0), None, Named::default()) {
            ControlFlow::Continue(()) => matching.found,
            ControlFlow::Break(()) => None,
        }
    }
}

/// Divides a key among the variables, in every way.
struct Matching<'f, 'k> {
    format: &'f KeyFormat,
    key: Vec<&'k str>,
    found: Option<Named<'k>>,
    steps: usize,
}

impl<'k> Matching<'_, 'k> {
    /// Goes on at a part of a segment. `rest` is what is left of the key's segment; none at its beginning. Breaks off
    /// if the key can be read in two ways.
    fn walk(
        &mut self,
        (segment, part): (usize, usize),
        rest: Option<&'k str>,
        named: Named<'k>,
    ) -> ControlFlow<()> {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return ControlFlow::Break(());
        }
        let format = self.format;
        let (Some(parts), Some(whole)) = (format.segments.get(segment), self.key.get(segment)) else {
            return self.end(named);
        };
        let rest = rest.unwrap_or(whole);
        match parts.get(part) {
            None if rest.is_empty() => self.walk((segment + 1, 0), None, named),
            None => ControlFlow::Continue(()),
            Some(Part::Text(text)) => match rest.strip_prefix(text.as_str()) {
                Some(rest) => self.walk((segment, part + 1), Some(rest), named),
                None => ControlFlow::Continue(()),
            },
            Some(Part::Variable(variable)) => {
                let last = part + 1 == parts.len();
                let ends = rest.char_indices().map(|(at, c)| at + c.len_utf8());
                for end in ends.filter(|end| !last || *end == rest.len()) {
                    let (value, rest) = rest.split_at(end);
                    if let Some(named) = variable.filled_in(value, named) {
                        self.walk((segment, part + 1), Some(rest), named)?;
                    }
                }
                ControlFlow::Continue(())
            }
        }
    }

    /// Takes one reading of the whole key.
    fn end(&mut self, named: Named<'k>) -> ControlFlow<()> {
        if let (Some(pod), Some(name)) = (named.pod, named.name)
            && !is_pod_of(pod, name)
        {
            return ControlFlow::Continue(());
        }
        match self.found.replace(named) {
            Some(other) if other != named => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }
}

impl Variable {
    fn of(name: &str) -> Self {
        match name {
            "workflow.namespace" => Self::Namespace,
            "workflow.name" => Self::Name,
            "workflow.uid" => Self::Uid,
            "pod.name" => Self::Pod,
            // strftime's directives (workflow/common/params.go@v4.1.2); others count as any text.
            _ => match name.strip_prefix("workflow.creationTimestamp.") {
                Some("Y") => Self::Digits(4),
                Some("m" | "d" | "H" | "I" | "M" | "S" | "y") => Self::Digits(2),
                Some("j") => Self::Digits(3),
                _ => Self::Any,
            },
        }
    }

    /// Returns what is named with this value; none if the variable can't have it.
    fn filled_in<'k>(self, value: &'k str, mut named: Named<'k>) -> Option<Named<'k>> {
        let (field, is_possible) = match self {
            Self::Digits(count) => {
                let digits = value.len() == count && value.bytes().all(|byte| byte.is_ascii_digit());
                return digits.then_some(named);
            }
            Self::Any => return Some(named),
            Self::Namespace => (&mut named.namespace, is_label(value)),
            Self::Name => (&mut named.name, is_subdomain(value)),
            Self::Uid => (&mut named.uid, is_uuid(value)),
            Self::Pod => (&mut named.pod, is_subdomain(value)),
        };
        let differs = field.is_some_and(|other| other != value);
        *field = Some(value);
        (is_possible && !differs).then_some(named)
    }
}

/// Returns true if a pod of this name may be one of the workflow: `<workflow>` alone, or followed by a number, with
/// the template's name in between from v3.4 on (workflow/util/pod_name.go@v4.1.2).
pub fn is_pod_of(pod: &str, workflow: &str) -> bool {
    match pod.strip_prefix(workflow) {
        None => false,
        Some("") => true,
        Some(rest) => {
            let number = rest.rsplit_once('-').map_or("", |(_, number)| number);
            let digits = number.bytes().all(|byte| byte.is_ascii_digit());
            rest.starts_with('-') && digits && number.parse::<u32>().is_ok()
        }
    }
}

/// Returns true if the text may be the name of a namespace: a label of RFC 1123.
pub fn is_label(text: &str) -> bool {
    text.len() <= 63 && !text.contains('.') && is_subdomain(text)
}

/// Returns true if the text may be the name of a workflow or pod: a subdomain of RFC 1123.
fn is_subdomain(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let (first, last) = (text.bytes().next(), text.bytes().next_back());
    text.len() <= 253
        && first.is_some_and(inner)
        && last.is_some_and(inner)
        && text.bytes().all(|byte| inner(byte) || byte == b'-' || byte == b'.')
}

/// Returns true if the text is a UUID, as Kubernetes gives them out.
pub fn is_uuid(text: &str) -> bool {
    let groups: Vec<usize> = text.split('-').map(str::len).collect();
    groups == [8, 4, 4, 4, 12] && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used)]

    use super::*;
    use proptest::prelude::*;

    const UID: &str = "0a1b2c3d-0000-4000-8000-00805f9b34fb";

    fn name<'k>(format: &str, key: &'k str) -> Option<&'k str> {
        KeyFormat::parse(format).matches(key).and_then(|named| named.name)
    }

    #[test]
    fn the_default_format_confirms_itself() {
        let default = "{{workflow.name}}/{{pod.name}}";
        for key in ["train/train/main.log", "train/train-7/a.tgz", "train/train-main-4294967295/dir/x"] {
            assert_eq!(name(default, key), Some("train"), "{key}");
        }
        for key in [
            "backups/db.sql",
            "data/train.csv",
            "models/v1/weights.bin",
            "v2/artifacts/pipe/0a1b/model",
            "ml/train/train-main-1/a.tgz",
            "train/train-1",
            "train/train-main/a.tgz",
            "train/train-main-4294967296/a.tgz",
            "train/train--/a.tgz",
            "train/trainer-1/a.tgz",
            "train/retrain-1/a.tgz",
            "Train/Train-1/a.tgz",
            "train//train-1/a.tgz",
            "/train/train-1/a.tgz",
            "train/train-1/",
        ] {
            assert_eq!(name(default, key), None, "{key}");
        }
    }

    #[test]
    fn without_a_format_argos_default_follows_the_prefix() {
        for (prefix, key) in [
            ("", "train/train-7/a.tgz"),
            ("argo", "argo/train/train-7/a.tgz"),
            ("argo/logs/", "argo/logs/train/train-7/a.tgz"),
        ] {
            let format = KeyFormat::default_below(prefix);
            assert!(format.tells_workflow(), "{prefix}");
            assert_eq!(format.matches(key).and_then(|named| named.name), Some("train"), "{prefix}");
            assert_eq!(format.matches(&format!("other/{key}")), None, "{prefix}");
        }
    }

    #[test]
    fn every_variable_matches_its_own_alphabet() {
        let format = "argo//{{workflow.namespace}}/{{ workflow.name }}/{{workflow.creationTimestamp.Y}}-\
                      {{workflow.creationTimestamp.m}}/{{workflow.parameters.x}}/{{pod.name}}/";
        let format = KeyFormat::parse(format);
        let named = format.matches("argo/ml/w.1/2026-11/Any thing/w.1-main-3/x/y").expect("its shape");
        let want = Named { namespace: Some("ml"), name: Some("w.1"), uid: None, pod: Some("w.1-main-3") };
        assert_eq!(named, want);
        for key in [
            "argo/m.l/w.1/2026-11/x/w.1-3/a",
            "argo/ml/w.1/26-11/x/w.1-3/a",
            "argo/ml/w.1/2026-1/x/w.1-3/a",
            "other/ml/w.1/2026-11/x/w.1-3/a",
            "argo/ml/w.1/2026-11/x/w.1-3",
        ] {
            assert_eq!(format.matches(key), None, "{key}");
        }
    }

    #[test]
    fn a_uid_is_a_uuid() {
        let format = KeyFormat::parse("{{workflow.uid}}/{{pod.name}}");
        let key = format!("{UID}/train-1/a.tgz");
        assert_eq!(format.matches(&key).and_then(|named| named.uid), Some(UID));
        assert_eq!(format.matches("train/train-1/a.tgz"), None);
        for text in ["-a", "a-", "A", "aB", ".a", "a.", "", "a_b"] {
            assert!(!is_subdomain(text), "{text}");
        }
        assert!(is_subdomain("a-1.b") && is_label("a-1") && !is_label("a.b"));
        assert!(is_uuid(UID) && !is_uuid("0a1b2c3d-0000-4000-8000-00805f9b34fg") && !is_uuid(""));
    }

    #[test]
    fn a_key_that_can_be_read_in_two_ways_names_nothing() {
        let format = KeyFormat::parse("{{workflow.namespace}}-{{workflow.name}}/{{workflow.uid}}");
        assert_eq!(format.matches(&format!("a-b-c/{UID}/x")), None);
        assert_eq!(format.matches(&format!("a-b/{UID}/x")).and_then(|named| named.name), Some("b"));
        // The pod settles it.
        assert_eq!(
            name("{{workflow.namespace}}-{{workflow.name}}/{{pod.name}}", "a-b-c/b-c-1/x"),
            Some("b-c")
        );
        assert_eq!(name("{{workflow.name}}/{{workflow.name}}/{{pod.name}}", "a/b/b-1/x"), None);
        assert_eq!(name("{{workflow.name}}/{{workflow.name}}/{{pod.name}}", "b/b/b-1/x"), Some("b"));
    }

    #[test]
    fn a_segment_is_matched_whole_and_readings_that_name_the_same_are_one() {
        let format = "argo/{{workflow.creationTimestamp.j}}/{{workflow.name}}/{{pod.name}}";
        assert_eq!(name(format, "argo/332/train/train-1/a"), Some("train"));
        for key in ["argon/332/train/train-1/a", "argo/33/train/train-1/a", "argo/3320/train/train-1/a"] {
            assert_eq!(name(format, key), None, "{key}");
        }
        let two_values = "{{workflow.parameters.a}}{{workflow.parameters.b}}/{{workflow.name}}/{{pod.name}}";
        assert_eq!(name(two_values, "xyz/train/train-1/a"), Some("train"));
        assert_eq!(KeyFormat::parse(two_values).as_str(), two_values);
    }

    #[test]
    fn formats_that_do_not_confirm_a_workflow_are_told() {
        for (format, tells) in [
            ("{{workflow.name}}/{{pod.name}}", true),
            ("x/{{workflow.uid}}", true),
            ("{{workflow.name}}", false),
            ("{{workflow.namespace}}/{{workflow.name}}", false),
            ("logs/{{pod.name}}", false),
            ("artifacts", false),
            ("", false),
        ] {
            assert_eq!(KeyFormat::parse(format).tells_workflow(), tells, "{format}");
        }
    }

    #[test]
    fn a_hostile_key_ends() {
        let format = KeyFormat::parse(&"{{x}}".repeat(20));
        assert_eq!(format.matches(&format!("{}/x", "a".repeat(1000))), None);
        assert_eq!(KeyFormat::parse("a{{").matches("a{{/x"), Some(Named::default()));
    }

    proptest! {
        #[test]
        fn what_argo_makes_of_the_default_is_read_back(
            workflow in "[a-z]([-a-z0-9]{0,20}[a-z0-9])?",
            template in "[a-z][-a-z0-9]{0,10}",
            hash in any::<u32>(),
            file in "[a-zA-Z0-9._ -]{1,12}",
        ) {
            let format = KeyFormat::parse("p/{{workflow.name}}/{{pod.name}}");
            for pod in [workflow.clone(), format!("{workflow}-{hash}"), format!("{workflow}-{template}-{hash}")] {
                let key = format!("p/{workflow}/{pod}/{file}");
                prop_assert_eq!(format.matches(&key).and_then(|named| named.name), Some(&*workflow));
            }
        }

        #[test]
        fn what_it_names_is_a_part_of_the_key(key in "[ab1/-]{0,20}") {
            if let Some(named) = KeyFormat::parse("{{workflow.name}}/{{pod.name}}").matches(&key) {
                let parts: Vec<&str> = key.split('/').collect();
                prop_assert_eq!((Some(parts[0]), Some(parts[1])), (named.name, named.pod));
                prop_assert!(parts.len() > 2 && parts[1].starts_with(parts[0]));
            }
        }
    }
}
