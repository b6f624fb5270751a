//! Folds assessments into one inspection, which counts everything and keeps details only of what the reader
//! asked for.

use crate::hashes::Hashes;
use crate::model::assessment::{ArtifactReport, Assessment, Evidence, FixedKey, Note};
use crate::model::gap::Gap;
use crate::model::location::Location;
use crate::model::stored::Stored;
use crate::reason::Reason;
use crate::verdict::{Finalizer, Verdict};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// The most workflows with hidden nodes that are named.
const UNSEEN_NAMES: usize = 9;

/// Counts over everything inspected, findings or not.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Workflows inspected.
    pub workflows: u64,
    /// Workflows with at least one uncovered or failing artifact, or a failing workflow-level finding.
    pub leaking_workflows: u64,
    /// Workflows whose finalizer is stuck.
    pub stuck_finalizers: u64,
    /// Artifacts by verdict; every verdict has an entry.
    pub artifacts: BTreeMap<&'static str, u64>,
    /// Artifacts and workflow-level findings by reason code.
    pub reasons: BTreeMap<&'static str, u64>,
    /// The objects in storage of uncovered and failing artifacts; none when storage was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stored: Option<Stored>,
}

impl Assessment {
    /// Drops the reports that nobody asked for, and counts them. A problem is never dropped, because the
    /// assessment of another workflow may still change it.
    pub fn set_aside(&mut self, wanted: impl Fn(&ArtifactReport) -> bool) {
        let mut aside = std::mem::take(&mut self.aside);
        let artifacts = std::mem::take(&mut self.artifacts);
        self.artifacts = artifacts
            .into_iter()
            .filter(|artifact| {
                let keep = artifact.verdict.is_problem() || wanted(artifact);
                if !keep {
                    *aside.counts.entry((artifact.verdict, artifact.reason)).or_default() += 1;
                    aside.fixed_keys.extend(self.fixed_key(artifact));
                }
                keep
            })
            .collect();
        self.aside = aside;
    }

    /// Returns the artifact's location as a fixed key, or none if a part of its key is the workflow's name or UID.
    fn fixed_key(&self, artifact: &ArtifactReport) -> Option<FixedKey> {
        let place = artifact.location.as_ref()?;
        let names_it = place.key.split('/').any(|part| part == self.name || part == self.uid);
        (!names_it).then(|| FixedKey(hash(place)))
    }

    /// Returns the verdicts of all artifacts, including those set aside. A verdict may appear more than once.
    pub fn verdicts(&self) -> impl Iterator<Item = Verdict> {
        let shown = self.artifacts.iter().map(|artifact| artifact.verdict);
        shown.chain(self.aside.counts.keys().map(|(verdict, _)| *verdict))
    }
}

fn hash(place: &Location) -> u64 {
    hash_of(place, &place.key)
}

/// Returns the hash of another key in the bucket of a place.
fn hash_of(place: &Location, key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (key, &place.bucket, &place.endpoint, place.engine).hash(&mut hasher);
    hasher.finish()
}

/// The places whose objects were counted already, as hashes: many workflows may write or name one object, whatever
/// its key looks like, and it counts once.
#[derive(Debug, Clone, Default)]
pub struct SeenObjects {
    places: Hashes,
    /// Those of the places that were counted with all that is below them.
    directories: HashSet<u64>,
}

