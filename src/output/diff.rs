//! Two inspections compared: for people a row per workflow and change, for programs one per finding.

use crate::error::Error;
use crate::output::columns::{Columns, Layout};
use crate::output::document;
use crate::output::escape::escape;
use crate::output::prose::Prose;
use crate::output::text::{plural, size};
use argo_gc_core::diff::document::Head;
use argo_gc_core::diff::{Change, ChangeKind, Diff, State, Sum};
use argo_gc_core::model::API_VERSION;
use serde_json::json;
use std::collections::BTreeMap;
use std::io;
use std::io::Write;

/// An output format of `diff`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum DiffFormat {
    /// A row per workflow and change.
    Table,
    Json,
    Yaml,
}

/// Shows a comparison.
///
/// # Errors
/// Writing failed.
pub fn write(
    out: &mut dyn Write,
    format: DiffFormat,
    layout: Layout,
    diff: &Diff,
    old: &Head,
    new: &Head,
) -> Result<(), Error> {
    if format == DiffFormat::Table {
        return Ok(table(&mut Prose::new(out, layout.width), layout, diff, old)?);
    }
    let sums: BTreeMap<&str, Sum> = ChangeKind::ALL.map(|kind| (kind.as_str(), diff.sum(kind))).into();
    let mut summary = json!(sums);
    summary["same"] = json!(diff.same);
    let head = json!({
        "apiVersion": API_VERSION,
        "kind": "InspectionDiff",
        "old": old,
        "new": new,
        "summary": summary,
    });
    document::write(out, format == DiffFormat::Yaml, &head, "changes", diff.changes.iter().map(Ok))
}

/// A row per workflow and change. Without headers the columns are as wide as with them.
fn table(out: &mut dyn Write, layout: Layout, diff: &Diff, old: &Head) -> io::Result<()> {
    if layout.headers {
        writeln!(out, "{}", headline(diff, old))?;
    }
    let groups = groups(&diff.changes);
    let sizes = groups.iter().any(|group| group.bytes.is_some());
    let mut names = vec!["NAMESPACE", "WORKFLOW", "CHANGE", "ARTIFACTS", "WAS", "NOW"];
    names.extend(sizes.then_some("SIZE"));
    names.push("LOCATION");
    let escaped = |text: &str| escape(text).into_owned();
    let row = |group: &Group<'_>| {
        let mut row = vec![
            escaped(group.namespace),
            escaped(group.workflow),
            group.change.as_str().to_owned(),
            group.artifacts.to_string(),
            escaped(&state(group.was)),
            escaped(&state(group.now)),
        ];
        row.extend(sizes.then(|| group.bytes.map_or_else(|| "<unknown>".to_owned(), size)));
        row.push(escaped(&group.location));
        row
    };
    let rows: Vec<Vec<String>> = groups.iter().map(row).collect();
    let columns = Columns::of(&names, &rows).fit(layout.width, &["LOCATION"]);
    if layout.headers && !rows.is_empty() {
        writeln!(out)?;
        columns.header(out)?;
    }
    rows.iter().try_for_each(|row| columns.row(out, row))
}

/// `3 findings are new (1.2GiB), 1 has changed, 2 are gone (12MiB) since …; 17 are as they were`.
pub(crate) fn headline(diff: &Diff, old: &Head) -> String {
    let mut parts = Vec::new();
    for kind in ChangeKind::ALL {
        let sum = diff.sum(kind);
        if sum.findings == 0 {
            continue;
        }
        let count = if parts.is_empty() { plural(sum.findings, "finding") } else { sum.findings.to_string() };
        let verb = match (kind, sum.findings) {
            (ChangeKind::Changed, 1) => "has changed",
            (ChangeKind::Changed, _) => "have changed",
            (ChangeKind::New, 1) => "is new",
            (ChangeKind::New, _) => "are new",
            (ChangeKind::Gone, 1) => "is gone",
            (ChangeKind::Gone, _) => "are gone",
        };
        let bytes = sum.bytes.map(|bytes| format!(" ({})", size(bytes))).unwrap_or_default();
        parts.push(format!("{count} {verb}{bytes}"));
    }
    let text = match parts.is_empty() {
        true => "No finding is new, has changed or is gone".to_owned(),
        false => parts.join(", "),
    };
    let same = match diff.same {
        1 => "1 is as it was".to_owned(),
        same => format!("{same} are as they were"),
    };
    format!("{text} since {:.0}; {same}", old.generated_at)
}

/// `uncovered (inline-only)`.
pub(crate) fn state(state: Option<&State>) -> String {
    match state {
        None => "<none>".to_owned(),
        Some(State { verdict, reason: None }) => verdict.as_str().to_owned(),
        Some(State { verdict, reason: Some(code) }) => format!("{} ({})", verdict.as_str(), code.as_str()),
    }
}

/// Changes of one kind in one workflow.
pub(crate) struct Group<'d> {
    pub namespace: &'d str,
    pub workflow: &'d str,
    pub change: ChangeKind,
    /// 0 if the change is about the workflow itself.
    pub artifacts: u64,
    pub was: Option<&'d State>,
    pub now: Option<&'d State>,
    pub bytes: Option<u64>,
    pub location: String,
}

/// Groups changes; the groups are ordered by kind, namespace and workflow.
pub(crate) fn groups(changes: &[Change]) -> Vec<Group<'_>> {
    let mut groups: BTreeMap<_, Vec<&Change>> = BTreeMap::new();
    for change in changes {
        let Change { change: kind, namespace, workflow, uid, was, now, artifact, .. } = change;
        let key = (*kind, &**namespace, &**workflow, uid, was.as_ref(), now.as_ref(), artifact.is_some());
        groups.entry(key).or_default().push(change);
    }
    let groups =
        groups.into_iter().map(|((change, namespace, workflow, _, was, now, artifacts), changes)| {
            let places: Vec<String> = changes
                .iter()
                .filter(|_| artifacts)
                .map(|change| change.location.clone().unwrap_or_else(|| "<unknown>".to_owned()))
                .collect();
            Group {
                namespace,
                workflow,
                change,
                artifacts: places.len() as u64,
                was,
                now,
                bytes: changes.iter().filter_map(|change| change.bytes).reduce(|a, b| a + b),
                location: crate::output::text::common_path(&places),
            }
        });
    groups.collect()
}
