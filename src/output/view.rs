//! What the user asked to see: order, grouping and filters.

use crate::output::escape::escape;
use crate::output::prices::Prices;
use argo_gc_core::model::assessment::{ArtifactReport, Assessment};
use argo_gc_core::model::scope::Scope;
use argo_gc_core::plan::rules::Allowed;
use argo_gc_core::reason::Reason;
use argo_gc_core::verdict::Verdict;
use jiff::Timestamp;

/// The most workflows that a command names one by one.
const HIDDEN: usize = 8;

/// The order of rows.
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

/// The property that artifacts are grouped by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupBy {
    Workflow,
    Namespace,
    Template,
    WorkflowTemplate,
    CronWorkflow,
    Reason,
    Bucket,
    /// A label of the workflows, by its key.
    Label(String),
}

impl GroupBy {
    /// The properties by their names; a label's is `label=KEY`.
    pub const NAMED: [(&str, Self); 7] = [
        ("workflow", Self::Workflow),
        ("namespace", Self::Namespace),
        ("template", Self::Template),
        ("workflow-template", Self::WorkflowTemplate),
        ("cron-workflow", Self::CronWorkflow),
        ("reason", Self::Reason),
        ("bucket", Self::Bucket),
    ];

    pub(crate) fn header(&self) -> &str {
        match self {
            Self::Workflow => "WORKFLOW",
            Self::Namespace => "NAMESPACE",
            Self::Template => "TEMPLATE",
            Self::Reason => "REASON",
            Self::WorkflowTemplate => "WORKFLOW TEMPLATE",
            Self::CronWorkflow => "CRON WORKFLOW",
            Self::Label(key) => key,
            Self::Bucket => "BUCKET",
        }
    }
}

/// How to show an inspection.
#[derive(Debug, Clone)]
pub struct View {
    /// Whether artifacts that are no problem are shown too, unless `verdicts` says otherwise.
    pub shows_all: bool,
    /// Shows only these verdicts; none for the format's default.
    pub verdicts: Option<Vec<Verdict>>,
    /// Shows only these reasons; empty for all.
    pub reasons: Vec<Reason>,
    /// Shows only artifacts of these names; empty for all.
    pub artifacts: Vec<String>,
    /// Shows only artifacts with at least so many bytes in storage.
    pub min_size: Option<u64>,
    pub all_namespaces: bool,
    /// Shows the labels of workflows in tables.
    pub labels: bool,
    pub no_headers: bool,
    /// Flags that the next commands need to reach the same cluster, each after a space.
    pub same: String,
    /// The same for storage.
    pub same_storage: String,
    /// What a purge could not read, by the names that it accepts them by.
    pub unread: Vec<String>,
    /// Where a purge of the namespace deletes by itself, if that is known.
    pub allowed: Option<Allowed>,
    pub sort_by: Option<SortKey>,
    /// Totals instead of rows.
    pub group_by: Option<GroupBy>,
    /// Storage was looked up.
    pub checked: bool,
    /// The inspection is compared with an earlier one.
    pub compares: bool,
    pub prices: Prices,
    pub color: bool,
    /// A person reads along: suggest the next commands.
    pub interactive: bool,
    /// Columns of the terminal, if there is one.
    pub width: Option<usize>,
    pub now: Timestamp,
    pub origin: Scope,
}

impl View {
    /// The flag, after a space, without which a purge would refuse; empty if it needs none. `hidden` are workflows whose nodes
    /// can't be read.
    pub(crate) fn accepting(&self, hidden: &[String]) -> String {
        let nodes = match hidden.len() <= HIDDEN {
            true => hidden.iter().map(|name| format!("nodes:{}", escape(name))).collect(),
            false => vec!["nodes".to_owned()],
        };
        let all: Vec<String> = self.unread.iter().cloned().chain(nodes).collect();
        if all.is_empty() { String::new() } else { format!(" --accept-unread={}", all.join(",")) }
    }

    /// Whether an artifact must reach the printer: it is shown, or compared with what it was.
    pub fn needs(&self, artifact: &ArtifactReport) -> bool {
        self.compares || self.shows(artifact)
    }

    /// Whether an artifact is among what the user wants to see.
    pub fn shows(&self, artifact: &ArtifactReport) -> bool {
        self.shows_verdict(artifact.verdict)
            && self.shows_reason(artifact.reason)
            && (self.artifacts.is_empty() || self.artifacts.contains(&artifact.name))
            && self
                .min_size
                .is_none_or(|least| artifact.stored.as_ref().is_some_and(|stored| stored.bytes >= least))
    }

    pub(crate) fn shows_verdict(&self, verdict: Verdict) -> bool {
        match &self.verdicts {
            Some(verdicts) => verdicts.contains(&verdict),
            None => self.shows_all || verdict.is_problem(),
        }
    }

    pub(crate) fn shows_reason(&self, reason: Option<Reason>) -> bool {
        self.reasons.is_empty() || reason.is_some_and(|reason| self.reasons.contains(&reason))
    }

    /// Whether artifacts are chosen by what only they have, so that findings about workflows are left out.
    fn is_of_artifacts(&self) -> bool {
        !self.artifacts.is_empty() || self.min_size.is_some()
    }

    fn is_filtered(&self) -> bool {
        !self.shows_all || self.verdicts.is_some() || !self.reasons.is_empty() || self.is_of_artifacts()
    }

    /// Removes from an assessment what is not to be shown; returns none if nothing remains.
    pub(crate) fn cut(&self, mut assessment: Assessment) -> Option<Assessment> {
        assessment.artifacts.retain(|artifact| self.shows(artifact));
        assessment.findings.retain(|finding| {
            !self.is_of_artifacts()
                && self.shows_verdict(finding.verdict)
                && self.shows_reason(Some(finding.reason))
        });
        let empty = assessment.artifacts.is_empty() && assessment.findings.is_empty();
        (!empty || !self.is_filtered()).then_some(assessment)
    }
}
