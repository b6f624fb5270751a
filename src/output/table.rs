//! Tables: a row per workflow and reason, or per artifact.

use crate::output::age::age;
use crate::output::escape::escape;
use crate::output::text::{common_path, size};
use crate::output::view::{SortKey, View};
use anstyle::{AnsiColor, Style};
use argo_gc_core::model::assessment::{ArtifactReport, Assessment};
use argo_gc_core::verdict::{Finalizer, Verdict};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::io;
use std::io::Write;
use tabled::builder::Builder;
use tabled::settings::{Padding, Style as Borders};

/// One row, of either table.
pub(crate) struct Row {
    pub namespace: String,
    pub workflow: String,
    /// Node, artifact and strategy, in the table of artifacts.
    pub artifact: Option<[String; 3]>,
    pub artifacts: usize,
    pub verdict: Verdict,
    pub reason: &'static str,
    pub notes: String,
    pub location: String,
    /// Bytes in storage; none when that wasn't looked up.
    pub bytes: Option<u64>,
    pub since: Option<Timestamp>,
    pub remark: String,
}

/// A row per verdict and reason; workflow-level findings are rows without artifacts.
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
            ..row(assessment, verdict, reason)
        })
        .collect();
    rows.extend(findings.map(|finding| row(assessment, finding.verdict, finding.reason.code())));
    rows
}

/// A row per artifact.
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
                location: place(artifact),
                bytes: bytes(&[artifact]),
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
        location: "<none>".into(),
        bytes: None,
        since: assessment.finished_at.or(assessment.created_at),
        remark: remark(assessment),
    }
}

fn bytes(artifacts: &[&ArtifactReport]) -> Option<u64> {
    let stored = artifacts.iter().filter_map(|artifact| artifact.stored.as_ref());
    stored.map(|stored| stored.bytes).reduce(|a, b| a + b)
}

fn code(artifact: &ArtifactReport) -> &'static str {
    artifact.reason.map_or("<none>", |reason| reason.code())
}

fn remark(assessment: &Assessment) -> String {
    match (assessment.finalizer, assessment.deletion_timestamp) {
        (Finalizer::Stuck, Some(_)) => "terminating, finalizer stuck".into(),
        (Finalizer::Stuck, None) => "finalizer stuck".into(),
        (_, Some(_)) => "terminating".into(),
        _ => String::new(),
    }
}

pub(crate) fn place(artifact: &ArtifactReport) -> String {
    artifact.location.as_ref().map_or_else(|| "<unknown>".to_owned(), ToString::to_string)
}

/// The longest path all locations share, whole components only.
fn common_place(artifacts: &[&ArtifactReport]) -> String {
    let places: Vec<String> = artifacts.iter().map(|artifact| place(artifact)).collect();
    common_path(&places)
}

/// Orders rows; without a key they stay in the order of the API server.
pub(crate) fn sort(rows: &mut [Row], key: Option<SortKey>) {
    match key {
        None => {}
        Some(SortKey::Namespace) => rows.sort_by(|a, b| a.namespace.cmp(&b.namespace)),
        Some(SortKey::Name) => rows.sort_by(|a, b| a.workflow.cmp(&b.workflow)),
        Some(SortKey::Artifacts) => rows.sort_by_key(|row| std::cmp::Reverse(row.artifacts)),
        Some(SortKey::Verdict) => rows.sort_by_key(|row| row.verdict),
        Some(SortKey::Reason) => rows.sort_by_key(|row| row.reason),
        Some(SortKey::Size) => rows.sort_by_key(|row| std::cmp::Reverse(row.bytes)),
        Some(SortKey::Age) => rows.sort_by_key(|row| (row.since.is_none(), row.since)),
    }
}

/// Columns of a table with the cells of each row.
pub(crate) fn cells(view: &View, rows: &[Row]) -> (Vec<&'static str>, Vec<Vec<String>>) {
    let per_artifact = view.format == crate::output::view::Format::Wide;
    let mut columns = Vec::new();
    if view.all_namespaces {
        columns.push("NAMESPACE");
    }
    columns.push("WORKFLOW");
    columns.extend_from_slice(if per_artifact { &["NODE", "ARTIFACT", "STRATEGY"] } else { &["ARTIFACTS"] });
    columns.extend(["VERDICT", "REASON"]);
    if per_artifact {
        columns.push("NOTES");
    }
    if view.checked {
        columns.push("SIZE");
    }
    columns.extend(["LOCATION", "AGE"]);
    let cells = rows.iter().map(|row| {
        let mut cells = Vec::with_capacity(columns.len() + 1);
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
            cells.push(row.notes.clone());
        }
        if view.checked {
            cells.push(row.bytes.map_or_else(|| "<unknown>".to_owned(), size));
        }
        cells.extend([escape(&row.location).into_owned(), age(row.since, view.now)]);
        cells.push(row.remark.clone());
        cells
    });
    let cells = cells.collect();
    (columns, cells)
}

