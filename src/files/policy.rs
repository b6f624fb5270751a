//! Reads a retention policy and names the place of what is wrong in it.

use crate::duration;
use crate::error::Error;
use argo_gc_core::argo::kube_names;
use argo_gc_core::model::API_VERSION;
use argo_gc_core::plan::key_shape::is_label;
use argo_gc_core::plan::retention::hits::Places;
use argo_gc_core::plan::retention::pin::{Expression, Operator, Pin};
use argo_gc_core::plan::retention::{Keep, Origin, Retention, Rule, Scope};
use argo_gc_core::verdict::{Class, Verdict};
use jiff::SignedDuration;
use serde::de;
use serde::de::{Deserialize, Deserializer};
use serde_saphyr::Spanned;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

const KIND: &str = "RetentionPolicy";

/// The largest file that is read as a policy: policies are written by hand.
const MOST_BYTES: u64 = 1 << 20;

/// Reads a policy; `-` is standard input.
///
/// # Errors
/// It can't be read, or is no policy; the message names the line.
pub(crate) fn read(path: &Path, stdin: &mut dyn Read) -> Result<Retention, Error> {
    load(path, stdin).map(|(_, policy)| policy)
}

/// Reads the text of a policy and checks it.
///
/// # Errors
/// As [`read`].
pub(crate) fn text(path: &Path, stdin: &mut dyn Read) -> Result<String, Error> {
    load(path, stdin).map(|(text, _)| text)
}

fn load(path: &Path, stdin: &mut dyn Read) -> Result<(String, Retention), Error> {
    let is_stdin = path == Path::new("-");
    let name = if is_stdin { "standard input".to_owned() } else { path.display().to_string() };
    let failed = |error: std::io::Error| Error::new(format!("{name}: {error}"));
    let mut bytes = Vec::new();
    let read = match is_stdin {
        true => stdin.take(MOST_BYTES + 1).read_to_end(&mut bytes),
        false => std::fs::File::open(path).map_err(failed)?.take(MOST_BYTES + 1).read_to_end(&mut bytes),
    };
    if read.map_err(failed)? as u64 > MOST_BYTES {
        return Err(Error::new(format!("{name}: larger than {} KiB", MOST_BYTES >> 10)));
    }
    let text = String::from_utf8(bytes).map_err(|error| Error::new(format!("{name}: {error}")))?;
    let mut policy = parse(&text).map_err(|problem| {
        Error::new(format!("{name}:{problem}")).hint("docs/policy.md describes the fields of a policy")
    })?;
    policy.places.file = name;
    Ok((text, policy))
}

/// The policy of a text, or `LINE:COLUMN: what is wrong`.
fn parse(text: &str) -> Result<Retention, String> {
    let file: File = serde_saphyr::from_str(text).map_err(|error| described(&error))?;
    file.policy()
}

/// The first line of a parser's error, with its place first. The other lines only quote the file.
fn described(error: &serde_saphyr::Error) -> String {
    let text = error.to_string();
    let text = text.lines().next().unwrap_or_default();
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let Some(place) = error.location() else { return format!("1:1: {}", worded(text)) };
    let (line, column) = (place.line(), place.column());
    let message = text.strip_prefix(&format!("line {line} column {column}: ")).unwrap_or(text);
    format!("{line}:{column}: {}", worded(message))
}

/// A parser's message without its words for developers.
fn worded(message: &str) -> String {
    // The beginning of each message that has such words, and what is said instead.
    const WORDS: [(&str, &str); 10] = [
        ("unknown variant `~`", "there is no value; leave the field out instead"),
        ("expected mapping start", "fields with values are expected here"),
        ("expected sequence start", "a list is expected here"),
        ("expected string scalar", "a text is expected here"),
        ("externally tagged enum expected", "a word is expected here"),
        ("invalid u32", "a whole number that is not negative is expected here"),
        ("cannot deserialize null into", "there is no value; leave the field out instead"),
        ("multiple YAML documents detected", "a policy is one document; nothing may follow a line of ---"),
        ("invalid type: unit value", "there is no value; leave the field out instead"),
        ("unexpected end of input", "the file is empty"),
    ];
    let worded = WORDS.iter().find(|(beginning, _)| message.starts_with(beginning));
    match (worded, message.split_once(", set DuplicateKeyPolicy")) {
        (Some((_, words)), _) => (*words).to_owned(),
        (None, Some((before, _))) => before.to_owned(),
        (None, None) => message.to_owned(),
    }
}

