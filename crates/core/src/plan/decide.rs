//! Decides object by object which candidates are deleted and which are kept.

use crate::model::bucket::Bucket;
use crate::model::object::{ObjectFacts, is_safe, is_within};
use crate::model::protection::Protection;
use crate::plan::claim::Claimant;
use crate::plan::named::Needs;
use crate::plan::planned::{KeptObject, PlannedObject, PlannedWorkflow};
use crate::plan::planned_keys::PlannedKey;
use crate::plan::references::Released;
use crate::plan::retention::RetentionDecision;
use crate::plan::retention::newest::Newest;
use crate::plan::rules::Rules;
use crate::reason::Reason;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

/// An artifact that the user asked to purge and that passed all guards that need no storage.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Candidate {
    pub name: Box<str>,
    pub node_id: Box<str>,
    /// The verdict's reason code.
    pub reason: Cow<'static, str>,
    pub bucket: Bucket,
    pub key: Box<str>,
    /// True if the artifact was saved without archiving, so it may be a directory.
    pub unarchived: bool,
    /// True if the key ends with a slash: then an object of the bare name belongs to somebody else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub only_below: bool,
}

/// A key in a bucket that is known by its name only, as in references.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NamedKey {
    pub bucket: Box<str>,
    pub key: Box<str>,
}

impl NamedKey {
    pub(crate) fn new(bucket: &str, key: &str) -> Self {
        Self { bucket: bucket.into(), key: key.into() }
    }
}

/// A selected workflow with its candidates, before storage is asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Selected {
    pub plan: PlannedWorkflow,
    pub candidates: Vec<Candidate>,
    /// Other locations the workflow gives up: those that Argo recorded as deleted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given_up: Vec<NamedKey>,
    /// The keys that the workflow gives up in one storage but keeps in another. References know
    /// only names, so these are not given up.
    #[serde(default, skip_serializing_if = "HashSet::is_empty")]
    pub(crate) kept_elsewhere: HashSet<NamedKey>,
    pub(crate) started_at: Option<Timestamp>,
    /// The decision of the retention policy, if there is a policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound: Option<RetentionDecision>,
}

/// A protection with its detail.
pub(crate) struct Objection {
    pub(crate) protection: Protection,
    pub(crate) detail: String,
}

impl Objection {
    pub(crate) fn new(protection: Protection, detail: impl Into<String>) -> Self {
        Self { protection, detail: detail.into() }
    }

    /// Returns the objection as something that is kept.
    pub(crate) fn keep(self, location: String, artifact: &str) -> KeptObject {
        let Self { protection, detail } = self;
        KeptObject { location, artifact: artifact.to_owned(), protection, detail }
    }
}

impl Candidate {
    /// Returns the artifact as what texts are searched for. `plan` is that of its workflow.
    pub fn planned_key<'a>(&'a self, plan: &'a PlannedWorkflow) -> PlannedKey<'a> {
        let (bucket, key) = (self.bucket.name(), &*self.key);
        PlannedKey { bucket, key, workflow: &plan.name, uid: &plan.uid }
    }

    /// Returns the address of the artifact.
    pub fn uri(&self) -> String {
        self.bucket.uri(&self.key)
    }
}

impl Selected {
    /// Returns true if there is anything to ask storage about.
    pub fn has_candidates(&self) -> bool {
        !self.candidates.is_empty()
    }

    /// Adds what this workflow gives up to `released`.
    pub fn release(&self, released: &mut Released) {
        if self.candidates.is_empty() {
            return;
        }
        let uid = &self.plan.uid;
        released.workflow(uid);
        let mut place = |bucket: &str, key: &str| {
            if self.kept_elsewhere.is_empty() || !self.kept_elsewhere.contains(&NamedKey::new(bucket, key)) {
                released.place(uid, bucket, key);
            }
        };
        for candidate in &self.candidates {
            place(candidate.bucket.name(), &candidate.key);
        }
        for NamedKey { bucket, key } in &self.given_up {
            place(bucket, key);
        }
    }

    /// Drops all candidates if the retention policy keeps the workflow. It then gives up nothing, so that what
    /// it refers to is kept as well.
    pub fn retain(&mut self, newest: &Newest) {
        let Some(bound) = self.bound.take() else { return };
        let Some(detail) = bound.keeps(self.plan.finished_at, newest) else { return };
        if !self.has_candidates() && !self.plan.release_finalizer {
            // Either a guard already keeps the workflow, or it has nothing to delete.
            return;
        }
        self.candidates.clear();
        self.given_up.clear();
        self.plan.release_finalizer = false;
        let (location, artifact) = (String::new(), String::new());
        self.plan.keep = vec![KeptObject { location, artifact, protection: Protection::Retained, detail }];
    }

