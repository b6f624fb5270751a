//! What users see: one file a format. Assessments come one by one; documents are written as they come,
//! tables keep only their rows.

mod age;
pub mod diff;
pub mod doctor;
pub mod document;
mod escape;
mod explain;
mod groups;
mod headline;
mod html;
pub mod lint;
mod markdown;
pub mod orphans;
pub mod plan;
mod prices;
mod prometheus;
mod table;
mod tree;

pub use age::age;
pub use escape::escape;
pub use explain::{explain, explain_list};
pub(crate) use headline::plural;
pub use html::Since;
pub use prices::Prices;

use self::groups::Groups;
use crate::gc::{ArtifactReport, Assessment, Inspection, Reason, Verdict};
use jiff::Timestamp;
use serde::Serialize;
use std::io::{self, Write};

/// An output format of `inspect`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A row per workflow and reason.
    Table,
    /// A row per artifact.
    Wide,
    Json,
    Yaml,
    /// The workflows' names.
    Name,
    Markdown,
    /// Each workflow with its nodes and artifacts.
    Tree,
    /// One page to pass on.
    Html,
    /// Metrics for node_exporter's textfile collector.
    Prometheus,
}

impl Format {
    /// Whether artifacts that are no problem are shown too, unless the user says otherwise.
    fn shows_all(self) -> bool {
        matches!(self, Self::Json | Self::Yaml | Self::Tree | Self::Prometheus)
    }
}

/// What rows are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum SortKey {
    Namespace,
    Name,
    /// Most first.
    Artifacts,
    /// Worst first.
    Verdict,
    Reason,
    /// Oldest first.
    Age,
    /// Most bytes first, with --check.
    Size,
}

/// What totals are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum GroupBy {
    Namespace,
    Template,
    Reason,
    Bucket,
}

impl GroupBy {
    fn header(self) -> &'static str {
        match self {
            Self::Namespace => "NAMESPACE",
            Self::Template => "TEMPLATE",
            Self::Reason => "REASON",
            Self::Bucket => "BUCKET",
        }
    }
}

/// What was inspected, for documents.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Origin {
    /// `cluster` or `files`.
    pub kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// The namespace; none for all.
    pub namespace: Option<String>,
    /// Workflows were left out as not selected.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub filtered: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
}

/// How to show an inspection.
#[derive(Debug, Clone)]
pub struct View {
    pub format: Format,
    /// Only these verdicts; none for the format's default.
    pub verdicts: Option<Vec<Verdict>>,
    /// Only these reasons; empty for all.
    pub reasons: Vec<Reason>,
    pub all_namespaces: bool,
    pub no_headers: bool,
    pub sort_by: Option<SortKey>,
    /// Totals instead of rows.
    pub group_by: Option<GroupBy>,
    /// Storage was looked up.
    pub checked: bool,
    /// Everything is compared with an earlier inspection.
    pub compares: bool,
    pub prices: Prices,
    pub color: bool,
    /// A person reads along: fit the width, say what comes next.
    pub interactive: bool,
    /// Columns of the terminal.
    pub width: Option<usize>,
    pub now: Timestamp,
    pub origin: Origin,
}

impl View {
    /// Whether an artifact must reach the printer: it is shown, or compared with what it was.
    pub fn needs(&self, artifact: &ArtifactReport) -> bool {
        self.compares || self.shows(artifact)
    }

    /// Whether an artifact is among what the user wants to see.
    pub fn shows(&self, artifact: &ArtifactReport) -> bool {
        self.shows_verdict(artifact.verdict) && self.shows_reason(artifact.reason)
    }

    fn shows_verdict(&self, verdict: Verdict) -> bool {
        match &self.verdicts {
            Some(verdicts) => verdicts.contains(&verdict),
            None => self.format.shows_all() || verdict.is_problem(),
        }
    }

    fn shows_reason(&self, reason: Option<Reason>) -> bool {
        self.reasons.is_empty() || reason.is_some_and(|reason| self.reasons.contains(&reason))
    }

    fn is_filtered(&self) -> bool {
        !self.format.shows_all() || self.verdicts.is_some() || !self.reasons.is_empty()
    }

    /// Leaves of an assessment only what is to be shown; none when nothing is.
    fn cut(&self, mut assessment: Assessment) -> Option<Assessment> {
        assessment.artifacts.retain(|artifact| self.shows(artifact));
        assessment
            .findings
            .retain(|finding| self.shows_verdict(finding.verdict) && self.shows_reason(Some(finding.reason)));
        let empty = assessment.artifacts.is_empty() && assessment.findings.is_empty();
        (!empty || !self.is_filtered()).then_some(assessment)
    }
}

/// Prints an inspection while it runs.
pub struct Printer<W> {
    out: W,
    view: View,
    /// What the page shows.
    page: html::Page,
    metrics: prometheus::Metrics,
    /// Rows of a table, or nothing.
    rows: Vec<table::Row>,
    groups: Groups,
    /// Reasons met, for what comes after the rows.
    reasons: Vec<Reason>,
    written: usize,
}