/// The error for fields that are wrong only together.
fn wrong<T, R>(at: &Spanned<T>, what: &str) -> Result<R, String> {
    Err(format!("{}:{}: {what}", at.referenced.line(), at.referenced.column()))
}

/// Declares a struct with the fields of a rule between fields of its own: serde can't refuse unknown fields of a struct
/// that is flattened into another.
macro_rules! with_rule {
    ($name:ident { $($before:tt)* } { $($after:tt)* }) => {
        #[derive(Debug, serde::Deserialize)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        struct $name {
            $($before)*
            #[serde(default, deserialize_with = "given")]
            keep_last: Option<u32>,
            #[serde(default, deserialize_with = "given")]
            older_than: Option<Age>,
            #[serde(default, deserialize_with = "given")]
            failed: Option<Spanned<KeepFields>>,
            #[serde(default, deserialize_with = "given")]
            verdicts: Option<Several<Going>>,
            #[serde(default, deserialize_with = "given")]
            only: Option<Only>,
            $($after)*
        }

        impl $name {
            fn rule(&self) -> Rule {
                Rule {
                    runs: keep(self.keep_last, self.older_than),
                    failed: self.failed.as_ref().map_or_else(Keep::default, |failed| {
                        keep(failed.value.keep_last, failed.value.older_than)
                    }),
                    verdicts: self.verdicts.as_ref().map(|several| several.0.iter().map(verdict).collect()),
                    only: self.only.map(|only| match only {
                        Only::Logs => Class::Logs,
                        Only::Artifacts => Class::Artifacts,
                    }),
                }
            }
        }
    };
}

with_rule!(File {
    api_version: Spanned<String>,
    kind: Spanned<String>,
} {
    #[serde(default, deserialize_with = "given")]
    pins: Option<Several<Spanned<PinFields>>>,
    #[serde(default, deserialize_with = "given")]
    overrides: Option<Several<Spanned<OverrideFields>>>,
});

with_rule!(OverrideFields {
    #[serde(default, deserialize_with = "given")]
    namespace: Option<Namespace>,
    #[serde(default, deserialize_with = "given")]
    template: Option<Name>,
    #[serde(default, deserialize_with = "given")]
    cron_workflow: Option<Name>,
} {});

#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct KeepFields {
    #[serde(default, deserialize_with = "given")]
    keep_last: Option<u32>,
    #[serde(default, deserialize_with = "given")]
    older_than: Option<Age>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PinFields {
    #[serde(default, deserialize_with = "given")]
    namespace: Option<Namespace>,
    #[serde(default, deserialize_with = "given")]
    names: Option<Several<Spanned<Pattern>>>,
    #[serde(default, deserialize_with = "given")]
    match_labels: Option<Labels>,
    #[serde(default, deserialize_with = "given")]
    match_expressions: Option<Several<Spanned<ExpressionFields>>>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ExpressionFields {
    key: LabelKey,
    operator: OperatorName,
    #[serde(default, deserialize_with = "given")]
    values: Option<Several<LabelValue>>,
}

#[derive(Debug, Clone, Copy, PartialEq, serde::Deserialize)]
enum OperatorName {
    In,
    NotIn,
    Exists,
    DoesNotExist,
}

#[derive(Debug, Clone, Copy, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Only {
    Logs,
    Artifacts,
}

/// Verdicts whose artifacts a purge may take.
#[derive(Debug, Clone, Copy, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Going {
    Uncovered,
    Failing,
    Kept,
}

/// Reads a field that must have a value if it is present: an empty one is a mistake, not "no rule".
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A duration with its unit.
#[derive(Debug, Clone, Copy)]
struct Age(SignedDuration);

impl<'de> Deserialize<'de> for Age {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let duration = duration::parse(&text).map_err(de::Error::custom)?;
        Ok(Self(crate::duration::signed(duration)))
    }
}

