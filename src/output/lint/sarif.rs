//! SARIF 2.1.0.

use crate::output::document::json as json_text;
use crate::syntax::diagnostics::{Finding, Report};
use argo_gc_core::lint::types::Severity;
use argo_gc_core::reason::Reason;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::io;
use std::io::Write;

pub(crate) fn write(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    let codes: BTreeSet<&str> = report.findings.iter().map(|finding| finding.code).collect();
    let codes: Vec<&str> = codes.into_iter().collect();
    let rules: Vec<Value> = codes.iter().filter_map(|code| Some(rule(Reason::from_code(code)?))).collect();
    let results: Vec<Value> = report.findings.iter().map(|finding| result(finding, &codes)).collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "kubectl-argo-gc",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": rules,
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    writeln!(out, "{}", json_text(&log, "")?)
}

fn rule(reason: Reason) -> Value {
    let entry = reason.entry();
    json!({
        "id": reason.code(),
        "shortDescription": { "text": entry.title },
        "fullDescription": { "text": entry.why },
        "help": { "text": entry.remedy },
        "helpUri": format!("{}/blob/main/docs/reasons.md#{}", env!("CARGO_PKG_REPOSITORY"), reason.code()),
    })
}

fn result(finding: &Finding, codes: &[&str]) -> Value {
    let level = match finding.severity {
        Severity::Uncovered | Severity::Failing => "error",
        Severity::Unknown => "warning",
        Severity::Note => "note",
    };
    let subject = match finding.artifact.as_str() {
        "" => String::new(),
        artifact => format!("Artifact {artifact}: "),
    };
    let name = format!("{}/{}", finding.kind, finding.name);
    let mut location = json!({
        "logicalLocations": [{ "fullyQualifiedName": format!("{name} {}", finding.field) }],
    });
    if let Some(at) = &finding.at {
        location["physicalLocation"] = json!({
            "artifactLocation": { "uri": uri(&at.file) },
            "region": { "startLine": at.line, "startColumn": at.column },
        });
    }
    json!({
        "ruleId": finding.code,
        "ruleIndex": codes.iter().position(|code| *code == finding.code),
        "level": level,
        "message": { "text": format!("{subject}{}", finding.why) },
        "locations": [location],
        "partialFingerprints": { "argoGc/v1": fingerprint(finding) },
    })
}

/// Tells a finding from others, and stays the same where only lines move: without file, line and words.
fn fingerprint(finding: &Finding) -> String {
    let Finding { code, kind, name, field, artifact, .. } = finding;
    let mut hasher = Sha256::new();
    for part in [*code, kind, name, field, artifact] {
        hasher.update(part.len().to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// A path as a relative reference, or as a `file:` address where it is absolute.
fn uri(path: &str) -> String {
    let mut uri = if path.starts_with('/') { "file://".to_owned() } else { String::new() };
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' => {
                uri.push(byte.into())
            }
            b'\\' if cfg!(windows) => uri.push('/'),
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri
}