/// Writes the table; nothing where there are no rows.
pub(crate) fn write(out: &mut impl Write, view: &View, rows: &[Row]) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let (columns, mut cells) = cells(view, rows);
    let location = columns.iter().position(|column| *column == "LOCATION");
    if let (Some(at), Some(width)) = (location, view.width.filter(|_| view.interactive)) {
        fit(&columns, &mut cells, at, width);
    }
    let mut builder = Builder::new();
    if !view.no_headers {
        builder.push_record(columns);
    }
    cells.into_iter().for_each(|row| builder.push_record(row));
    let mut table = builder.build();
    table.with(Borders::empty()).with(Padding::new(0, 3, 0, 0));
    let verdicts = rows.iter().map(|row| Some(row.verdict));
    let mut verdicts = std::iter::repeat_n(None, usize::from(!view.no_headers)).chain(verdicts);
    for line in table.to_string().lines() {
        let line = line.trim_end();
        match verdicts.next().flatten().filter(|_| view.color) {
            Some(verdict) => writeln!(out, "{}", paint(line, verdict))?,
            None => writeln!(out, "{line}")?,
        }
    }
    Ok(())
}

/// Shortens locations in the middle so that rows fit the terminal, as long as that leaves something of them.
fn fit(columns: &[&str], cells: &mut [Vec<String>], at: usize, width: usize) {
    let widest = |column: usize| {
        let header = columns.get(column).map_or(0, |name| name.len());
        cells.iter().map(|row| row[column].chars().count()).max().unwrap_or_default().max(header)
    };
    let others: usize =
        (0..=columns.len()).filter(|column| *column != at).map(|column| widest(column) + 3).sum();
    let room = width.saturating_sub(others).max(24);
    for row in cells {
        row[at] = shorten(&row[at], room);
    }
}

fn shorten(text: &str, room: usize) -> String {
    let length = text.chars().count();
    if length <= room {
        return text.to_owned();
    }
    let (head, tail) = (room / 2, room - room / 2 - 1);
    let start: String = text.chars().take(head).collect();
    let end: String = text.chars().skip(length - tail).collect();
    format!("{start}…{end}")
}

/// The verdict's colour.
pub(crate) fn style(verdict: Verdict) -> Style {
    let color = match verdict {
        Verdict::Uncovered | Verdict::Failing => AnsiColor::Red,
        Verdict::Unknown => AnsiColor::Yellow,
        Verdict::Kept => AnsiColor::Cyan,
        Verdict::Covered | Verdict::Collected => AnsiColor::Green,
    };
    Style::new().fg_color(Some(color.into()))
}

fn paint(line: &str, verdict: Verdict) -> String {
    let style = style(verdict);
    let word = format!("   {}   ", verdict.as_str());
    line.replacen(&word, &format!("   {style}{}{style:#}   ", verdict.as_str()), 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::text::common_path;
    use proptest::prelude::*;

    #[test]
    fn shares_whole_components_only() {
        let path = |places: &[&str]| {
            let places: Vec<String> = places.iter().map(|place| (*place).to_owned()).collect();
            common_path(&places)
        };
        assert_eq!(path(&["gs://b/wf/a.tgz"]), "gs://b/wf/a.tgz");
        assert_eq!(path(&["gs://b/wf/ab", "gs://b/wf/ac"]), "gs://b/wf");
        assert_eq!(path(&["gs://b/wf-1/a", "gs://b/wf-10/a"]), "gs://b");
        assert_eq!(path(&["gs://b/a", "s3://c/a"]), "<several>");
        assert_eq!(path(&["gs://b/a", "gs://c/a"]), "<several>");
    }

    proptest! {
        #[test]
        fn the_common_path_begins_every_place(places in proptest::collection::vec("gs://[ab]/[ab/]{0,8}", 1..5)) {
            let common = common_path(&places);
            let whole = |place: &String| *place == common || place.starts_with(&format!("{common}/"));
            prop_assert!(common == "<several>" || places.iter().all(whole));
        }

        #[test]
        fn shortening_keeps_to_the_room(text in ".{0,60}", room in 3usize..40) {
            prop_assert!(shorten(&text, room).chars().count() <= room.max(text.chars().count().min(room)));
        }
    }
}
