//! The rows of tables: one per workflow and reason, or one per artifact.

use crate::output::age::age;
use crate::output::escape::escape;
use crate::output::text::{common_path, or_none, size};
use crate::output::view::{SortKey, View};
use argo_gc_core::model::assessment::{ArtifactReport, Assessment};
use argo_gc_core::verdict::{Finalizer, Verdict, When};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// A row of either table.
pub(crate) struct Row {
    pub namespace: String,
    pub workflow: String,
    /// Node, artifact and strategy, in the table of artifacts.
    pub artifact: Option<[String; 3]>,
    pub artifacts: usize,
    pub verdict: Verdict,
    pub reason: &'static str,
    pub notes: String,
    /// When Argo deletes the artifact, in the table of artifacts.
    pub when: String,
    pub location: String,
    /// Bytes in storage; none if storage was not asked.
    pub bytes: Option<u64>,
    pub since: Option<Timestamp>,
    /// The workflow's labels, as kubectl shows them.
    pub labels: String,
    /// Whether Argo's own collection is still to come.
    pub is_to_come: bool,
    pub stuck: bool,
    pub terminating: bool,
}

/// Makes a row for each verdict and reason of a workflow. Findings about the workflow itself are rows without artifacts.
pub(crate) fn groups(assessment: &Assessment) -> Vec<Row> {
    let mut groups: BTreeMap<(Verdict, &'static str), Vec<&ArtifactReport>> = BTreeMap::new();
    for artifact in &assessment.artifacts {
        groups.entry((artifact.verdict, code(artifact))).or_default().push(artifact);
    }
    let findings = assessment.findings.iter();
    let mut rows: Vec<Row> = groups
        .into_iter()
        .map(|((verdict, reason), artifacts)| Row {
            artifacts: artifacts.len(),
            location: common_place(&artifacts),
            bytes: bytes(&artifacts),
            is_to_come: artifacts.iter().all(|artifact| artifact.is_to_come()),
            ..row(assessment, verdict, reason)
        })
        .collect();
    rows.extend(findings.map(|finding| row(assessment, finding.verdict, finding.reason.code())));
    rows
}

/// Makes a row for each artifact.
pub(crate) fn artifacts(assessment: &Assessment) -> Vec<Row> {
    let mut rows: Vec<Row> = assessment
        .artifacts
        .iter()
        .map(|artifact| {
            let notes: Vec<&str> = artifact.notes.iter().map(|note| note.reason.code()).collect();
            let strategy = match artifact.strategy.as_str() {
                "" => "<none>".to_owned(),
                strategy => format!("{strategy} ({})", artifact.strategy_source.as_str()),
            };
            Row {
                artifact: Some([artifact.node.clone(), artifact.name.clone(), strategy]),
                artifacts: 1,
                notes: if notes.is_empty() { "<none>".into() } else { notes.join(",") },
                when: when(artifact, assessment),
                location: place(artifact),
                bytes: bytes(&[artifact]),
                is_to_come: artifact.is_to_come(),
                ..row(assessment, artifact.verdict, code(artifact))
            }
        })
        .collect();
    rows.extend(assessment.findings.iter().map(|finding| Row {
        artifact: Some(["<none>".into(), "<none>".into(), "<none>".into()]),
        ..row(assessment, finding.verdict, finding.reason.code())
    }));
    rows
}

fn row(assessment: &Assessment, verdict: Verdict, reason: &'static str) -> Row {
    Row {
        namespace: assessment.namespace.clone(),
        workflow: assessment.name.clone(),
        artifact: None,
        artifacts: 0,
        verdict,
        reason,
        notes: "<none>".into(),
        when: "<none>".into(),
        location: "<none>".into(),
        bytes: None,
        since: assessment.finished_at.or(assessment.created_at),
        labels: labels(assessment),
        is_to_come: false,
        stuck: assessment.finalizer == Finalizer::Stuck,
        terminating: assessment.deletion_timestamp.is_some(),
    }
}

fn labels(assessment: &Assessment) -> String {
    let labels: Vec<String> = assessment.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    or_none(&labels.join(",")).to_owned()
}

/// Returns the date at which a TTL lets Argo delete the artifact, else the event.
fn when(artifact: &ArtifactReport, assessment: &Assessment) -> String {
    match (artifact.when, assessment.expires_at) {
        (None, _) => "<none>".to_owned(),
        (Some(When::Now), _) => "now".to_owned(),
        (Some(When::OnCompletion), _) => "on completion".to_owned(),
        (Some(When::OnDeletion), None) => "on deletion".to_owned(),
        (Some(When::OnDeletion), Some(due)) => due.to_string(),
    }
}

fn bytes(artifacts: &[&ArtifactReport]) -> Option<u64> {
    let stored = artifacts.iter().filter_map(|artifact| artifact.stored.as_ref());
    stored.map(|stored| stored.bytes).reduce(|a, b| a + b)
}

fn code(artifact: &ArtifactReport) -> &'static str {
    artifact.reason.map_or("<none>", |reason| reason.code())
}

