//! Diagnoses stuck and failing collections: groups the reasons of all assessments by cause, each with its
//! repair.
//!
//! Most problems are detected by [`super::assess`]. This module adds only those that need more than one
//! workflow or an answer of the server: service accounts, parallelism, tasks without a workflow, other
//! finalizers.

pub mod account;
pub mod cause;
pub(crate) mod controllers;
pub mod facts;
pub mod folders;
pub mod group;
pub mod members;
pub mod pods;
pub mod purges;
pub mod repair;
pub mod step;
pub mod symptom;

use crate::argo::names;
use crate::argo::related::{GcTask, Pod};
use crate::argo::workflow::Workflow;
use crate::assess::waiting::{GATED, OVERDUE};
use crate::doctor::account::{AccountFacts, Reliance};
use crate::doctor::cause::Cause;
use crate::doctor::folders::Folders;
use crate::doctor::group::Group;
use crate::doctor::purges::Purges;
use crate::doctor::repair::{UNTOLD, needs_patch};
use crate::doctor::symptom::{Symptom, symptom};
use crate::model::account::{Account, Standing};
use crate::model::assessment::{ArtifactReport, Assessment, Evidence};
use crate::model::context::{Context, Controller, OfWorkflow};
use crate::reason::Reason;
use crate::verdict::{Finalizer, Verdict};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// A deletion or task that is older than this is not merely in progress.
const MARGIN: SignedDuration = SignedDuration::from_mins(10);

/// A diagnosis in progress, which reads assessments one by one and keeps only the problems.
#[derive(Debug, Default)]
pub struct Doctor {
    symptoms: Vec<Symptom>,
    accounts: BTreeMap<Account, Reliance>,
    /// Instance IDs of workflows that no controller took up, or that have the finalizer.
    instances: HashMap<(String, String), String>,
    /// Workflows that exist and have GC tasks.
    with_tasks: HashSet<(String, String)>,
    /// The place of the artifact-gc finalizer where it is not the first.
    finalizers: HashMap<(String, String), usize>,
    /// Completed workflows whose finalizer is stuck.
    held: Vec<(String, String)>,
}

impl Doctor {
    /// Notes the facts about a workflow that an assessment does not hold: labels, tasks and other finalizers.
    pub fn notice(&mut self, workflow: &Workflow, context: &Context) {
        let meta = &workflow.metadata;
        let key = || (meta.namespace.clone(), meta.name.clone());
        let instance = meta.label(names::INSTANCE_ID);
        let unsettled = workflow.has_gc_finalizer() || workflow.status.artifact_gc_status.is_none();
        if unsettled && !instance.is_empty() {
            self.instances.insert(key(), instance.to_owned());
        }
        let at = meta.finalizers.iter().position(|finalizer| finalizer == names::GC_FINALIZER);
        if let Some(at) = at.filter(|at| *at > 0) {
            self.finalizers.insert(key(), at);
        }
        if context.related.of(&meta.namespace, &meta.name).is_some_and(|of| !of.tasks.is_empty()) {
            self.with_tasks.insert(key());
        }
        self.symptoms.extend(still_runs(workflow, context));
        if !is_past(meta.deletion_timestamp, context) || workflow.has_gc_finalizer() {
            return;
        }
        for (at, finalizer) in meta.finalizers.iter().enumerate() {
            let stamp = meta.deletion_timestamp.map(|time| time.to_string()).unwrap_or_default();
            self.symptoms.push(Symptom {
                subject: finalizer.clone(),
                stuck: true,
                evidence: vec![
                    Evidence::new("metadata.finalizers", finalizer),
                    Evidence::new("metadata.deletionTimestamp", stamp),
                ],
                object: Some(at.to_string()),
                ..symptom(Cause::OtherFinalizer, &meta.namespace, &meta.name)
            });
        }
    }