impl SeenObjects {
    /// Returns these artifacts of a workflow, in some order, each with the objects found for it; with none if storage was
    /// not asked, or if they were counted before, alone or with a directory that they are in.
    pub fn first<'a>(
        &mut self,
        artifacts: impl Iterator<Item = &'a ArtifactReport>,
    ) -> Vec<(&'a ArtifactReport, Option<&'a Stored>)> {
        let mut artifacts: Vec<&ArtifactReport> = artifacts.collect();
        // A directory comes before what is in it.
        artifacts.sort_by_key(|artifact| artifact.location.as_ref().map(|place| place.key.len()));
        artifacts.into_iter().map(|artifact| (artifact, self.first_of(artifact))).collect()
    }

    fn first_of<'a>(&mut self, artifact: &'a ArtifactReport) -> Option<&'a Stored> {
        let found = artifact.stored.as_ref()?;
        let Some(place) = &artifact.location else { return Some(found) };
        let is_counted =
            |at| !self.directories.is_empty() && self.directories.contains(&hash_of(place, &place.key[..at]));
        let key = place.key.trim_end_matches('/');
        if key.match_indices('/').any(|(at, _)| is_counted(at)) || !self.places.insert(hash_of(place, key)) {
            return None;
        }
        if artifact.unarchived {
            self.directories.insert(hash_of(place, key));
        }
        Some(found)
    }
}

/// An inspection in progress or done: the counts and the gaps. Assessments themselves pass through to the
/// output one by one, so that memory does not grow with the cluster.
#[derive(Debug, Clone, Default)]
pub struct Inspection {
    pub summary: Summary,
    pub gaps: Vec<Gap>,
    /// Some of the workflows whose nodes their records hide, as `namespace/name`.
    pub unseen_names: Vec<String>,
    /// Keys that name no workflow, by hash, with the first workflow seen to use them: only such keys are
    /// ever shared, and they are few.
    fixed_keys: HashMap<FixedKey, Arc<str>>,
    seen: SeenObjects,
    /// The first failing workflow of each CronWorkflow.
    failing_crons: HashMap<(String, String), String>,
    /// Workflows whose finalizer is stuck for no reason of their own; a workflow of the same CronWorkflow that
    /// is seen later may be the cause.
    waiting: Vec<Assessment>,
}

impl Inspection {
    /// Counts an assessment, adds what only other workflows show, and returns it. A few are held back until
    /// [`Self::finish`].
    pub fn add(&mut self, mut assessment: Assessment) -> Option<Assessment> {
        self.note_shared_keys(&mut assessment);
        if !assessment.cron_workflow.is_empty() && assessment.finalizer == Finalizer::Stuck {
            if assessment.deletion_timestamp.is_some() && is_unexplained(&assessment) {
                self.waiting.push(assessment);
                return None;
            }
            self.failing_crons.entry(cron(&assessment)).or_insert_with(|| assessment.name.clone());
        }
        self.count(&assessment);
        Some(assessment)
    }

    /// Counts the workflows whose nodes, and so their artifacts, can't be seen.
    pub fn unseen(&self) -> u64 {
        Reason::UNSEEN.iter().filter_map(|reason| self.summary.reasons.get(reason.code())).sum()
    }

    /// Returns the assessments that were held back.
    pub fn finish(&mut self) -> Vec<Assessment> {
        let unseen = self.summary.reasons.get(Reason::NodesUnseen.code()).copied().unwrap_or_default();
        if unseen > 0 {
            self.gaps.push(Gap {
                what: format!("the nodes of {unseen} workflow{}", if unseen == 1 { "" } else { "s" }),
                why: "the records do not hold them: they were cut off, or are an archive's list".to_owned(),
                effect: "the artifacts are unknown".to_owned(),
            });
        }
        let mut waiting = std::mem::take(&mut self.waiting);
        for assessment in &mut waiting {
            if let Some(neighbour) = self.failing_crons.get(&cron(assessment)) {
                blame(assessment, neighbour);
            }
            self.count(assessment);
        }
        waiting
    }

