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
    /// The number of its GC pod; those of one strategy and number are in one task.
    pub gc_pod: u32,
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
    /// The first artifact of a Pod node with a `templateRef` that is not deleted, by strategy.
    referenced: HashMap<Strategy, usize>,
    /// The least bytes of each task, and the last node that was counted in it, by strategy and GC pod.
    sizes: HashMap<(Strategy, u32), (usize, &'a str)>,
}

impl<'a> Records<'a> {
    /// Makes the indexes. `least` is the length of the shortest location that may complete a key.
    fn index(mut self, least: usize) -> Self {
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
            if record.node.template_ref.is_some() {
                self.referenced.entry(record.strategy.clone()).or_insert(at);
            }
            if record.is_unsaved() {
                self.unsaved.push(at);
            }
            if asked {
                let task = (record.strategy.clone(), record.gc_pod);
                let (size, node) = self.sizes.entry(task).or_insert((0, ""));
                if *node != record.node.id {
                    *node = &record.node.id;
                    *size += record.node_size(least);
                }
                *size += record.size();
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

    /// Returns an artifact of a node with a `templateRef`, whose template the first releases don't find.
    pub fn referenced(&self, strategy: &Strategy) -> Option<&Record<'a>> {
        self.referenced.get(strategy).map(|at| &self.list[*at])
    }

    /// Returns another artifact of the same GC pod that was never saved.
    pub fn unsaved_beside(&self, record: &Record<'a>) -> Option<&Record<'a>> {
        let unsaved = self.unsaved.iter().map(|at| &self.list[*at]);
        unsaved
            .filter(|other| !other.is(record))
            .find(|other| other.strategy == record.strategy && other.gc_pod == record.gc_pod)
    }

    /// Returns the first declared artifact that a strategy asks for.
    pub fn declared(&self) -> Option<&Record<'a>> {
        self.declared.map(|at| &self.list[at])
    }

    /// Returns a lower bound of the size of the record's GC task as the controller sends it, in bytes.
    pub fn task_size(&self, record: &Record<'a>) -> usize {
        self.sizes.get(&(record.strategy.clone(), record.gc_pod)).map_or(0, |(size, _)| *size)
    }

    /// Returns true if artifacts of the same strategy are left to another GC pod.
    pub fn of_other_pod(&self, record: &Record<'a>) -> bool {
        self.sizes.keys().any(|(strategy, pod)| *strategy == record.strategy && *pod != record.gc_pod)
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

    /// Returns a lower bound of the bytes that the record adds to a task: the whole artifact, and its name once more.
    fn size(&self) -> usize {
        const FRAME: usize = r#""":{"name":"","s3":{"key":""}},"#.len();
        let key = self.resolved.as_ref().map_or(0, |resolved| resolved.raw_key.len());
        let place = self.location().filter(|_| self.artifact.location.is_full());
        let place = place.map_or(0, |place| place.bucket.len() + place.endpoint.len());
        FRAME + 2 * self.artifact.name.len() + key + place
    }

    /// Returns a lower bound of the bytes that the record's node adds to a task. Each node has a copy of the location that
    /// completes keys, even if no key is to be completed; `least` is then its length.
    ///
    /// There a repository's key format has the name of the key, which is shorter (IntoArtifactLocation,
    /// pkg/apis/workflow/v1alpha1/artifact_repository_types.go@v4.1.2).
    fn node_size(&self, least: usize) -> usize {
        const FRAME: usize = r#""":{"archiveLocation":{"s3":},"artifacts":{}},"#.len();
        const RENAMED: usize = "blobNameFormat".len() - "blob".len();
        let base = self.base.map_or(least, |base| base.written);
        FRAME + self.node.id.len() + base.saturating_sub(RENAMED)
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
        let templates =
            self.policy.spec.templates.iter().chain(self.workflow.status.stored_templates.values());
        let places = templates.filter_map(|template| template.archive_location.as_ref());
        let least = places.chain(self.repository).map(|place| place.written).min().unwrap_or_default();
        Records { list, ..Records::default() }.index(least)
    }

    fn of_node(&self, node: &'a NodeStatus) -> impl Iterator<Item = Record<'a>> {
        let (mut base, mut untold) = (None, None);
        node.outputs.artifacts.iter().map(move |artifact| {
            let (strategy, source) = self.policy.strategy(artifact);
            let account = self.policy.service_account(artifact);
            let gc_pod = self.policy.gc_pod(artifact);
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
            Record { node, artifact, strategy, source, account, gc_pod, resolved, base, raw_text, place: 0 }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::argo::version::Version;
    use crate::assess::assess;
    use crate::model::context::{Controllers, Related};
    use crate::verdict::{Verdict, When};
    use serde_json::{Value, json};

    fn context(version: Option<Version>) -> Context {
        let controllers = Controllers { version, ..Controllers::default() };
        let now = "2026-11-20T12:00:00Z".parse().unwrap();
        Context { now, controllers, related: Related::default() }
    }

    fn s3() -> Value {
        json!({ "s3": {
            "endpoint": "minio:9000", "bucket": "b", "insecure": true,
            "accessKeySecret": { "name": "c", "key": "a" }, "secretKeySecret": { "name": "c", "key": "s" },
            "keyFormat": "{{workflow.name}}/{{pod.name}}",
        } })
    }

    /// A workflow that waits for its deletion, with these nodes.
    fn workflow(repository: &Value, nodes: Vec<Value>) -> Value {
        let nodes: serde_json::Map<String, Value> = nodes
            .into_iter()
            .enumerate()
            .map(|(at, node)| {
                let id = format!("big-{at:010}");
                let mut full = json!({
                    "id": id, "name": id, "type": "Pod", "phase": "Succeeded", "templateName": "main",
                    "startedAt": "2026-11-20T02:00:00Z", "finishedAt": "2026-11-20T02:01:00Z",
                });
                full.as_object_mut().unwrap().extend(node.as_object().unwrap().clone());
                (id, full)
            })
            .collect();
        json!({
            "metadata": {
                "name": "big", "namespace": "ml", "finalizers": ["workflows.argoproj.io/artifact-gc"],
                "labels": { "workflows.argoproj.io/completed": "true" },
            },
            "spec": { "artifactGC": { "strategy": "OnWorkflowDeletion" }, "templates": [{ "name": "main" }] },
            "status": {
                "phase": "Succeeded", "finishedAt": "2026-11-20T02:02:00Z", "artifactGCStatus": {}, "nodes": nodes,
                "artifactRepositoryRef": { "artifactRepository": repository },
            },
        })
    }

    fn with(artifacts: Value) -> Value {
        json!({ "outputs": { "artifacts": artifacts } })
    }

    fn many(count: usize) -> Value {
        let node = |at| {
            let key = format!("big/big-main-{at:010}/model.tgz");
            with(json!([{ "name": "model", "path": "/o", "s3": { "key": key } }]))
        };
        workflow(&s3(), (0..count).map(node).collect())
    }

    /// The verdict, reason and time of an artifact, with the reasons of its notes.
    type Told = (Verdict, Option<Reason>, Option<When>, Vec<Reason>);

    fn told(workflow: Value, version: Option<Version>) -> Vec<Told> {
        let mut workflow = serde_json::from_value(workflow).unwrap();
        let artifacts = assess(&mut workflow, &context(version)).artifacts.into_iter();
        let notes = |notes: Vec<Note>| notes.into_iter().map(|note| note.reason).collect();
        artifacts
            .map(|artifact| (artifact.verdict, artifact.reason, artifact.when, notes(artifact.notes)))
            .collect()
    }

    /// The size of the one task that the controller makes.
    fn task(workflow: &Value) -> usize {
        let mut location = workflow["status"]["artifactRepositoryRef"]["artifactRepository"].clone();
        let driver = location["s3"].as_object_mut().unwrap();
        if let Some(format) = driver.remove("keyFormat") {
            driver.insert("key".to_owned(), format);
        }
        let nodes = workflow["status"]["nodes"].as_object().unwrap();
        let nodes: serde_json::Map<String, Value> = nodes
            .iter()
            .map(|(id, node)| {
                let artifacts = node["outputs"]["artifacts"].as_array().unwrap();
                let named =
                    |artifact: &Value| (artifact["name"].as_str().unwrap().to_owned(), artifact.clone());
                let artifacts: serde_json::Map<String, Value> = artifacts.iter().map(named).collect();
                (id.clone(), json!({ "archiveLocation": location, "artifacts": artifacts }))
            })
            .collect();
        json!({ "spec": { "artifactsByNode": nodes } }).to_string().len()
    }

    #[test]
    fn a_tasks_size_is_nearly_what_the_controller_sends_and_never_more() {
        let full = json!([{ "name": "o", "s3": { "endpoint": "e:1", "bucket": "other", "key": "k/o.tgz" } }]);
        let two = json!([{ "name": "a", "s3": { "key": "k/a" } }, { "name": "b", "s3": { "key": "k/b" } }]);
        let bare = json!({ "s3": { "endpoint": "e", "bucket": "b", "keyFormat": "{{pod.name}}" } });
        for workflow in [
            many(200),
            workflow(&s3(), vec![with(full.clone()); 20]),
            workflow(&s3(), vec![with(two.clone()); 20]),
            workflow(&bare, vec![with(full); 20]),
            workflow(&bare, vec![with(two); 20]),
        ] {
            let sent = task(&workflow);
            let workflow: Workflow = serde_json::from_value(workflow).unwrap();
            let context = context(None);
            let records = Case::new(&workflow, &context).records();
            let size = records.task_size(&records.list[0]);
            assert!(size <= sent && size * 10 > sent * 8, "{size} of {sent}");
        }
    }

    #[test]
    fn a_task_with_a_location_for_each_node_is_soon_too_large() {
        let first = |count: usize| told(many(count), None).swap_remove(0);
        let due = Some(When::OnDeletion);
        let covered = |notes| (Verdict::Covered, None, due, notes);
        assert_eq!(first(1000), covered(vec![]));
        assert_eq!(first(2500), covered(vec![Reason::TaskTooLarge]));
        assert_eq!(first(10_000), (Verdict::Failing, Some(Reason::TaskTooLarge), due, vec![]));
        // Once it is processed, it has happened.
        let mut processed = many(10_000);
        processed["status"]["artifactGCStatus"] =
            json!({ "strategiesProcessed": { "OnWorkflowDeletion": true } });
        let failed = (Verdict::Failing, Some(Reason::TaskTooLarge), None, vec![]);
        assert_eq!(told(processed, None).swap_remove(0), failed);
        // Each GC pod has a task of its own.
        let mut split = many(10_000);
        for (at, node) in split["status"]["nodes"].as_object_mut().unwrap().values_mut().enumerate() {
            node["outputs"]["artifacts"][0]["artifactGC"] =
                json!({ "podMetadata": { "annotations": { "part": (at % 20).to_string() } } });
        }
        assert_eq!(told(split, None).swap_remove(0), covered(vec![]));
    }

    #[test]
    fn what_was_never_saved_ends_the_gc_pod_of_its_own_account_labels_and_annotations() {
        let beside = |gc: Value| {
            let unsaved = json!({ "name": "u", "path": "/u", "artifactGC": gc });
            let artifacts = json!([{ "name": "o", "s3": { "key": "w/o.tgz" } }, unsaved]);
            told(workflow(&s3(), vec![with(artifacts)]), Some(Version(3, 5, 5))).swap_remove(0)
        };
        let due = Some(When::OnDeletion);
        let covered = (Verdict::Covered, None, due, vec![]);
        // It is not due, and so it may be needed yet.
        let aborted = (Verdict::Failing, Some(Reason::BatchAbort), due, vec![]);
        assert_eq!(beside(json!({})), aborted);
        assert_eq!(beside(json!({ "podMetadata": { "labels": {} } })), aborted);
        assert_eq!(beside(json!({ "podMetadata": { "labels": { "team": "x" } } })), covered);
        assert_eq!(beside(json!({ "podMetadata": { "annotations": { "team": "x" } } })), covered);
        assert_eq!(beside(json!({ "serviceAccountName": "other" })), covered);
    }

    #[test]
    fn one_reference_ends_the_strategy_for_all_in_the_first_releases() {
        let rows = |own: Value, version| {
            let artifact = |key: &str| json!([{ "name": "o", "s3": { "key": key } }]);
            let mut referring = with(json!([{ "name": "o", "artifactGC": own, "s3": { "key": "w/b" } }]));
            referring["templateRef"] = json!({ "name": "tpl", "template": "main" });
            let rows = told(workflow(&s3(), vec![with(artifact("w/a")), referring]), Some(version));
            rows.into_iter().map(|(_, reason, ..)| reason).collect::<Vec<_>>()
        };
        let both = vec![Some(Reason::Wftref34); 2];
        assert_eq!(rows(json!({}), Version(3, 4, 3)), both);
        assert_eq!(rows(json!({}), Version(3, 4, 4)), [None, None]);
        assert_eq!(rows(json!({}), Version(3, 4, 5)), [None, None]);
        // Each strategy is an attempt of its own.
        let completion = json!({ "strategy": "OnWorkflowCompletion" });
        assert_eq!(rows(completion, Version(3, 4, 3))[0], None);
    }

    #[test]
    fn oss_is_doubtful_while_the_release_is_unknown() {
        let row = |version| {
            let repository = json!({ "oss": { "endpoint": "e", "bucket": "b" } });
            let artifacts = json!([{ "name": "o", "oss": { "key": "w/o.tgz" } }]);
            told(workflow(&repository, vec![with(artifacts)]), version).swap_remove(0)
        };
        let due = Some(When::OnDeletion);
        assert_eq!(row(None), (Verdict::Covered, None, due, vec![Reason::UnsupportedDriver]));
        assert_eq!(row(Some(Version(3, 6, 0))), (Verdict::Covered, None, due, vec![]));
        assert_eq!(row(Some(Version(3, 5, 15))).1, Some(Reason::UnsupportedDriver));
    }
}