/// Declares a text that Kubernetes takes for what it stands for: one that it would refuse, such as an empty one where a
/// variable was left unset, matches nothing.
macro_rules! checked {
    ($(#[$about:meta])* $name:ident, $takes:expr, $what:literal) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
        struct $name(String);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                let takes: fn(&str) -> bool = $takes;
                match takes(&text) {
                    true => Ok(Self(text)),
                    false => Err(de::Error::custom(format!(concat!("{:?} is no ", $what), text))),
                }
            }
        }
    };
}

checked!(
    /// The name of a template or cron workflow.
    Name, kube_names::is_subdomain, "name: lower-case letters, digits, - and . make one"
);
checked!(Namespace, is_label, "name of a namespace: lower-case letters, digits and - make one");
checked!(LabelKey, kube_names::is_label_key, "key of a label");
checked!(LabelValue, kube_names::is_label_value, "value of a label");
checked!(
    /// The name of a run, or the beginning of names with `*` after it.
    Pattern,
    |text| match text.strip_suffix('*') {
        // A beginning is one if some name has it.
        Some(beginning) => !beginning.is_empty() && kube_names::is_subdomain(&format!("{beginning}x")),
        None => kube_names::is_subdomain(text),
    },
    "name, and no beginning such as train-*"
);

/// Labels, at least one.
#[derive(Debug)]
struct Labels(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let all: BTreeMap<LabelKey, LabelValue> = BTreeMap::deserialize(deserializer)?;
        match all.is_empty() {
            true => Err(de::Error::custom("there are no labels; leave the field out instead")),
            false => Ok(Self(all.into_iter().map(|(key, value)| (key.0, value.0)).collect())),
        }
    }
}

/// A list that is not empty.
#[derive(Debug, Clone)]
struct Several<T>(Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Several<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let all = Vec::deserialize(deserializer)?;
        match all.is_empty() {
            true => Err(de::Error::custom("the list is empty; leave the field out instead")),
            false => Ok(Self(all)),
        }
    }
}

impl File {
    fn policy(self) -> Result<Retention, String> {
        if self.api_version.value != API_VERSION {
            return wrong(&self.api_version, &format!("apiVersion is {API_VERSION}"));
        }
        if self.kind.value != KIND {
            return wrong(&self.kind, &format!("kind is {KIND}"));
        }
        let all = self.rule();
        let mut overrides: Vec<(Scope, Rule)> = Vec::new();
        let mut places = Places::default();
        let empty = |rule: &Option<Spanned<KeepFields>>| match rule {
            Some(failed) if failed.value.keep_last.is_none() && failed.value.older_than.is_none() => {
                wrong(failed, "there is no value; leave the field out instead")
            }
            _ => Ok(()),
        };
        empty(&self.failed)?;
        for fields in self.overrides.map(|several| several.0).unwrap_or_default() {
            let scope = scope(&fields)?;
            empty(&fields.value.failed)?;
            places.overrides.push(fields.referenced.line());
            if overrides.iter().any(|(other, _)| *other == scope) {
                return wrong(&fields, "an earlier override names the same");
            }
            overrides.push((scope, fields.value.rule()));
        }
        let pins = self.pins.map(|several| several.0).unwrap_or_default();
        places.pins = pins.iter().map(lines).collect();
        Ok(Retention { all, overrides, pins: pins.into_iter().map(pin).collect::<Result<_, _>>()?, places })
    }
}

fn keep(last: Option<u32>, older_than: Option<Age>) -> Keep {
    Keep { last, older_than: older_than.map(|age| age.0) }
}

fn verdict(going: &Going) -> Verdict {
    match going {
        Going::Uncovered => Verdict::Uncovered,
        Going::Failing => Verdict::Failing,
        Going::Kept => Verdict::Kept,
    }
}

fn scope(fields: &Spanned<OverrideFields>) -> Result<Scope, String> {
    let OverrideFields { namespace, template, cron_workflow, .. } = &fields.value;
    let origin = match (template, cron_workflow) {
        (Some(_), Some(_)) => {
            return wrong(fields, "an override is for a template or for a cronWorkflow; write two");
        }
        (None, None) if namespace.is_none() => {
            return wrong(fields, "an override names a namespace, a template or a cronWorkflow");
        }
        (None, None) => None,
        (Some(Name(name)), None) => Some(Origin::Template(name.clone())),
        (None, Some(Name(name))) => Some(Origin::CronWorkflow(name.clone())),
    };
    Ok(Scope { namespace: namespace.as_ref().map(|name| name.0.clone()), origin })
}

