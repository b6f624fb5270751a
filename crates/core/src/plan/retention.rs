//! The retention policy: which of the runs that a purge may take keep what they hold all the same.
//!
//! It only ever narrows: it is asked after all guards, and its answers are "stays" and "no objection".

pub mod newest;
pub mod pin;
pub mod series;
#[cfg(test)]
mod tests;

use crate::argo::names;
use crate::argo::workflow::Workflow;
use crate::model::assessment::ArtifactReport;
use crate::plan::retention::newest::Newest;
use crate::plan::retention::pin::Pin;
use crate::plan::retention::series::{Made, Series};
use crate::verdict::{Class, Verdict};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// A policy, as `docs/policy.md` describes its file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Retention {
    /// What holds where no override says otherwise.
    pub all: Rule,
    /// At most one for each scope.
    pub overrides: Vec<(Scope, Rule)>,
    pub pins: Vec<Pin>,
}

/// What one place of a policy says; what it leaves open, a less specific place may say.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rule {
    pub runs: Keep,
    /// For runs that failed or erred, in place of `runs`.
    pub failed: Keep,
    /// Only artifacts with these verdicts go.
    pub verdicts: Option<Vec<Verdict>>,
    /// Only artifacts of this class go.
    pub only: Option<Class>,
}

/// Which runs keep everything.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Keep {
    /// So many of each series, by the time they finished.
    pub last: Option<u32>,
    /// Those that did not finish longer ago than this.
    pub older_than: Option<SignedDuration>,
}

/// What an override is for: all that is given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope {
    pub namespace: Option<String>,
    pub origin: Option<Origin>,
}

/// What runs are made from, by name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A WorkflowTemplate or ClusterWorkflowTemplate.
    Template(String),
    CronWorkflow(String),
}

/// A run, as far as a policy looks at it.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    workflow: &'a Workflow,
    /// By `(namespace, name)`; the namespace of a cluster template is empty.
    templates: &'a [(String, String)],
}

/// Which artifacts of a run may go.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter<'a> {
    verdicts: Option<&'a [Verdict]>,
    only: Option<Class>,
}

/// What a policy says of one run, until all runs are counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionDecision {
    series: Series,
    last: u32,
    /// Why it stays, however many others there are.
    stays: Option<String>,
}

impl<'a> Run<'a> {
    /// `templates` as [`crate::cluster::template_of`] finds them, the most trustworthy first.
    pub fn new(workflow: &'a Workflow, templates: &'a [(String, String)]) -> Self {
        Self { workflow, templates }
    }

    fn cron(&self) -> &'a str {
        let meta = &self.workflow.metadata;
        let owner = || meta.owner_references.iter().find(|owner| owner.kind == "CronWorkflow");
        match meta.label(names::CRON_WORKFLOW) {
            "" => owner().map_or("", |owner| owner.name.as_str()),
            label => label,
        }
    }

    fn failed(&self) -> bool {
        self.workflow.status.phase != "Succeeded"
    }

    /// What it is counted with.
    pub fn series(&self) -> Series {
        let meta = &self.workflow.metadata;
        let made = match (self.cron(), self.templates.first(), meta.generate_name.as_str()) {
            ("", None, "") => Made::Otherwise,
            ("", None, beginning) => Made::GenerateName(beginning.to_owned()),
            ("", Some((namespace, name)), _) if namespace.is_empty() => Made::ClusterTemplate(name.clone()),
            ("", Some((_, name)), _) => Made::Template(name.clone()),
            (cron, ..) => Made::Cron(cron.to_owned()),
        };
        Series { namespace: meta.namespace.clone(), made, failed: self.failed() }
    }

    /// When it finished, if it counts among the finished: it is over, live, and its end is not yet to come.
    pub fn finished(&self, now: Timestamp) -> Option<Timestamp> {
        let counts = self.workflow.is_over() && !self.workflow.is_archived_record();
        self.workflow.status.finished_at.filter(|end| counts && *end <= now)
    }

    /// Tells it from all others.
    pub fn identity(&self) -> (&'a str, &'a str, &'a str) {
        let meta = &self.workflow.metadata;
        (&meta.namespace, &meta.name, &meta.uid)
    }
}

impl Scope {
    fn takes(&self, run: &Run) -> bool {
        let namespace = self.namespace.as_ref();
        let origin = match &self.origin {
            None => true,
            Some(Origin::CronWorkflow(name)) => run.cron() == name,
            Some(Origin::Template(name)) => run.templates.iter().any(|(_, template)| template == name),
        };
        origin && namespace.is_none_or(|namespace| *namespace == run.workflow.metadata.namespace)
    }