impl<W: Write> Printer<W> {
    /// Begins the output; only the page shows what changed since an earlier inspection.
    pub fn new(out: W, view: View, since: Option<Since>) -> Self {
        Self {
            out,
            view,
            page: html::Page::new(since),
            metrics: prometheus::Metrics::default(),
            rows: Vec::new(),
            groups: Groups::default(),
            reasons: Vec::new(),
            written: 0,
        }
    }

    /// Shows one assessment, as far as the view wants it.
    ///
    /// # Errors
    /// Writing failed; a closed pipe comes back as it is.
    pub fn assessment(&mut self, assessment: Assessment) -> io::Result<()> {
        match self.view.format {
            Format::Prometheus => self.metrics.add(&assessment, &self.view),
            Format::Html => self.page.compare(&assessment),
            _ => {}
        }
        let Some(assessment) = self.view.cut(assessment) else { return Ok(()) };
        match self.view.format {
            Format::Table | Format::Wide if self.view.group_by.is_some() => {
                if let Some(by) = self.view.group_by {
                    self.groups.add(by, &assessment, &self.view.prices);
                }
            }
            Format::Table | Format::Markdown => self.rows.extend(table::groups(&assessment)),
            Format::Wide => self.rows.extend(table::artifacts(&assessment)),
            Format::Json => document::json_item(&mut self.out, &self.view, self.written, &assessment)?,
            Format::Yaml => document::yaml_item(&mut self.out, &self.view, self.written, &assessment)?,
            Format::Name => writeln!(self.out, "workflow.argoproj.io/{}", escape(&assessment.name))?,
            Format::Tree => tree::workflow(&mut self.out, &self.view, self.written, &assessment)?,
            Format::Html => self.page.add(&assessment),
            Format::Prometheus => {}
        }
        let found = assessment.artifacts.iter().filter_map(|artifact| artifact.reason);
        for reason in found.chain(assessment.findings.iter().map(|finding| finding.reason)) {
            if !self.reasons.contains(&reason) {
                self.reasons.push(reason);
            }
        }
        self.written += 1;
        Ok(())
    }

    /// Ends the output with what is known only now.
    ///
    /// # Errors
    /// As [`Self::assessment`].
    pub fn finish(mut self, inspection: &Inspection) -> io::Result<()> {
        let view = &self.view;
        let out = &mut self.out;
        table::sort(&mut self.rows, view.sort_by);
        match view.format {
            Format::Json => document::json_end(out, view, self.written, inspection)?,
            Format::Yaml => document::yaml_end(out, view, self.written, inspection)?,
            Format::Name => {}
            Format::Markdown => markdown::write(out, view, &self.rows, &self.reasons, inspection)?,
            Format::Html => self.page.write(out, view, &self.reasons, inspection)?,
            Format::Prometheus => self.metrics.write(out, view, inspection)?,
            Format::Tree => {
                if self.written > 1 && !view.no_headers {
                    writeln!(out, "\n{}", headline::headline(inspection, &view.prices))?;
                }
                next(out, view, &self.rows, &self.reasons)?;
            }
            Format::Table | Format::Wide => {
                if !view.no_headers && inspection.summary.workflows > 0 {
                    writeln!(out, "{}", headline::headline(inspection, &view.prices))?;
                    if !self.rows.is_empty() {
                        writeln!(out)?;
                    }
                }
                match view.group_by {
                    Some(by) => self.groups.write(out, by, view.checked)?,
                    None => table::write(out, view, &self.rows)?,
                }
                next(out, view, &self.rows, &self.reasons)?;
            }
        }
        out.flush()
    }
}

/// Says what to type next; only to a person.
fn next(out: &mut impl Write, view: &View, rows: &[table::Row], reasons: &[Reason]) -> io::Result<()> {
    let Some(reason) = reasons.first().filter(|_| view.interactive) else { return Ok(()) };
    write!(out, "\nNext: kubectl argo-gc explain {}", reason.code())?;
    if let Some(row) = rows.first() {
        let files: String = view.origin.files.iter().map(|file| format!(" -f {file}")).collect();
        write!(
            out,
            " · kubectl argo-gc inspect{files} -n {} {}",
            escape(&row.namespace),
            escape(&row.workflow)
        )?;
        if files.is_empty() && row.verdict <= Verdict::Failing {
            let (namespace, name) = (escape(&row.namespace), escape(&row.workflow));
            write!(out, " · kubectl argo-gc purge -n {namespace} {name} --dry-run")?;
        }
        if let Some(failing) = rows.iter().find(|row| row.verdict == Verdict::Failing) {
            write!(out, " · kubectl argo-gc doctor{files} -n {}", escape(&failing.namespace))?;
        }
    }
    writeln!(out)
}
