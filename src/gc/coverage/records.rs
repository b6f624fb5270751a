//! The recorded artifacts of a workflow: what its nodes' outputs say, with the location of each.

use super::{Case, Judgement};
use crate::argo::{Artifact, NodeStatus, Strategy};
use crate::gc::location::{self, Resolved, Unlocated};
use crate::gc::report::{ArtifactReport, Note};
use crate::gc::{Location, Reason, Source};
use std::collections::{HashMap, HashSet};

/// One entry of a node's `outputs.artifacts`.
pub(super) struct Record<'a> {
    pub node: &'a NodeStatus,
    pub artifact: &'a Artifact,
    pub strategy: Strategy,
    pub source: Source,
    pub account: String,
    pub resolved: Result<Resolved, Unlocated>,
}

impl<'a> Record<'a> {
    pub fn location(&self) -> Option<&Location> {
        self.resolved.as_ref().ok().map(|resolved| &resolved.location)
    }

    /// Neither a location nor a key: the executor saved nothing.
    pub fn is_unsaved(&self) -> bool {
        matches!(self.resolved, Err(Unlocated::NotSaved))
    }

    pub fn report(&self, judgement: Judgement) -> ArtifactReport {
        let Judgement { verdict, reason, when, evidence, notes } = judgement;
        let node = self.node;
        ArtifactReport {
            name: self.artifact.name.clone(),
            node: node.shown().to_owned(),
            node_id: node.id.clone(),
            node_name: node.name.clone(),
            node_type: node.kind.clone(),
            template: node.template().to_owned(),
            logs: self.artifact.is_logs(),
            strategy: self.strategy.clone(),
            strategy_source: self.source,
            service_account: self.account.clone(),
            verdict,
            reason,
            when,
            location: self.location().cloned(),
            location_problem: self.resolved.as_ref().err().map(ToString::to_string).unwrap_or_default(),
            evidence,
            notes,
            copies: Vec::new(),
        }
    }
}

impl<'a> Case<'a> {
    /// Pod nodes' artifacts, then those of other nodes that no pod accounts for, each in order of time.
    pub(super) fn records(&self) -> Vec<Record<'a>> {
        let mut nodes: Vec<&NodeStatus> = self.workflow.status.nodes.values().collect();
        nodes.sort_by(|a, b| (!a.is_pod(), a.started_at, &a.name).cmp(&(!b.is_pod(), b.started_at, &b.name)));
        let mut records: Vec<Record<'a>> = Vec::new();
        let mut places: HashSet<Location> = HashSet::new();
        for node in nodes {
            if !node.is_pod() && node.outputs.artifacts.is_empty() {
                continue;
            }
            for artifact in &node.outputs.artifacts {
                let record = self.record(node, artifact);
                match record.location() {
                    // Copies on Retry, Steps and DAG nodes are no objects of their own.
                    Some(place) if !node.is_pod() && places.contains(place) => continue,
                    Some(place) => {
                        places.insert(place.clone());
                    }
                    None if !node.is_pod() => continue,
                    None => {}
                }
                records.push(record);
            }
        }
        records
    }

    fn record(&self, node: &'a NodeStatus, artifact: &'a Artifact) -> Record<'a> {
        let (strategy, source) = self.policy.strategy(artifact);
        let account = self.policy.service_account(artifact).to_owned();
        // The template is only searched for where its archive location decides.
        let resolved = if artifact.location.is_full() {
            location::resolve(&artifact.location, None)
        } else {
            let base = location::base(self.archive_location(node), self.repository);
            location::resolve(&artifact.location, base)
        };
        Record { node, artifact, strategy, source, account, resolved }
    }

    /// Names the nodes that repeat an artifact's object.
    pub(super) fn add_copies(&self, reports: &mut [ArtifactReport]) {
        let mut index: HashMap<Location, usize> = HashMap::new();
        for (at, report) in reports.iter().enumerate() {
            if let Some(place) = &report.location {
                index.insert(place.clone(), at);
            }
        }
        if index.is_empty() {
            return;
        }
        for node in self.workflow.status.nodes.values().filter(|node| !node.is_pod()) {
            for artifact in &node.outputs.artifacts {
                let record = self.record(node, artifact);
                let Some(&at) = record.location().and_then(|place| index.get(place)) else { continue };
                let report = &mut reports[at];
                if report.node_id != node.id && !report.copies.contains(&node.id) {
                    report.copies.push(node.id.clone());
                }
            }
        }
        for report in reports.iter_mut().filter(|report| !report.copies.is_empty()) {
            report.notes.push(Note { reason: Reason::GlobalCopies, detail: String::new() });
        }
    }
}

impl NodeStatus {
    /// The template Argo's GC looks up by name: the reference's, else the plain one; empty for inline nodes.
    pub(super) fn template(&self) -> &str {
        match &self.template_ref {
            Some(reference) if !reference.template.is_empty() => &reference.template,
            _ => &self.template_name,
        }
    }
}