    /// The cron workflow says more of a run than its template, and that more than its namespace.
    fn weight(&self) -> u8 {
        let origin = match self.origin {
            None => 0,
            Some(Origin::Template(_)) => 2,
            Some(Origin::CronWorkflow(_)) => 4,
        };
        origin + u8::from(self.namespace.is_some())
    }
}

impl Retention {
    /// The rules for a run, the most specific first.
    fn rules(&self, run: &Run) -> Vec<&Rule> {
        let mut rules: Vec<(u8, &Rule)> = self
            .overrides
            .iter()
            .filter(|(scope, _)| scope.takes(run))
            .map(|(scope, rule)| (scope.weight(), rule))
            .collect();
        // Of two with one weight (a run of two templates) the first in the file counts.
        rules.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
        rules.into_iter().map(|(_, rule)| rule).chain([&self.all]).collect()
    }

    /// The values that count for a run: of a failed one the first `failed` value, and only where there is none
    /// the ordinary one.
    fn keep(&self, run: &Run) -> Keep {
        let rules = self.rules(run);
        let failed = || rules.iter().filter(|_| run.failed()).map(|rule| rule.failed);
        let all = || failed().chain(rules.iter().map(|rule| rule.runs));
        Keep { last: all().find_map(|keep| keep.last), older_than: all().find_map(|keep| keep.older_than) }
    }

    /// Which artifacts of a run may go.
    pub fn filter(&self, run: &Run) -> Filter<'_> {
        let rules = self.rules(run);
        Filter {
            verdicts: rules.iter().find_map(|rule| rule.verdicts.as_deref()),
            only: rules.iter().find_map(|rule| rule.only),
        }
    }

    /// What of a run can be said before the others are known.
    pub fn bind(&self, run: &Run, now: Timestamp) -> RetentionDecision {
        let keep = self.keep(run);
        let pin = self.pins.iter().find(|pin| pin.takes(&run.workflow.metadata));
        let young = || {
            let (end, limit) = (run.workflow.status.finished_at?, keep.older_than?);
            let young = now.duration_since(end) <= limit;
            young.then(|| format!("finished at {end}, and olderThan is {}", days(limit)))
        };
        let stays = pin.map(|pin| format!("pinned by the policy: {pin}")).or_else(young);
        RetentionDecision { series: run.series(), last: keep.last.unwrap_or(0), stays }
    }

    /// Whether a pin of the policy keeps a run.
    pub fn pins(&self, run: &Run) -> bool {
        self.pins.iter().any(|pin| pin.takes(&run.workflow.metadata))
    }

    /// The most runs of a series that any rule keeps.
    pub fn most(&self) -> u32 {
        let rules = self.overrides.iter().map(|(_, rule)| rule).chain([&self.all]);
        rules.flat_map(|rule| [rule.runs.last, rule.failed.last]).flatten().max().unwrap_or(0)
    }
}

impl Filter<'_> {
    /// Whether the policy lets an artifact go.
    pub fn takes(&self, artifact: &ArtifactReport) -> bool {
        let class = if artifact.logs { Class::Logs } else { Class::Artifacts };
        self.verdicts.is_none_or(|verdicts| verdicts.contains(&artifact.verdict))
            && self.only.is_none_or(|only| only == class)
    }
}

impl RetentionDecision {
    /// Why a run that ended then keeps everything, if it does; all runs are counted by now.
    pub fn keeps(&self, finished: Option<Timestamp>, newest: &Newest) -> Option<String> {
        if self.stays.is_some() {
            return self.stays.clone();
        }
        let newest = finished.is_none_or(|end| newest.holds(&self.series, end, self.last));
        (newest && self.last > 0).then(|| match self.last {
            1 => format!("the newest {}run of {}", self.series.kind(), self.series),
            last => format!("one of the newest {last} {}runs of {}", self.series.kind(), self.series),
        })
    }
}

/// A duration in the largest unit that leaves no rest.
fn days(duration: SignedDuration) -> String {
    let seconds = duration.as_secs();
    let units = [(86_400, "d"), (3600, "h"), (60, "m")];
    let unit = units.iter().find(|(unit, _)| seconds % unit == 0);
    unit.map_or_else(|| format!("{seconds}s"), |(unit, name)| format!("{}{name}", seconds / unit))
}