    fn count(&mut self, assessment: &Assessment) {
        let summary = &mut self.summary;
        summary.workflows += 1;
        let mut leaking = false;
        let mut count = |verdict: Verdict, reason: Option<Reason>, times: u64| {
            *summary.artifacts.entry(verdict.as_str()).or_default() += times;
            leaking |= verdict <= Verdict::Failing;
            if let Some(reason) = reason {
                *summary.reasons.entry(reason.code()).or_default() += times;
            }
        };
        assessment.artifacts.iter().for_each(|artifact| count(artifact.verdict, artifact.reason, 1));
        let aside = &assessment.aside.counts;
        aside.iter().for_each(|((verdict, reason), times)| count(*verdict, *reason, *times));
        let stored = &mut summary.stored;
        let leaks = assessment.artifacts.iter();
        let leaks =
            leaks.filter(|artifact| artifact.verdict <= Verdict::Failing && artifact.stored.is_some());
        for found in self.seen.first(leaks).into_iter().filter_map(|(_, found)| found) {
            stored.get_or_insert_default().add(found);
        }
        for finding in &assessment.findings {
            leaking |= finding.verdict <= Verdict::Failing;
            let hidden = matches!(finding.reason, Reason::NodesOffloaded | Reason::NodesUnreadable);
            if hidden && self.unseen_names.len() < UNSEEN_NAMES {
                self.unseen_names.push(format!("{}/{}", assessment.namespace, assessment.name));
            }
            *summary.reasons.entry(finding.reason.code()).or_default() += 1;
        }
        summary.leaking_workflows += u64::from(leaking);
        summary.stuck_finalizers += u64::from(assessment.finalizer == Finalizer::Stuck);
    }

    /// Returns the number of artifacts with the verdict.
    pub fn artifacts(&self, verdict: Verdict) -> u64 {
        self.summary.artifacts.get(verdict.as_str()).copied().unwrap_or_default()
    }

    /// Notes keys that an earlier workflow uses too. (The earlier one has been handed on already.)
    fn note_shared_keys(&mut self, assessment: &mut Assessment) {
        let keys: Vec<_> =
            assessment.artifacts.iter().map(|artifact| assessment.fixed_key(artifact)).collect();
        if assessment.aside.fixed_keys.is_empty() && keys.iter().all(Option::is_none) {
            return;
        }
        let this: Arc<str> = format!("{}/{}", assessment.namespace, assessment.name).into();
        for key in assessment.aside.fixed_keys.drain(..) {
            self.fixed_keys.entry(key).or_insert_with(|| Arc::clone(&this));
        }
        for (artifact, key) in assessment.artifacts.iter_mut().zip(keys) {
            let Some(key) = key else { continue };
            let first = self.fixed_keys.entry(key).or_insert_with(|| Arc::clone(&this));
            if *first != this {
                let detail = format!("also {first}");
                // Other nodes of its own workflow may share it too.
                match artifact.notes.iter_mut().find(|note| note.reason == Reason::SharedKey) {
                    Some(note) => note.detail = detail,
                    None => artifact.notes.push(Note { reason: Reason::SharedKey, detail }),
                }
            }
        }
    }
}

fn cron(assessment: &Assessment) -> (String, String) {
    (assessment.namespace.clone(), assessment.cron_workflow.clone())
}

/// Returns true if the controller does not go on, before or after it has processed the strategies, and nothing shows
/// why.
fn is_unexplained(assessment: &Assessment) -> bool {
    let failing = assessment.artifacts.iter().filter(|artifact| artifact.verdict <= Verdict::Failing);
    let mut reasons = failing.map(|artifact| artifact.reason);
    reasons.all(|reason| reason.is_some_and(only_waits))
        && assessment.findings.iter().all(|finding| only_waits(finding.reason))
}

fn only_waits(reason: Reason) -> bool {
    matches!(reason, Reason::Overdue | Reason::NotRecouped)
}

fn blame(assessment: &mut Assessment, neighbour: &str) {
    let evidence = || Evidence::new("failing workflow of the same CronWorkflow", neighbour);
    for artifact in &mut assessment.artifacts {
        if artifact.reason.is_some_and(only_waits) {
            artifact.reason = Some(Reason::CronNeighbour);
            artifact.evidence.push(evidence());
        }
    }
    for finding in &mut assessment.findings {
        finding.reason = Reason::CronNeighbour;
        finding.evidence.push(evidence());
    }
}
