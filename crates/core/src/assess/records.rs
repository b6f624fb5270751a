//! Collects the recorded artifacts of a workflow from its nodes' outputs, with the location of each.

use crate::argo::artifact::{Artifact, ArtifactLocation, Strategy};
use crate::argo::node::NodeStatus;
use crate::argo::workflow::Workflow;
use crate::assess::case::{Case, Judgement};
use crate::model::assessment::{ArtifactReport, Note};
use crate::model::context::Context;
use crate::model::location;
use crate::model::location::{Location, LocationError, Resolved};
use crate::model::strategy::StrategySource;
use crate::model::variables;
use crate::reason::Reason;
use std::collections::{HashMap, HashSet};

/// One entry of a node's `outputs.artifacts`.
pub(crate) struct Record<'a> {
    pub node: &'a NodeStatus,
    pub artifact: &'a Artifact,
    pub strategy: Strategy,
    pub source: StrategySource,
    pub account: Option<&'a str>,
    pub resolved: Result<Resolved, LocationError>,
    /// The location that completes one with only a key.
    pub base: Option<&'a ArtifactLocation>,
    /// The text of that location with a variable, which GC uses as it is.
    pub raw_text: Option<&'a str>,
    /// The number of its location within [`Records`]; equal locations have equal numbers.
    pub place: usize,
}

/// All records of a workflow, with indexes of the facts that many records share, because a workflow may have a
/// hundred thousand.
#[derive(Default)]
pub(crate) struct Records<'a> {
    pub list: Vec<Record<'a>>,
    /// The records of each location that has several.
    twins: HashMap<usize, Vec<usize>>,
    /// The first artifact of an unnamed Pod node that is not deleted, by strategy.
    poison: HashMap<Strategy, usize>,
    /// The artifacts of Pod nodes that were never saved and are not marked as deleted.
    unsaved: Vec<usize>,
    /// The first declared artifact that a strategy asks for.
    declared: Option<usize>,
    /// The bytes of names, IDs and keys in one task, by strategy and service account.
    sizes: HashMap<(Strategy, Option<&'a str>), usize>,
}

impl<'a> Records<'a> {
    fn index(mut self) -> Self {
        let list = &mut self.list;
        let mut order: Vec<usize> = (0..list.len()).filter(|at| list[*at].location().is_some()).collect();
        order.sort_by(|a, b| list[*a].location().cmp(&list[*b].location()));
        for (at, record) in list.iter_mut().enumerate() {
            record.place = at;
        }
        let same = |a: &usize, b: &usize| list[*a].location() == list[*b].location();
        let runs: Vec<&[usize]> = order.chunk_by(same).filter(|run| run.len() > 1).collect();
        for run in runs {
            let place = run.iter().copied().min().unwrap_or_default();
            run.iter().for_each(|at| list[*at].place = place);
            self.twins.insert(place, run.to_vec());
        }
        for (at, record) in self.list.iter().enumerate().filter(|(_, record)| record.node.is_pod()) {
            let asked = record.strategy.asks_for_collection();
            if asked && !record.artifact.is_logs() {
                self.declared.get_or_insert(at);
            }
            if record.artifact.deleted {
                continue;
            }
            if record.node.is_unnamed() {
                self.poison.entry(record.strategy.clone()).or_insert(at);
            }
            if record.is_unsaved() {
                self.unsaved.push(at);
            }
            if asked {
                *self.sizes.entry((record.strategy.clone(), record.account)).or_default() += record.size();
            }
        }
        self
    }

    /// Returns the other records of the same location.
    pub fn twins(&self, record: &Record<'a>) -> impl Iterator<Item = &Record<'a>> {
        let twins = self.twins.get(&record.place).map_or(&[][..], Vec::as_slice);
        twins.iter().map(|at| &self.list[*at]).filter(|other| !other.is(record))
    }

    /// Returns an inline node's artifact that ends the collection of the whole strategy.
    pub fn poison(&self, strategy: &Strategy) -> Option<&Record<'a>> {
        self.poison.get(strategy).map(|at| &self.list[*at])
    }