    /// Adds the problems of an assessment.
    pub fn examine(&mut self, assessment: &Assessment, context: &Context) {
        let Assessment { namespace, name, .. } = assessment;
        let nothing = OfWorkflow::default();
        let of = context.related.of(namespace, name).unwrap_or(&nothing);
        let stuck = assessment.finalizer == Finalizer::Stuck;
        if stuck && matches!(assessment.phase.as_str(), "Succeeded" | "Failed" | "Error") {
            self.held.push((namespace.clone(), name.clone()));
        }
        let mut found: Vec<Symptom> = Vec::new();
        let mut add = |reason: Option<Reason>, verdict, evidence: &[Evidence], account: Option<&str>| {
            let Some(reason) = reason else { return };
            let Some(cause) = Cause::of(reason) else { return };
            // If the workflow does not wait for a finalizer, nothing is stuck because of the missing evidence.
            let absent = assessment.finalizer == Finalizer::Absent;
            let open = absent || assessment.deletion_timestamp.is_none() && !cause.is_of_controller();
            if verdict == Verdict::Unknown && open {
                return;
            }
            let account = account.filter(|_| cause.depends_on_account());
            let subject = if cause == Cause::DeleteFails { reason.code() } else { "" };
            let same = |other: &&mut Symptom| {
                let theirs = (other.reasons.first().and_then(|reason| Cause::of(*reason)), &*other.subject);
                theirs == (Some(cause), subject) && other.account.as_deref() == account
            };
            if let Some(same) = found.iter_mut().find(same) {
                same.artifacts += 1;
                same.reasons.insert(reason);
                return;
            }
            found.push(Symptom {
                subject: subject.to_owned(),
                stuck: stuck || cause == Cause::PodPending,
                artifacts: 1,
                reasons: BTreeSet::from([reason]),
                evidence: evidence.to_vec(),
                account: account.map(str::to_owned),
                ..symptom(cause, namespace, name)
            });
        };
        for artifact in &assessment.artifacts {
            let account = account_or_default(&artifact.service_account);
            match artifact.verdict {
                Verdict::Covered if assessment.finalizer != Finalizer::Absent => {
                    self.accounts.entry(Account::new(namespace, account)).or_default().rely(name);
                }
                Verdict::Collected | Verdict::Kept | Verdict::Covered => {}
                verdict => add(artifact.reason, verdict, &artifact.evidence, Some(account)),
            }
        }
        for finding in &assessment.findings {
            add(Some(finding.reason), finding.verdict, &finding.evidence, None);
        }
        let untold = |artifact: &ArtifactReport| {
            artifact.reason == Some(Reason::ParamArchiveLocation) && artifact.location.is_none()
        };
        if assessment.artifacts.iter().any(untold) {
            let of_param = |symptom: &&mut Symptom| symptom.reasons.contains(&Reason::ParamArchiveLocation);
            found.iter_mut().filter(of_param).for_each(|symptom| UNTOLD.clone_into(&mut symptom.subject));
        }
        // The place of the finalizer in its list, which a patch has to name.
        let at = self.finalizers.get(&(namespace.clone(), name.clone())).copied().unwrap_or_default();
        for symptom in found.iter_mut().filter(|symptom| needs_patch(&symptom.subject)) {
            symptom.object = Some(at.to_string());
        }
        if assessment.finalizer == Finalizer::Absent && found.is_empty() {
            found.extend(of.tasks.iter().filter_map(|task| left_over(task, name, context)));
        }
        let folders = if found.is_empty() { Folders::default() } else { Folders::of(assessment) };
        for mut symptom in found {
            symptom.folders.clone_from(&folders);
            self.look_closer(&mut symptom, of, context);
            if let Some(account) = &symptom.account {
                self.accounts.entry(Account::new(namespace, account)).or_default().used(name);
            }
            self.symptoms.push(symptom);
        }
    }

