//! Reads a retention policy and names the place of what is wrong in it.

use crate::duration;
use crate::error::Error;
use argo_gc_core::model::API_VERSION;
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
    let policy = parse(&text).map_err(|problem| {
        Error::new(format!("{name}:{problem}")).hint("docs/policy.md describes the fields of a policy")
    })?;
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
    let Some(place) = error.location() else { return format!("1:1: {text}") };
    let (line, column) = (place.line(), place.column());
    let message = text.strip_prefix(&format!("line {line} column {column}: ")).unwrap_or(text);
    format!("{line}:{column}: {message}")
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
            #[serde(default)]
            failed: KeepFields,
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
                    failed: keep(self.failed.keep_last, self.failed.older_than),
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
    #[serde(default)]
    pins: Vec<Spanned<PinFields>>,
    #[serde(default)]
    overrides: Vec<Spanned<OverrideFields>>,
});

with_rule!(OverrideFields {
    #[serde(default, deserialize_with = "given")]
    namespace: Option<Name>,
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
    namespace: Option<Name>,
    #[serde(default, deserialize_with = "given")]
    names: Option<Several<Pattern>>,
    #[serde(default)]
    match_labels: BTreeMap<String, String>,
    #[serde(default)]
    match_expressions: Vec<Spanned<ExpressionFields>>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ExpressionFields {
    key: Name,
    operator: OperatorName,
    #[serde(default)]
    values: Vec<String>,
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

/// A name that is not empty: a variable that a template left unset must not widen a selection.
#[derive(Debug, Clone)]
struct Name(String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let odd = |c: char| c.is_whitespace() || c.is_control() || c == '*';
        match text.is_empty() || text.contains(odd) {
            true => Err(de::Error::custom(format!("{text:?} is no name"))),
            false => Ok(Self(text)),
        }
    }
}

/// A name, or the beginning of names with `*` after it.
#[derive(Debug, Clone)]
struct Pattern(String);

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let name = text.strip_suffix('*').unwrap_or(&text);
        match name.is_empty() || name.contains(|c: char| c.is_whitespace() || c == '*') {
            true => Err(de::Error::custom(format!("{text:?} is no name, and no beginning such as train-*"))),
            false => Ok(Self(text)),
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
        for fields in self.overrides {
            let scope = scope(&fields)?;
            if overrides.iter().any(|(other, _)| *other == scope) {
                return wrong(&fields, "an earlier override names the same");
            }
            overrides.push((scope, fields.value.rule()));
        }
        Ok(Retention { all, overrides, pins: self.pins.into_iter().map(pin).collect::<Result<_, _>>()? })
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

fn pin(fields: Spanned<PinFields>) -> Result<Pin, String> {
    let PinFields { namespace, names, match_labels, match_expressions } = &fields.value;
    if namespace.is_none() && names.is_none() && match_labels.is_empty() && match_expressions.is_empty() {
        return wrong(&fields, "a pin names a namespace, names or labels; this one would keep everything");
    }
    let expression = |fields: &Spanned<ExpressionFields>| {
        let ExpressionFields { key, operator, values } = &fields.value;
        let listing = matches!(operator, OperatorName::In | OperatorName::NotIn);
        match (listing, values.is_empty()) {
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
                values: values.clone(),
            }),
        }
    };
    Ok(Pin {
        namespace: namespace.as_ref().map(|name| name.0.clone()),
        names: names.iter().flat_map(|names| &names.0).map(|name| name.0.clone()).collect(),
        match_labels: match_labels.clone(),
        match_expressions: match_expressions.iter().map(expression).collect::<Result<_, _>>()?,
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
        assert_eq!(policy(""), Ok(Retention::default()));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (text, place, what) in [
            ("keepLst: 3", "3:1: ", "unknown field"),
            ("keepLast: -1", "3:11: ", ""),
            ("keepLast: many", "3:11: ", ""),
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
            ("keepLast: 3\n---\nkeepLast: 4", "", ""),
            ("- a", "3:3: ", ""),
        ] {
            let error = policy(text).unwrap_err();
            assert!(error.starts_with(place) && error.contains(what), "{text:?}: {error}");
        }
        for text in ["", "kind: RetentionPolicy", "{}", "apiVersion: argo-gc/v2\nkind: RetentionPolicy"] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
