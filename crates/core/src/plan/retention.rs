//! The retention policy decides which of the runs that a purge may delete keep their artifacts anyway.
//!
//! A policy can only keep more, never delete more: it is asked after all guards, and answers with "keep" or "no
//! objection".

pub mod hits;
pub mod newest;
pub mod pin;
pub mod series;
#[cfg(test)]
mod tests;

use crate::argo::names;
use crate::argo::workflow::Workflow;
use crate::model::assessment::ArtifactReport;
use crate::plan::retention::hits::{Hits, Idle, Places};
use crate::plan::retention::newest::Newest;
use crate::plan::retention::pin::Pin;
use crate::plan::retention::series::{Made, Series};
use crate::verdict::{Class, Verdict};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A policy, as `docs/policy.md` describes its file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Retention {
    /// The rule for all runs that no override is for.
    pub all: Rule,
    /// The overrides, with at most one for each scope.
    pub overrides: Vec<(Scope, Rule)>,
    pub pins: Vec<Pin>,
    pub places: Places,
}

/// The rule of one place in a policy. A less specific place can set the values that this one does not set.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rule {
    pub runs: Keep,
    /// The values for failed runs, which replace those of `runs`.
    pub failed: Keep,
    /// If set, only artifacts with these verdicts are deleted.
    pub verdicts: Option<Vec<Verdict>>,
    /// If set, only artifacts of this class are deleted.
    pub only: Option<Class>,
}

/// The conditions under which a run keeps all its artifacts.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Keep {
    /// The number of newest finished runs kept in each series.
    pub last: Option<u32>,
    /// Runs that finished less than this ago are kept.
    pub older_than: Option<SignedDuration>,
}

/// The runs an override is for: all the given conditions must hold.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope {
    pub namespace: Option<String>,
    pub origin: Option<Origin>,
}

/// The object that runs are created from, by name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A WorkflowTemplate or ClusterWorkflowTemplate.
    Template(String),
    CronWorkflow(String),
}

/// A run with the data that a policy looks at.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    workflow: &'a Workflow,
    /// The run's templates as `(namespace, name)`; the namespace of a cluster template is empty.
    templates: &'a [(String, String)],
}

/// The artifacts of a run that may be deleted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter<'a> {
    verdicts: Option<&'a [Verdict]>,
    only: Option<Class>,
}

/// The policy's preliminary decision on one run, before all runs are counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionDecision {
    series: Series,
    last: u32,
    /// The reason why the run is kept no matter how many newer ones there are.
    stays: Option<String>,
}

impl<'a> Run<'a> {
    /// Makes a run of a workflow and its templates, the most trustworthy template first.
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

    /// Returns the series in which the run is counted.
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

    /// Returns the time the run finished, if it takes a place among the newest of its series.
    ///
    /// It does so only if it is over and no archived record, and its end is neither in the future nor before its creation: a
    /// run that was restored from a backup has an old end and a new creation, and which runs are newer is unknown. A run that
    /// is being deleted, or of which Argo has collected every artifact, keeps nothing in another's stead.
    pub fn finished(&self, now: Timestamp) -> Option<Timestamp> {
        let Workflow { metadata: meta, status, .. } = self.workflow;
        let over = self.workflow.is_over() && !self.workflow.is_archived_record();
        let counts = over && meta.deletion_timestamp.is_none() && !self.is_collected();
        let created = meta.creation_timestamp;
        status
            .finished_at
            .filter(|end| counts && *end <= now && created.is_none_or(|created| created <= *end))
    }

    /// Returns true if the nodes in the object show artifacts, and all of them as deleted.
    fn is_collected(&self) -> bool {
        let mut artifacts =
            self.workflow.status.nodes.values().flat_map(|node| &node.outputs.artifacts).peekable();
        artifacts.peek().is_some() && artifacts.all(|artifact| artifact.deleted)
    }

    /// Returns namespace, name and UID, which together identify the run.
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

    /// Returns how specific the scope is: a cron workflow is more specific than a template, and a template more
    /// than a namespace.
    fn weight(&self) -> u8 {
        let origin = match self.origin {
            None => 0,
            Some(Origin::Template(_)) => 2,
            Some(Origin::CronWorkflow(_)) => 4,
        };
        origin + u8::from(self.namespace.is_some())
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            None => {}
            Some(Origin::Template(name)) => write!(f, "template {name:?}")?,
            Some(Origin::CronWorkflow(name)) => write!(f, "cronWorkflow {name:?}")?,
        }
        let gap = if self.origin.is_some() { " in " } else { "" };
        self.namespace.iter().try_for_each(|name| write!(f, "{gap}namespace {name:?}"))
    }
}