    /// Looks for the cause of a symptom in the pods, their events and the controllers.
    fn look_closer(&self, symptom: &mut Symptom, of: &OfWorkflow, context: &Context) {
        let pod = pod_of(symptom, of);
        if let Some(pod) = pod {
            symptom.object = Some(pod.metadata.name.clone());
        }
        if let Some(closer) = pods::closer(symptom.cause, pod, of) {
            symptom.cause = closer.cause;
            symptom.subject = match closer.subject.as_str() {
                "" => String::new(),
                secret => format!("{}/{secret}", symptom.namespace),
            };
            symptom.detail = closer.subject;
            if let Some(evidence) = closer.evidence {
                // The new evidence says the same in more detail.
                symptom.evidence.retain(|other| other.field != evidence.field);
                symptom.evidence.insert(0, evidence);
            }
        }
        match symptom.cause {
            Cause::Sidecar => {
                let holder = pod.and_then(Pod::holder).map_or("", |container| &container.name);
                symptom.detail = holder.to_owned();
                symptom.subject = holder.to_owned();
            }
            Cause::InstanceIdLabel => {
                let id = pod.map_or("", |pod| pod.metadata.label(names::WRONG_INSTANCE_LABEL));
                symptom.detail = id.to_owned();
                symptom.subject = id.to_owned();
            }
            Cause::PodEnded => {
                let recouped =
                    |evidence: &&Evidence| evidence.field == "status.artifactGCStatus.podsRecouped";
                symptom.object = symptom.evidence.iter().find(recouped).map(|found| found.value.clone());
            }
            _ => controllers::look(symptom, &self.managing(symptom, context), of, context),
        }
        if let (Cause::Sidecar | Cause::InstanceIdLabel, Some(pod)) = (symptom.cause, pod) {
            let state = match symptom.cause {
                Cause::Sidecar => format!("main has ended, {} has not", symptom.detail),
                _ => format!("label {}={}", names::WRONG_INSTANCE_LABEL, symptom.detail),
            };
            let evidence = Evidence::new(format!("Pod/{}", pod.metadata.name), state);
            if !symptom.evidence.contains(&evidence) {
                symptom.evidence.insert(0, evidence);
            }
        }
    }

    /// Returns the controllers that may manage the workflow.
    fn managing<'a>(&self, symptom: &Symptom, context: &'a Context) -> Vec<&'a Controller> {
        let key = (symptom.namespace.clone(), symptom.name.clone());
        let instance = self.instances.get(&key).map_or("", String::as_str);
        context.controllers.managing(&symptom.namespace, instance).collect()
    }

    /// Returns true if anything was found that may need a repair.
    pub fn has_symptoms(&self) -> bool {
        !self.symptoms.is_empty()
    }

    /// Returns the service accounts that the diagnosis needs to know about.
    pub fn accounts(&self) -> Vec<Account> {
        self.accounts.keys().cloned().collect()
    }

    /// Groups all symptoms by cause. `whole` is true if [`Self::notice`] saw every workflow of the namespaces
    /// that were read; `purges` words the purges of the repairs.
    pub fn finish(
        mut self,
        standings: &BTreeMap<Account, Standing>,
        context: &Context,
        whole: bool,
        purges: Purges<'_>,
    ) -> (Vec<Group>, Vec<AccountFacts>) {
        let symptoms = std::mem::take(&mut self.symptoms);
        let mut groups = group::Groups::default();
        let mut unchecked: Vec<Symptom> = Vec::new();
        for mut symptom in symptoms {
            let account = symptom.account.as_ref().map(|account| Account::new(&symptom.namespace, account));
            if let Some((account, standing)) =
                account.and_then(|account| Some((account.clone(), standings.get(&account)?)))
            {
                unchecked.extend(account::refine(&mut symptom, &account, standing));
            }
            groups.add(symptom);
        }
        for (account, reliance) in &self.accounts {
            let Some(standing) = standings.get(account) else { continue };
            if let Some(symptom) = account::predicted(account, reliance, standing) {
                groups.add_many(symptom, reliance);
            }
        }
        unchecked.into_iter().for_each(|symptom| groups.add(symptom));
        if whole {
            let orphaned = context.related.tasks().filter(|(workflow, task)| {
                !self.with_tasks.contains(&(task.metadata.namespace.clone(), (*workflow).to_owned()))
            });
            orphaned
                .filter_map(|(workflow, task)| left_over(task, workflow, context))
                .for_each(|s| groups.add(s));
        }
        self.parallelism(context).into_iter().for_each(|symptom| groups.add(symptom));
        let facts = account::facts(&self.accounts, standings);
        (groups.finish(context, purges), facts)
    }

    /// Returns symptoms for completed workflows that keep a parallelism slot because their finalizer is stuck
    /// (`docs/argo-gc.md#readiness`), if the controller has a limit.
    fn parallelism(&self, context: &Context) -> Vec<Symptom> {
        let mut symptoms = Vec::new();
        for controller in &context.controllers.seen {
            let Some(config) = &controller.config else { continue };
            let name = format!("{}/{}", controller.namespace, controller.name);
            let is_mine = |(namespace, workflow): &&(String, String)| {
                let instance = self.instances.get(&(namespace.clone(), workflow.clone()));
                controller.may_manage(namespace, instance.map_or("", String::as_str))
            };
            let mine: Vec<&(String, String)> = self.held.iter().filter(is_mine).collect();
            let mut tell = |limit: u64, key: &str, subject: String, held: &[&(String, String)]| {
                let told = format!("{} of {limit} slots are held by completed workflows", held.len());
                for (namespace, workflow) in held {
                    symptoms.push(Symptom {
                        subject: subject.clone(),
                        stuck: true,
                        evidence: vec![Evidence::new(format!("{key} of controller {name}"), &told)],
                        ..symptom(Cause::ParallelismHeld, namespace, workflow)
                    });
                }
            };
            if let Some(limit) = config.parallelism {
                tell(limit, "parallelism", format!("controller {name}"), &mine);
            }
            let Some(limit) = config.namespace_parallelism else { continue };
            let mut of_namespace: BTreeMap<&str, Vec<&(String, String)>> = BTreeMap::new();
            mine.iter().for_each(|held| of_namespace.entry(&held.0).or_default().push(held));
            for (namespace, held) in of_namespace {
                tell(limit, "namespaceParallelism", format!("namespace {namespace}"), &held);
            }
        }
        symptoms
    }
}