    /// Returns another artifact of the same GC pod that was never saved.
    pub fn unsaved_beside(&self, record: &Record<'a>) -> Option<&Record<'a>> {
        let unsaved = self.unsaved.iter().map(|at| &self.list[*at]);
        unsaved
            .filter(|other| !other.is(record))
            .find(|other| other.strategy == record.strategy && other.account == record.account)
    }

    /// Returns the first declared artifact that a strategy asks for.
    pub fn declared(&self) -> Option<&Record<'a>> {
        self.declared.map(|at| &self.list[at])
    }

    /// Returns a lower bound of the size of the record's GC task, in bytes.
    pub fn task_size(&self, record: &Record<'a>) -> usize {
        self.sizes.get(&(record.strategy.clone(), record.account)).copied().unwrap_or_default()
    }

    /// Returns true if artifacts of the same strategy are left to another service account's GC pod.
    pub fn of_other_account(&self, record: &Record<'a>) -> bool {
        self.sizes
            .keys()
            .any(|(strategy, account)| *strategy == record.strategy && *account != record.account)
    }

    /// Returns true if artifacts of the strategy are left to collect.
    pub fn is_open(&self, strategy: &Strategy) -> bool {
        self.sizes.keys().any(|(other, _)| other == strategy)
    }
}

impl<'a> Record<'a> {
    /// Returns true if both are the same entry, not just equal ones.
    pub fn is(&self, other: &Self) -> bool {
        std::ptr::eq(self.artifact, other.artifact)
    }

    /// Returns a lower bound of the bytes that the record adds to a task.
    fn size(&self) -> usize {
        let key = self.resolved.as_ref().map_or(0, |resolved| resolved.raw_key.len());
        self.node.id.len() + 2 * self.artifact.name.len() + key
    }

    pub fn location(&self) -> Option<&Location> {
        self.resolved.as_ref().ok().map(|resolved| &resolved.location)
    }

    /// Returns true if there is neither a location nor a key: the executor saved nothing.
    pub fn is_unsaved(&self) -> bool {
        matches!(self.resolved, Err(LocationError::NotSaved))
    }

    pub(crate) fn report(&self, judgement: Judgement) -> ArtifactReport {
        let Judgement { verdict, reason, when, evidence, notes } = judgement;
        let node = self.node;
        ArtifactReport {
            name: self.artifact.name.clone(),
            node: node.shown().to_owned(),
            node_id: node.id.clone(),
            node_name: node.name.clone(),
            node_type: node.kind.clone(),
            template: node.template().to_owned(),
            unarchived: self.artifact.is_unarchived(),
            logs: self.artifact.is_logs(),
            strategy: self.strategy.clone(),
            strategy_source: self.source,
            service_account: self.account.unwrap_or_default().to_owned(),
            verdict,
            reason,
            when,
            location: self.location().cloned(),
            login: self.resolved.as_ref().ok().and_then(|resolved| resolved.login.clone()),
            location_problem: self.resolved.as_ref().err().map(ToString::to_string).unwrap_or_default(),
            evidence,
            notes,
            copies: Vec::new(),
            stored: None,
        }
    }
}