impl Retention {
    /// Returns the policy that keeps so many of the newest runs of each series, and nothing else.
    pub fn keeping(last: u32) -> Self {
        let runs = Keep { last: Some(last), older_than: None };
        Self { all: Rule { runs, ..Rule::default() }, ..Self::default() }
    }

    /// Returns the rules for a run, the most specific first.
    fn rules(&self, run: &Run) -> Vec<&Rule> {
        let mut rules: Vec<(u8, &Rule)> = self
            .overrides
            .iter()
            .filter(|(scope, _)| scope.takes(run))
            .map(|(scope, rule)| (scope.weight(), rule))
            .collect();
        // If two rules have the same weight (a run of two templates), the first in the file counts.
        rules.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
        rules.into_iter().map(|(_, rule)| rule).chain([&self.all]).collect()
    }

    /// Returns the values for a run. For a failed run that is the first `failed` value, or the ordinary value
    /// if there is no `failed` one.
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

    /// Decides as much about a run as is possible before the other runs are known.
    pub fn bind(&self, run: &Run, now: Timestamp) -> RetentionDecision {
        let keep = self.keep(run);
        let pin = self.pins.iter().find(|pin| pin.takes(&run.workflow.metadata));
        let young = || {
            let (end, limit) = (run.workflow.ended()?, keep.older_than?);
            let young = now.duration_since(end) <= limit;
            young.then(|| format!("finished at {end}, and olderThan is {}", days(limit)))
        };
        let stays = pin.map(|pin| format!("pinned by the policy: {pin}")).or_else(young);
        RetentionDecision { series: run.series(), last: keep.last.unwrap_or(0), stays }
    }

    /// Returns true if a pin of the policy keeps the run.
    pub fn pins(&self, run: &Run) -> bool {
        self.pins.iter().any(|pin| pin.takes(&run.workflow.metadata))
    }

    /// Notes the overrides and pins that are for the run.
    pub fn hit(&self, run: &Run, hits: &mut Hits) {
        let overrides = self.overrides.iter().enumerate().filter(|(_, (scope, _))| scope.takes(run));
        hits.overrides.extend(overrides.map(|(at, _)| at));
        for (at, pin) in self.pins.iter().enumerate() {
            hits.pins.extend(pin.hits(&run.workflow.metadata).map(|name| (at, name)));
        }
    }

    /// Returns what matched nothing, in the order of the file. If only one namespace was read, what is for another is not
    /// expected to match.
    pub fn idle(&self, hits: &Hits, read: Option<&str>) -> Vec<Idle> {
        let expected = |namespace: &Option<String>| match (namespace, read) {
            (Some(namespace), Some(read)) => namespace == read,
            _ => true,
        };
        let Places { overrides, pins, .. } = &self.places;
        let mut idle = Vec::new();
        for (at, (line, (scope, _))) in overrides.iter().zip(&self.overrides).enumerate() {
            if expected(&scope.namespace) && !hits.overrides.contains(&at) {
                idle.push(Idle { line: *line, what: scope.to_string() });
            }
        }
        for (at, (lines, pin)) in pins.iter().zip(&self.pins).enumerate() {
            let silent = lines.iter().enumerate().filter(|(name, _)| !hits.pins.contains(&(at, *name)));
            for (name, line) in silent.filter(|_| expected(&pin.namespace)) {
                idle.push(Idle { line: *line, what: format!("the pin {:?}", pin.by(name).to_string()) });
            }
        }
        idle.sort();
        idle
    }

    /// Returns the largest number of runs that any rule keeps in a series.
    pub fn most(&self) -> u32 {
        let rules = self.overrides.iter().map(|(_, rule)| rule).chain([&self.all]);
        rules.flat_map(|rule| [rule.runs.last, rule.failed.last]).flatten().max().unwrap_or(0)
    }
}

impl Filter<'_> {
    /// Returns true if the policy permits the deletion of an artifact.
    pub fn takes(&self, artifact: &ArtifactReport) -> bool {
        let class = if artifact.logs { Class::Logs } else { Class::Artifacts };
        self.verdicts.is_none_or(|verdicts| verdicts.contains(&artifact.verdict))
            && self.only.is_none_or(|only| only == class)
    }
}

impl RetentionDecision {
    /// Returns the reason why a run that finished at this time keeps everything, if it does. All runs must have
    /// been counted.
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

/// Formats a duration in the largest unit that leaves no remainder.
fn days(duration: SignedDuration) -> String {
    let seconds = duration.as_secs();
    let units = [(86_400, "d"), (3600, "h"), (60, "m")];
    let unit = units.iter().find(|(unit, _)| seconds % unit == 0);
    unit.map_or_else(|| format!("{seconds}s"), |(unit, name)| format!("{}{name}", seconds / unit))
}