/// The lines of a pin's names; its own line if it has none.
fn lines(fields: &Spanned<PinFields>) -> Vec<u64> {
    match &fields.value.names {
        Some(names) => names.0.iter().map(|name| name.referenced.line()).collect(),
        None => vec![fields.referenced.line()],
    }
}

fn pin(fields: Spanned<PinFields>) -> Result<Pin, String> {
    let PinFields { namespace, names, match_labels, match_expressions } = &fields.value;
    if namespace.is_none() && names.is_none() && match_labels.is_none() && match_expressions.is_none() {
        return wrong(&fields, "a pin names a namespace, names or labels; this one would keep everything");
    }
    let expression = |fields: &Spanned<ExpressionFields>| {
        let ExpressionFields { key, operator, values } = &fields.value;
        let listing = matches!(operator, OperatorName::In | OperatorName::NotIn);
        match (listing, values.is_none()) {
            (true, true) => wrong(fields, "In and NotIn need values"),
            (false, false) => wrong(fields, "Exists and DoesNotExist take no values"),
            _ => Ok(Expression {
                key: key.0.clone(),
                operator: match operator {
                    OperatorName::In => Operator::In,
                    OperatorName::NotIn => Operator::NotIn,
                    OperatorName::Exists => Operator::Exists,
                    OperatorName::DoesNotExist => Operator::DoesNotExist,
                },
                values: values.iter().flat_map(|values| &values.0).map(|value| value.0.clone()).collect(),
            }),
        }
    };
    let expressions = match_expressions.iter().flat_map(|expressions| &expressions.0);
    Ok(Pin {
        namespace: namespace.as_ref().map(|name| name.0.clone()),
        names: names.iter().flat_map(|names| &names.0).map(|name| name.value.0.clone()).collect(),
        match_labels: match_labels.as_ref().map(|labels| labels.0.clone()).unwrap_or_default(),
        match_expressions: expressions.map(expression).collect::<Result<_, _>>()?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use argo_gc_core::plan::retention::{Keep, Origin, Retention, Scope};
    use argo_gc_core::verdict::{Class, Verdict};
    use jiff::SignedDuration;

    fn policy(rest: &str) -> Result<Retention, String> {
        parse(&format!("apiVersion: argo-gc/v1\nkind: RetentionPolicy\n{rest}"))
    }

    #[test]
    fn a_policy_is_read_whole() {
        let read = policy(
            "keepLast: 3\nolderThan: 7d\nfailed: {keepLast: 5, olderThan: 30d}\nverdicts: [failing]\nonly: logs
pins:
- names: [golden, release-*]
  namespace: ml
- matchLabels: {tier: 'true'}
  matchExpressions: [{key: team, operator: NotIn, values: [tmp]}]
overrides:
- {namespace: ml, keepLast: 0}
- {cronWorkflow: nightly, olderThan: 12h}
",
        );
        let read = read.unwrap();
        let days = |days: i64| Some(SignedDuration::from_hours(24 * days));
        assert_eq!(read.all.runs, Keep { last: Some(3), older_than: days(7) });
        assert_eq!(read.all.failed, Keep { last: Some(5), older_than: days(30) });
        assert_eq!((read.all.verdicts, read.all.only), (Some(vec![Verdict::Failing]), Some(Class::Logs)));
        let scopes: Vec<&Scope> = read.overrides.iter().map(|(scope, _)| scope).collect();
        assert_eq!(scopes[0], &Scope { namespace: Some("ml".into()), origin: None });
        assert_eq!(
            scopes[1],
            &Scope { namespace: None, origin: Some(Origin::CronWorkflow("nightly".into())) }
        );
        assert_eq!(read.overrides[0].1.runs, Keep { last: Some(0), older_than: None });
        assert_eq!(read.pins[1].to_string(), "tier=true; team notin (tmp)");
        assert_eq!(read.places.overrides, [14, 15]);
        assert_eq!(read.places.pins, [vec![9, 9], vec![11]]);
        assert_eq!(policy(""), Ok(Retention::default()));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (text, place, what) in [
            ("keepLst: 3", "3:1: ", "unknown field"),
            ("keepLast: -1", "3:11: ", ""),
            ("keepLast: many", "3:11: ", "a whole number"),
            ("keepLast:", "3:", ""),
            ("keepLast: 3\nkeepLast: 4", "4:1: ", "duplicate"),
            ("olderThan: 7", "3:12: ", "7 of what? write 7d"),
            ("olderThan: 99999d", "3:12: ", "longer than"),
            ("olderThan: 7y", "3:12: ", "no duration"),
            ("failed:\n  kepLast: 1", "4:3: ", "unknown field"),
            ("verdicts: []", "3:11: ", "empty"),
            ("verdicts: [covered]", "3:12: ", "unknown variant"),
            ("only: everything", "3:7: ", "unknown variant"),
            ("pins:\n- {}", "4:3: ", "would keep everything"),
            ("pins:\n- names: ['a*b']", "4:11: ", "is no name"),
            ("pins:\n- namespace: ''", "4:14: ", "is no name"),
            ("pins:\n- matchExpressions: [{key: a, operator: In}]", "4:22: ", "need values"),
            ("overrides:\n- keepLast: 1", "4:3: ", "names a namespace"),
            ("overrides:\n- {template: a, cronWorkflow: b}", "4:3: ", "write two"),
            ("overrides:\n- {template: a}\n- {template: a}", "5:3: ", "names the same"),
            ("overrides:\n- {template: a, pins: []}", "4:17: ", "unknown field"),
            ("keepLast: 3\n---\nkeepLast: 4", "", "a policy is one document"),
            ("pins: []", "3:7: ", "the list is empty"),
            ("pins:", "3:5: ", "a list is expected"),
            ("pins: [a]", "3:8: ", "fields with values are expected"),
            ("overrides: []", "3:12: ", "the list is empty"),
            ("failed: {}", "3:9: ", "leave the field out"),
            ("failed:", "3:7: ", "fields with values are expected"),
            ("overrides:\n- {namespace: a, failed: {}}", "4:26: ", "leave the field out"),
            ("pins:\n- {namespace: a, matchLabels: {}}", "4:31: ", "leave the field out"),
            ("pins:\n- {namespace: a, matchExpressions: []}", "4:36: ", "the list is empty"),
            (
                "pins:\n- matchExpressions: [{key: a, operator: Exists, values: []}]",
                "4:",
                "the list is empty",
            ),
            ("pins:\n- namespace: null", "4:14: ", "there is no value"),
            ("only:", "3:", "there is no value"),
            ("olderThan: null", "3:12: ", "there is no value"),
            ("pins:\n- names: [A-1]", "4:11: ", "\"A-1\" is no name"),
            ("pins:\n- names: [a, 'b/*']", "4:14: ", "is no name"),
            ("pins:\n- namespace: ml/x", "4:14: ", "no name of a namespace"),
            ("pins:\n- namespace: ml.x", "4:14: ", "no name of a namespace"),
            ("pins:\n- matchLabels: {'audit ': 'true'}", "4:17: ", "no key of a label"),
            ("pins:\n- matchLabels: {audit: 'true '}", "4:24: ", "no value of a label"),
            ("pins:\n- matchExpressions: [{key: a/b/c, operator: Exists}]", "4:28: ", "no key of a label"),
            ("overrides:\n- {template: ml/train}", "4:14: ", "is no name"),
            ("overrides:\n- {cronWorkflow: Nightly}", "4:18: ", "is no name"),
            ("- a", "3:3: ", ""),
        ] {
            let error = policy(text).unwrap_err();
            assert!(error.starts_with(place) && error.contains(what), "{text:?}: {error}");
            for word in
                ["Option", "from_str", "deserialize", "Policy in", "unit value", "u32", " start", "scalar"]
            {
                assert!(!error.contains(word), "{text:?}: {error}");
            }
        }
        for text in ["", "kind: RetentionPolicy", "{}", "apiVersion: argo-gc/v2\nkind: RetentionPolicy"] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