impl<'a> Case<'a> {
    /// Returns the artifacts of Pod nodes, then those of other nodes that no Pod node names, each in order of
    /// time.
    pub(crate) fn records(&self) -> Records<'a> {
        let mut nodes: Vec<&NodeStatus> = self.workflow.status.nodes.values().collect();
        nodes.retain(|node| !node.outputs.artifacts.is_empty());
        nodes.sort_by(|a, b| (!a.is_pod(), a.started_at, &a.name).cmp(&(!b.is_pod(), b.started_at, &b.name)));
        let pods = nodes.iter().take_while(|node| node.is_pod()).count();
        let (pods, others) = nodes.split_at(pods);
        let mut list: Vec<Record<'a>> = pods.iter().flat_map(|node| self.of_node(node)).collect();
        if !others.is_empty() {
            // The outputs of Retry, Steps and DAG nodes repeat those of their pods.
            let mut places: HashSet<Location> = list.iter().filter_map(|r| r.location().cloned()).collect();
            let own = others
                .iter()
                .flat_map(|node| self.of_node(node))
                .filter(|record| record.location().is_some_and(|place| places.insert(place.clone())));
            let own: Vec<Record<'a>> = own.collect();
            list.extend(own);
        }
        Records { list, ..Records::default() }.index()
    }

    fn of_node(&self, node: &'a NodeStatus) -> impl Iterator<Item = Record<'a>> {
        let (mut base, mut untold) = (None, None);
        node.outputs.artifacts.iter().map(move |artifact| {
            let (strategy, source) = self.policy.strategy(artifact);
            let account = self.policy.service_account(artifact);
            // The template is searched for only if its archive location matters.
            let base = match artifact.location.is_full() {
                true => None,
                false => *base.get_or_insert_with(|| self.base(node)),
            };
            let raw_text = base.and_then(variables::variable);
            let told =
                raw_text.and(base).and_then(|base| variables::filled(base, |name| self.value(node, name)));
            let resolved = location::resolve(&artifact.location, told.as_ref().or(base));
            let resolved = resolved.and_then(|resolved| {
                let lost = resolved.relocated && *untold.get_or_insert_with(|| self.lacks_template(node));
                if lost { Err(LocationError::NoTemplate) } else { Ok(resolved) }
            });
            Record { node, artifact, strategy, source, account, resolved, base, raw_text, place: 0 }
        })
    }

    /// Returns the value that a variable had when the node's pod was made, if the workflow shows it.
    fn value(&self, node: &NodeStatus, name: &str) -> Option<String> {
        let meta = &self.workflow.metadata;
        match name {
            "workflow.name" => Some(meta.name.clone()),
            "workflow.namespace" => Some(meta.namespace.clone()),
            "workflow.uid" => Some(meta.uid.clone()),
            _ => match name.strip_prefix("workflow.parameters.") {
                Some(name) => {
                    let stored = self.workflow.status.stored_workflow_template_spec.as_ref();
                    let default = || stored?.arguments.value(name);
                    self.workflow.spec.arguments.value(name).or_else(default).map(str::to_owned)
                }
                None => node.inputs.value(name.strip_prefix("inputs.parameters.")?).map(str::to_owned),
            },
        }
    }

    /// Returns the location from which a key of this node is completed.
    pub(crate) fn base(&self, node: &NodeStatus) -> Option<&'a ArtifactLocation> {
        location::base(self.archive_location(node), self.repository)
    }

    /// Adds the IDs of nodes that repeat an artifact's object.
    pub(crate) fn add_copies(&self, reports: &mut [ArtifactReport]) {
        let with_copies = |node: &&NodeStatus| !node.is_pod() && !node.outputs.artifacts.is_empty();
        let mut nodes = self.workflow.status.nodes.values().filter(with_copies).peekable();
        if nodes.peek().is_none() {
            return Self::note_copies(reports);
        }
        let places =
            reports.iter().enumerate().filter_map(|(at, report)| Some((report.location.clone()?, at)));
        let index: HashMap<Location, usize> = places.collect();
        for node in nodes {
            for record in self.of_node(node) {
                let Some(&at) = record.location().and_then(|place| index.get(place)) else { continue };
                let report = &mut reports[at];
                if report.node_id != node.id && !report.copies.contains(&node.id) {
                    report.copies.push(node.id.clone());
                }
            }
        }
        Self::note_copies(reports);
    }

    fn note_copies(reports: &mut [ArtifactReport]) {
        for report in reports.iter_mut().filter(|report| !report.copies.is_empty()) {
            report.notes.push(Note { reason: Reason::GlobalCopies, detail: String::new() });
        }
    }
}

/// Returns the artifacts of Pod nodes with a certain location, each with the node's ID, the artifact's index in
/// the node's list, and its location.
pub fn pod_artifacts(workflow: &Workflow, context: &Context) -> Vec<(String, usize, Location)> {
    let case = Case::new(workflow, context);
    let mut found = Vec::new();
    for (id, node) in workflow.status.nodes.iter().filter(|(_, node)| node.is_pod()) {
        for (place, record) in case.of_node(node).enumerate() {
            if let Ok(resolved) = record.resolved {
                found.push((id.clone(), place, resolved.location));
            }
        }
    }
    found
}

impl NodeStatus {
    /// Returns the template name that Argo's GC looks up: the reference's, else the plain one; empty for inline
    /// nodes.
    pub(crate) fn template(&self) -> &str {
        match &self.template_ref {
            Some(reference) if !reference.template.is_empty() => &reference.template,
            _ => &self.template_name,
        }
    }
}
