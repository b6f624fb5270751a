//! Lint reports, as `lint -o json` writes them.

use crate::error::{Error, Hint};
use argo_gc_core::diff::lint::LintFinding;
use argo_gc_core::model::API_VERSION;
use argo_gc_core::model::gap::Gap;
use argo_gc_core::model::scope::Scope;
use serde::Deserialize;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

const KIND: &str = "LintReport";

/// A report that was read.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ParsedReport {
    api_version: String,
    kind: String,
    pub argo_version: String,
    pub source: Scope,
    pub gaps: Vec<Gap>,
    pub findings: Vec<LintFinding>,
}

/// Whether a document calls itself a lint report, as far as its beginning shows. Nothing of it is taken.
pub fn begins(input: &mut dyn BufRead) -> bool {
    let Ok(beginning) = input.fill_buf() else { return false };
    let mut words = String::from_utf8_lossy(beginning).into_owned();
    words.retain(|c| !c.is_whitespace());
    words.contains(&format!("\"kind\":\"{KIND}\""))
}

/// Whether a file is a lint report.
pub fn is_report(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| begins(&mut BufReader::with_capacity(1 << 16, file)))
}

/// Reads a report; `-` is standard input.
///
/// # Errors
/// It can't be read, or is no lint report.
pub fn read(path: &Path, stdin: &mut dyn Read) -> Result<ParsedReport, Error> {
    let is_stdin = path.as_os_str() == "-";
    let name = if is_stdin { "standard input".to_owned() } else { path.display().to_string() };
    let mut text = String::new();
    let read = match is_stdin {
        true => stdin.read_to_string(&mut text),
        false => File::open(path).and_then(|mut file| file.read_to_string(&mut text)),
    };
    read.map_err(|error| Error::new(format!("cannot read {name}: {error}")))?;
    let no_report = |why: String| {
        Error::new(format!("{name} is not a complete lint report: {why}")).hint(Hint::MakeLintReport)
    };
    let report: ParsedReport = serde_json::from_str(&text).map_err(|error| no_report(error.to_string()))?;
    if report.kind != KIND || report.api_version != API_VERSION {
        return Err(no_report(format!("it is {} of {}", report.kind, report.api_version)));
    }
    Ok(report)
}