/// Returns a symptom for a workflow that was deleted over an hour ago and waits for its own end.
fn still_runs(workflow: &Workflow, context: &Context) -> Option<Symptom> {
    let meta = &workflow.metadata;
    let deleted = meta.deletion_timestamp.filter(|time| context.now.duration_since(*time) > OVERDUE)?;
    let version = context.controllers.version_for(&meta.namespace, meta.label(names::INSTANCE_ID));
    let waits = workflow.has_gc_finalizer() && !workflow.is_terminal();
    let phase = if workflow.status.phase.is_empty() { "<none>" } else { &workflow.status.phase };
    (waits && version.is_none_or(|version| version >= GATED)).then(|| Symptom {
        evidence: vec![
            Evidence::new("status.phase", phase),
            Evidence::new("metadata.deletionTimestamp", deleted.to_string()),
        ],
        ..symptom(Cause::StillRuns, &meta.namespace, &meta.name)
    })
}

/// Returns a symptom for a task that nothing will carry out any more; none while it may still be in progress.
fn left_over(task: &GcTask, workflow: &str, context: &Context) -> Option<Symptom> {
    let meta = &task.metadata;
    let name = &meta.name;
    is_past(meta.creation_timestamp, context).then(|| Symptom {
        evidence: vec![Evidence::new(format!("WorkflowArtifactGCTask/{name}"), "left over")],
        object: Some(name.clone()),
        ..symptom(Cause::TaskLeftOver, &meta.namespace, workflow)
    })
}

/// Returns the GC pod of a symptom: the one its evidence names, else one in the matching state.
fn pod_of<'a>(symptom: &Symptom, of: &'a OfWorkflow) -> Option<&'a Pod> {
    let named = symptom.evidence.iter().filter_map(|evidence| evidence.field.strip_prefix("Pod/"));
    let named = named.filter_map(|field| field.split(' ').next()).next();
    of.pods.iter().find(|pod| match (named, symptom.cause) {
        (Some(name), _) => pod.metadata.name == name,
        (None, Cause::InstanceIdLabel) => pod.metadata.labels.contains_key(names::WRONG_INSTANCE_LABEL),
        (None, Cause::Sidecar) => pod.status.phase == "Running" && pod.holder().is_some(),
        (None, Cause::PodFailed | Cause::Rights) => pod.status.phase == "Failed",
        _ => false,
    })
}

fn account_or_default(account: &str) -> &str {
    if account.is_empty() { "default" } else { account }
}

fn is_past(time: Option<Timestamp>, context: &Context) -> bool {
    time.is_some_and(|time| context.now.duration_since(time) > MARGIN)
}