/// Whether the finalizer is stuck and, in full, whether the workflow is being deleted; empty if neither.
pub(crate) fn finalizer(row: &Row, in_full: bool) -> &'static str {
    match (row.stuck, row.terminating && in_full) {
        (true, true) => "stuck, terminating",
        (true, false) => "stuck",
        (false, true) => "terminating",
        (false, false) => "",
    }
}

pub(crate) fn place(artifact: &ArtifactReport) -> String {
    artifact.location.as_ref().map_or_else(|| "<unknown>".to_owned(), ToString::to_string)
}

/// Returns the longest path that all locations share, in whole components.
fn common_place(artifacts: &[&ArtifactReport]) -> String {
    let places: Vec<String> = artifacts.iter().map(|artifact| place(artifact)).collect();
    common_path(&places)
}

/// What rows are ordered by.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Rank {
    /// They keep the order of the API server.
    None,
    Text(String),
    Artifacts(Reverse<usize>),
    Verdict(Verdict),
    Size(Reverse<Option<u64>>),
    /// Without a time last.
    Since(bool, Option<Timestamp>),
}

pub(crate) fn rank(row: &Row, key: Option<SortKey>) -> Rank {
    match key {
        None => Rank::None,
        Some(SortKey::Namespace) => Rank::Text(row.namespace.clone()),
        Some(SortKey::Name) => Rank::Text(row.workflow.clone()),
        Some(SortKey::Artifacts) => Rank::Artifacts(Reverse(row.artifacts)),
        Some(SortKey::Verdict) => Rank::Verdict(row.verdict),
        Some(SortKey::Reason) => Rank::Text(row.reason.to_owned()),
        Some(SortKey::Size) => Rank::Size(Reverse(row.bytes)),
        Some(SortKey::Age) => Rank::Since(row.since.is_none(), row.since),
    }
}

/// Orders rows.
pub(crate) fn sort(rows: &mut [Row], key: Option<SortKey>) {
    rows.sort_by_cached_key(|row| rank(row, key));
}

/// The columns of a table. Finalizers have a column only if there is something to say of one.
pub(crate) fn columns(view: &View, per_artifact: bool, has_finalizers: bool) -> Vec<&'static str> {
    let mut columns = Vec::new();
    if view.all_namespaces {
        columns.push("NAMESPACE");
    }
    columns.push("WORKFLOW");
    columns.extend_from_slice(if per_artifact { &["NODE", "ARTIFACT", "STRATEGY"] } else { &["ARTIFACTS"] });
    columns.extend(["VERDICT", "REASON"]);
    if per_artifact {
        columns.extend(["NOTES", "WHEN"]);
    }
    if view.checked {
        columns.push("SIZE");
    }
    columns.push("LOCATION");
    columns.extend(has_finalizers.then_some("FINALIZER"));
    columns.push("AGE");
    columns.extend(view.labels.then_some("LABELS"));
    columns
}

/// The cells of a row, one for each of the [`columns`].
pub(crate) fn cells(view: &View, per_artifact: bool, has_finalizers: bool, row: &Row) -> Vec<String> {
    let mut cells = Vec::new();
    if view.all_namespaces {
        cells.push(escape(&row.namespace).into_owned());
    }
    cells.push(escape(&row.workflow).into_owned());
    match &row.artifact {
        Some(parts) => cells.extend(parts.iter().map(|part| escape(part).into_owned())),
        None => cells.push(row.artifacts.to_string()),
    }
    cells.extend([row.verdict.as_str().to_owned(), row.reason.to_owned()]);
    if per_artifact {
        cells.extend([row.notes.clone(), row.when.clone()]);
    }
    if view.checked {
        cells.push(row.bytes.map_or_else(|| "<unknown>".to_owned(), size));
    }
    cells.push(escape(&row.location).into_owned());
    cells.extend(has_finalizers.then(|| or_none(finalizer(row, per_artifact)).to_owned()));
    cells.push(age(row.since, view.now));
    cells.extend(view.labels.then(|| escape(&row.labels).into_owned()));
    cells
}
