//! Parsers of flag values that several verbs share.

use crate::cli::kube_flags::PHASES;
use crate::cluster::unread::{Accepted, UnreadSource};
use crate::duration;
use crate::output::view::GroupBy;
use crate::scan::selection::Name;
use argo_gc_core::argo::version::Version;
use argo_gc_core::model::bucket::Bucket;
use argo_gc_core::plan::key_shape::KeyFormat;
use argo_gc_core::verdict::Verdict;
use argo_gc_store::inventory::types::Address;
use clap::builder::{PossibleValue, TypedValueParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::ffi::OsStr;
use std::time::Duration;

/// The value of `--verdict` that means every verdict.
pub(crate) const ALL: &str = "all";

#[derive(Debug, Clone, Copy)]
pub(crate) enum Verdicts {
    All,
    One(Verdict),
}

pub(crate) fn verdict(text: &str) -> Result<Verdict, String> {
    Verdict::ALL.into_iter().find(|verdict| verdict.as_str() == text).ok_or_else(|| {
        let known: Vec<&str> = Verdict::ALL.iter().map(|verdict| verdict.as_str()).collect();
        format!("use one of {}", known.join(", "))
    })
}

pub(crate) fn verdicts(text: &str) -> Result<Verdicts, String> {
    if text == ALL { Ok(Verdicts::All) } else { verdict(text).map(Verdicts::One) }
}

pub(crate) fn version(text: &str) -> Result<Version, String> {
    Version::parse(text).ok_or_else(|| "use a release such as v3.6.4".to_owned())
}

/// Parses a phase, ignoring case. An unknown phase is refused: it would match nothing, and the empty result would look
/// like an answer.
pub(crate) fn phase(text: &str) -> Result<String, String> {
    match PHASES.iter().find(|phase| phase.eq_ignore_ascii_case(text)) {
        Some(phase) => Ok((*phase).to_owned()),
        None => Err(format!("use one of {}", PHASES.join(", "))),
    }
}

/// Parses the name of a Secret, a DNS subdomain.
pub(crate) fn secret(text: &str) -> Result<String, String> {
    let ordinary = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    let ends = |c: char| c.is_ascii_alphanumeric();
    match text.chars().all(ordinary) && text.starts_with(ends) && text.ends_with(ends) && text.len() <= 253 {
        true => Ok(text.to_owned()),
        false => Err("the name of a Secret has lower-case letters, digits, - and .".to_owned()),
    }
}

pub(crate) fn image(text: &str) -> Result<String, String> {
    match text.is_empty() || text.contains(|c: char| !c.is_ascii_graphic()) {
        true => Err("it is no name of an image".to_owned()),
        false => Ok(text.to_owned()),
    }
}

/// Parses what is accepted as unread. Help and completion show the sources.
#[derive(Debug, Clone)]
pub(crate) struct AcceptedParser;

impl TypedValueParser for AcceptedParser {
    type Value = Accepted;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<Accepted, clap::Error> {
        let text = value.to_string_lossy();
        text.parse().map_err(|_| {
            let mut error = clap::Error::new(ErrorKind::InvalidValue).with_cmd(command);
            let names = UnreadSource::ACCEPTABLE.map(|source| source.as_str().to_owned()).to_vec();
            let arg = arg.map(ToString::to_string).unwrap_or_default();
            error.insert(ContextKind::InvalidArg, ContextValue::String(arg));
            error.insert(ContextKind::InvalidValue, ContextValue::String(text.into_owned()));
            error.insert(ContextKind::ValidValue, ContextValue::Strings(names));
            error
        })
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(UnreadSource::ACCEPTABLE.into_iter().map(|source| PossibleValue::new(source.as_str()))))
    }
}

/// Parses the name of a workflow: NAME, NAMESPACE/NAME, or with its kind before it, as `kubectl -o name` writes it.
pub(crate) fn workflow_name(text: &str) -> Result<Name, String> {
    const KINDS: [&str; 5] = ["wf", "workflow", "workflows", "workflow.argoproj.io", "workflows.argoproj.io"];
    let parts: Vec<&str> = text.split('/').collect();
    let parts = match parts.as_slice() {
        [kind, rest @ ..] if !rest.is_empty() && KINDS.contains(kind) => rest,
        all => all,
    };
    match parts {
        [name] if !name.is_empty() => Ok(Name { namespace: None, name: (*name).to_owned() }),
        [space, name] if !name.is_empty() && namespace(space).is_ok() => {
            Ok(Name { namespace: Some((*space).to_owned()), name: (*name).to_owned() })
        }
        _ => Err(format!("{text:?} is neither NAME nor NAMESPACE/NAME of a workflow")),
    }
}

/// Parses one namespace, or several with commas between them. An empty one is the context's, as for kubectl.
pub(crate) fn namespaces(text: &str) -> Result<String, String> {
    match text.contains(',') && text.split(',').any(|name| namespace(name).is_err()) {
        true => Err("several namespaces are separated by commas alone, as ml,etl".to_owned()),
        false => Ok(text.to_owned()),
    }
}

