//! Two lint reports compared.

use crate::error::Error;
use crate::output::columns::{Columns, Layout};
use crate::output::diff::DiffFormat;
use crate::output::document;
use crate::output::escape::escape;
use crate::output::prose::Prose;
use crate::output::text::{or_none, plural};
use argo_gc_core::diff::ChangeKind;
use argo_gc_core::diff::lint::{LintChange, LintDiff};
use argo_gc_core::lint::types::Severity;
use argo_gc_core::model::API_VERSION;
use argo_gc_core::model::scope::Scope;
use serde_json::json;
use std::collections::BTreeMap;
use std::io;
use std::io::Write;

/// Shows a comparison.
///
/// # Errors
/// Writing failed.
pub fn write(
    out: &mut dyn Write,
    format: DiffFormat,
    layout: Layout,
    diff: &LintDiff,
    sources: [&Scope; 2],
) -> Result<(), Error> {
    if format == DiffFormat::Table {
        return Ok(table(&mut Prose::new(out, layout.width), layout, diff)?);
    }
    let counts: BTreeMap<&str, usize> = ChangeKind::ALL.map(|kind| (kind.as_str(), count(diff, kind))).into();
    let mut summary = json!(counts);
    summary["same"] = json!(diff.same);
    let head = json!({
        "apiVersion": API_VERSION,
        "kind": "LintDiff",
        "old": sources[0],
        "new": sources[1],
        "summary": summary,
    });
    document::write(out, format == DiffFormat::Yaml, &head, "changes", diff.changes.iter().map(Ok))
}

fn count(diff: &LintDiff, kind: ChangeKind) -> usize {
    diff.changes.iter().filter(|change| change.change == kind).count()
}

fn table(out: &mut dyn Write, layout: Layout, diff: &LintDiff) -> io::Result<()> {
    if layout.headers {
        let parts = ChangeKind::ALL.map(|kind| format!("{} {}", count(diff, kind), kind.as_str()));
        writeln!(out, "{}; {} as before", parts.join(", "), plural(diff.same, "finding"))?;
    }
    let names = ["CHANGE", "WAS", "NOW", "CODE", "OBJECT", "TEMPLATE", "ARTIFACT", "PLACE"];
    let rows: Vec<Vec<String>> = diff.changes.iter().map(row).collect();
    let columns = Columns::of(&names, &rows).fit(layout.width, &["ARTIFACT", "TEMPLATE", "PLACE"]);
    if layout.headers && !rows.is_empty() {
        writeln!(out)?;
        columns.header(out)?;
    }
    rows.iter().try_for_each(|row| columns.row(out, row))
}

fn row(change: &LintChange) -> Vec<String> {
    let severity = |severity: Option<Severity>| severity.map_or("<none>", Severity::as_str).to_owned();
    let finding = &change.finding;
    let identity = &finding.identity;
    let slash = if identity.namespace.is_empty() { "" } else { "/" };
    let place = match (&finding.file, finding.line) {
        (Some(file), Some(line)) => format!("{file}:{line}"),
        _ => finding.field.clone(),
    };
    let cells = [
        change.change.as_str().to_owned(),
        severity(change.was),
        severity(change.now),
        identity.code.clone(),
        format!("{}/{}{slash}{}", identity.kind, identity.namespace, identity.name),
        or_none(&identity.template).to_owned(),
        or_none(&identity.artifact).to_owned(),
        place,
    ];
    cells.map(|cell| escape(&cell).into_owned()).to_vec()
}