    /// Decides which of the objects that storage lists for one candidate are deleted.
    pub fn decide(&mut self, at: usize, mut objects: Vec<ObjectFacts>, needs: Needs<'_>, rules: &Rules) {
        let Some(candidate) = self.candidates.get(at) else { return };
        let Candidate { bucket, key, only_below, .. } = candidate;
        objects.retain(|object| !*only_below || *object.key != **key);
        if objects.is_empty() {
            // Argo has recorded its deletion, so its absence needs no other record.
            if candidate.reason == Reason::DeletedButPresent.code() {
                return;
            }
            self.plan.absent.push(candidate.uri());
            return;
        }
        let (artifact, node_id): (Arc<str>, Arc<str>) =
            (candidate.name.as_ref().into(), candidate.node_id.as_ref().into());
        let directory: Arc<str> = key.as_ref().into();
        for facts in objects {
            debug_assert!(is_within(&facts.key, key));
            let objection = if !is_within(&facts.key, key) || !is_safe(facts.key.trim_end_matches('/')) {
                Some(Objection::new(
                    Protection::NoCertainLocation,
                    "the storage listed it, but it is no part of the artifact",
                ))
            } else {
                self.object(&facts, candidate, needs, rules)
            };
            match objection {
                Some(objection) => {
                    self.plan.keep.push(objection.keep(bucket.uri(&facts.key), &candidate.name));
                }
                None => self.plan.delete.push(PlannedObject {
                    // The sets of sharers are numbered over the whole plan.
                    shared_with: None,
                    bucket: bucket.clone(),
                    artifact_key: (*facts.key != **key).then(|| Arc::clone(&directory)),
                    key: facts.key.into(),
                    generation: facts.generation.into(),
                    size: facts.size,
                    created: facts.created,
                    storage_class: facts.storage_class,
                    crc32c: facts.crc32c.into(),
                    artifact: Arc::clone(&artifact),
                    node_id: Arc::clone(&node_id),
                    reason: candidate.reason.clone(),
                }),
            }
        }
    }

    /// Returns the reason why the object must be kept, if there is one.
    fn object(
        &self,
        facts: &ObjectFacts,
        candidate: &Candidate,
        needs: Needs<'_>,
        rules: &Rules,
    ) -> Option<Objection> {
        if let Some(hold) = &facts.held {
            return Some(Objection::new(Protection::Held, hold));
        }
        // What is in a directory may have the shape that the directory's own key is too short for.
        if let Some(objection) = claimed(rules, (&self.plan).into(), &candidate.bucket, &facts.key) {
            return Some(objection);
        }
        let bucket = candidate.bucket.name();
        let Needs { references, released, named } = needs;
        if let Some(holder) = references.holder_within(bucket, &facts.key, &candidate.key, released) {
            return Some(Objection::new(Protection::Referenced, format!("by {}", holder.name)));
        }
        if let Some(mention) = named.mention(&candidate.planned_key(&self.plan)) {
            return Some(Objection::new(Protection::Referenced, mention.detail()));
        }
        if let Some(holder) = rules.elsewhere.holder(&facts.key) {
            let detail = format!("by {holder} of another cluster, which is pinned or not finished");
            return Some(Objection::new(Protection::Referenced, detail));
        }
        let Some(created) = facts.created else { return Some(Objection::new(Protection::AgeUnknown, "")) };
        let written = || format!("written {created}");
        if self.plan.finished_at.is_none_or(|end| created.duration_since(end) > rules.margin) {
            return Some(Objection::new(Protection::NewerThanRun, written()));
        }
        if self.started_at.is_none_or(|start| start.duration_since(created) > rules.margin) {
            return Some(Objection::new(Protection::OlderThanRun, written()));
        }
        None
    }
}

/// Returns the objection to a key that is another namespace's or workflow's by the format of its repository's keys.
pub(crate) fn claimed(
    rules: &Rules,
    claimant: Claimant<'_>,
    bucket: &Bucket,
    key: &str,
) -> Option<Objection> {
    let format = rules.allowed.format_of_another(claimant, bucket, key)?;
    Some(Objection::new(Protection::ForeignKey, format))
}

#[cfg(test)]
mod tests;
