//! What a reader asked to see: format, order, grouping and filters.

use crate::output::prices::Prices;
use argo_gc_core::model::assessment::{ArtifactReport, Assessment};
use argo_gc_core::model::scope::Scope;
use argo_gc_core::reason::Reason;
use argo_gc_core::verdict::Verdict;
use jiff::Timestamp;

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
    pub(crate) fn header(self) -> &'static str {
        match self {
            Self::Namespace => "NAMESPACE",
            Self::Template => "TEMPLATE",
            Self::Reason => "REASON",
            Self::Bucket => "BUCKET",
        }
    }
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
    pub origin: Scope,
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

    pub(crate) fn shows_verdict(&self, verdict: Verdict) -> bool {
        match &self.verdicts {
            Some(verdicts) => verdicts.contains(&verdict),
            None => self.format.shows_all() || verdict.is_problem(),
        }
    }

    pub(crate) fn shows_reason(&self, reason: Option<Reason>) -> bool {
        self.reasons.is_empty() || reason.is_some_and(|reason| self.reasons.contains(&reason))
    }

    fn is_filtered(&self) -> bool {
        !self.format.shows_all() || self.verdicts.is_some() || !self.reasons.is_empty()
    }

    /// Leaves of an assessment only what is to be shown; none when nothing is.
    pub(crate) fn cut(&self, mut assessment: Assessment) -> Option<Assessment> {
        assessment.artifacts.retain(|artifact| self.shows(artifact));
        assessment
            .findings
            .retain(|finding| self.shows_verdict(finding.verdict) && self.shows_reason(Some(finding.reason)));
        let empty = assessment.artifacts.is_empty() && assessment.findings.is_empty();
        (!empty || !self.is_filtered()).then_some(assessment)
    }
}