/// Parses the name of a bucket, with or without its scheme.
pub(crate) fn bucket_name(text: &str) -> Result<String, String> {
    if !text.contains("://") {
        return not_blank(text);
    }
    match repository(text)? {
        (bucket, prefix) if prefix.trim_matches('/').is_empty() => Ok(bucket.name().to_owned()),
        _ => Err("a bucket is chosen as a whole, without a prefix".to_owned()),
    }
}

/// Parses the name of a namespace, which becomes part of a path.
pub(crate) fn namespace(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    match !text.is_empty() && text.len() <= 63 && text.bytes().all(plain) {
        true => Ok(text.to_owned()),
        false => Err("this is no name of a namespace".to_owned()),
    }
}

/// Refuses an empty value: an unset variable of a script must not select everything (`docs/dangers.md`, danger 27).
pub(crate) fn not_blank(text: &str) -> Result<String, String> {
    match text.trim().is_empty() {
        true => Err("it is empty, and would select everything".to_owned()),
        false => Ok(text.to_owned()),
    }
}

/// `gs://bucket/prefix` and the like as bucket and prefix.
pub(crate) fn repository(text: &str) -> Result<(Bucket, String), String> {
    let (bucket, prefix) = Bucket::and_key(text)?;
    match prefix.contains("{{") {
        true => Err(format!("the prefix has a variable; use {bucket} with the constant part before it")),
        false => Ok((bucket, prefix.to_owned())),
    }
}

/// Parses the address of an inventory's manifest: an object, or a file.
pub(crate) fn inventory(text: &str) -> Result<Address, String> {
    if !text.contains("://") {
        return Ok(Address::File(text.into()));
    }
    match repository(text)? {
        (bucket, key) if key.is_empty() => Err(format!("name the inventory's manifest in {bucket}")),
        (bucket, key) => Ok(Address::Object(bucket, key)),
    }
}

/// Parses a key format by which keys can be judged.
pub(crate) fn key_format(text: &str) -> Result<KeyFormat, String> {
    let format = KeyFormat::parse(text);
    match format.tells_workflow() {
        true => Ok(format),
        false => Err("it needs {{workflow.uid}}, or {{workflow.name}} and {{pod.name}}: other data may have the shape of \
                      any other format"
            .to_owned()),
    }
}

/// Parses sizes such as `500`, `10KiB`, `1.5GiB` and `2TB`.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no size such as 500GiB");
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..digits].parse().map_err(|_| wrong())?;
    let factor: f64 = match text[digits..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kib" => 1024.0,
        "m" | "mib" => 1024.0 * 1024.0,
        "g" | "gib" => 1024.0 * 1024.0 * 1024.0,
        "t" | "tib" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "tb" => 1e12,
        _ => return Err(wrong()),
    };
    /// 8 EiB: more than any bucket holds, and still a whole number of bytes.
    const MOST: f64 = (1_u64 << 63) as f64;
    let size = number * factor;
    if size > MOST {
        return Err(format!("{text} is more than any bucket holds"));
    }
    Ok(size as u64)
}

/// Parses what totals are made by.
#[derive(Debug, Clone)]
pub(crate) struct GroupByParser;

impl TypedValueParser for GroupByParser {
    type Value = GroupBy;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<GroupBy, clap::Error> {
        let text = value.to_string_lossy();
        if let Some((_, by)) = GroupBy::NAMED.into_iter().find(|(name, _)| *name == text) {
            return Ok(by);
        }
        match text.strip_prefix("label=").filter(|key| !key.is_empty()) {
            Some(key) => Ok(GroupBy::Label(key.to_owned())),
            None => {
                let names: Vec<&str> = GroupBy::NAMED.into_iter().map(|(name, _)| name).collect();
                let arg = arg.map(ToString::to_string).unwrap_or_default();
                let words =
                    format!("invalid value '{text}' for '{arg}': use {} or label=KEY\n", names.join(", "));
                Err(clap::Error::raw(ErrorKind::InvalidValue, words).with_cmd(command))
            }
        }
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let names = GroupBy::NAMED.into_iter().map(|(name, _)| name).chain(["label=KEY"]);
        Some(Box::new(names.map(PossibleValue::new)))
    }
}

/// Parses how long to wait from one reading of a cluster to the next.
pub(crate) fn interval(text: &str) -> Result<Duration, String> {
    match duration::parse(text)? {
        short if short < Duration::from_secs(1) => Err("a second at the least".to_owned()),
        interval => Ok(interval),
    }
}

/// Parses a price.
pub(crate) fn dollars(text: &str) -> Result<f64, String> {
    let price = text.parse().ok().filter(|price: &f64| price.is_finite() && *price >= 0.0);
    price.ok_or_else(|| format!("{text:?} is no price such as 0.02"))
}
