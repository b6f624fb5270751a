//! Compares two inspections and lists the findings that are new, changed or gone.
//!
//! A finding is an artifact with a problem, or a problem of a workflow itself. It is new if it is a problem now
//! and was not one before, either because it did not exist or because it was fine. It is gone if it was a
//! problem and is not one now. So it does not matter if one of the two documents leaves out artifacts without a
//! problem.

pub mod document;
pub mod lint;

use crate::diff::document::{Code, ParsedInspection};
use crate::model::scope::Scope;
use crate::reason::Reason;
use crate::verdict::Verdict;
use serde::Serialize;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// The kind of change of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// The finding is a problem now and was not one before.
    New,
    /// The finding is a problem in both inspections, with another verdict or reason.
    Changed,
    /// The finding was a problem before and is not one now.
    Gone,
}

impl ChangeKind {
    pub const ALL: [Self; 3] = [Self::New, Self::Changed, Self::Gone];

    /// Returns the word that users type and read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Changed => "changed",
            Self::Gone => "gone",
        }
    }
}

/// The state of an artifact or workflow in one inspection.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct State {
    pub verdict: Verdict,
    /// The reason; none if the verdict needs none.
    pub reason: Option<Code>,
}

/// A finding that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    pub change: ChangeKind,
    pub namespace: Arc<str>,
    pub workflow: Arc<str>,
    pub uid: Arc<str>,
    /// Name of the artifact; none for a finding about the workflow itself.
    pub artifact: Option<String>,
    /// Display name of its node.
    pub node: Option<String>,
    pub location: Option<String>,
    /// The artifact's bytes in storage, according to the newest inspection that asked storage.
    pub bytes: Option<u64>,
    /// The old state; none if the finding did not exist.
    pub was: Option<State>,
    /// The new state; none if the finding no longer exists.
    pub now: Option<State>,
}

/// The sums of one kind of change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Sum {
    pub findings: u64,
    pub workflows: u64,
    /// The bytes in storage, with each place counted once; none when storage was not asked.
    pub bytes: Option<u64>,
}

/// The result of a comparison.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Diff {
    /// The changes, sorted by kind, namespace, workflow and place.
    pub changes: Vec<Change>,
    /// The number of findings that did not change.
    pub same: u64,
}

impl Diff {
    /// Returns the sums of one kind of change.
    pub fn sum(&self, kind: ChangeKind) -> Sum {
        let mut sum = Sum::default();
        let (mut workflows, mut places) = (BTreeSet::new(), HashSet::new());
        for change in self.changes.iter().filter(|change| change.change == kind) {
            sum.findings += 1;
            workflows.insert((&change.namespace, &change.workflow, &change.uid));
            let first = change.location.as_ref().is_none_or(|place| places.insert(place));
            if let Some(bytes) = change.bytes.filter(|_| first) {
                sum.bytes = Some(sum.bytes.unwrap_or_default() + bytes);
            }
        }
        sum.workflows = workflows.len() as u64;
        sum
    }

    pub fn has(&self, kind: ChangeKind) -> bool {
        self.changes.iter().any(|change| change.change == kind)
    }
}

/// A problem of the older inspection.
#[derive(Debug)]
struct Problem {
    change: Change,
    key: WorkflowKey,
    /// True if the newer inspection contains it as well.
    met: bool,
}

/// A comparison in progress, which reads first the whole older inspection and then the newer one, workflow by
/// workflow. Only hash and verdict are kept of an artifact without a problem.
#[derive(Debug, Default)]
pub struct Comparison {
    problems: HashMap<u128, Problem>,
    fine: HashMap<u128, Verdict>,
    /// Workflows whose nodes the older inspection could not see, with the reason.
    unseen: HashMap<WorkflowKey, Code>,
    /// Workflows whose nodes the newer inspection could not see, with the reason.
    unseen_now: HashMap<WorkflowKey, Code>,
    diff: Diff,
}

type WorkflowKey = u128;

/// Returns the identity of a workflow, as a hash. A workflow of the same name with another UID is a different one.
pub fn identity(namespace: &str, name: &str, uid: &str) -> u128 {
    hash(&(namespace, name, uid))
}

impl Comparison {
    /// Adds a workflow of the older inspection.
    pub fn take_old(&mut self, told: ParsedInspection) {
        let key = told.key();
        self.unseen.extend(told.unseen().map(|code| (key, code)));
        for (identity, change) in changes(told) {
            match &change.now {
                Some(state) if state.verdict.is_problem() => {
                    let change = Change { was: change.now.clone(), now: None, ..change };
                    self.problems.insert(identity, Problem { change, key, met: false });
                }
                Some(state) => {
                    self.fine.insert(identity, state.verdict);
                }
                None => {}
            }
        }
    }

    /// Adds a workflow of the newer inspection.
    pub fn take_new(&mut self, told: ParsedInspection) {
        let key = told.key();
        self.unseen_now.extend(told.unseen().map(|code| (key, code)));
        for (identity, mut change) in changes(told) {
            let Some(now) = &change.now else { continue };
            let known = self.problems.get_mut(&identity);
            if let Some(known) = known {
                known.met = true;
                change.was.clone_from(&known.change.was);
                change.bytes = change.bytes.or(known.change.bytes);
                if change.was == change.now {
                    self.diff.same += 1;
                    continue;
                }
                let problem = now.verdict.is_problem();
                change.change = if problem { ChangeKind::Changed } else { ChangeKind::Gone };
            } else if now.verdict.is_problem() {
                change.was = match (self.fine.get(&identity), self.unseen.get(&key)) {
                    (Some(verdict), _) => Some(State { verdict: *verdict, reason: None }),
                    (None, Some(code)) if change.artifact.is_some() => {
                        change.change = ChangeKind::Changed;
                        Some(State { verdict: Verdict::Unknown, reason: Some(code.clone()) })
                    }
                    _ => None,
                };
            } else {
                continue;
            }
            self.diff.changes.push(change);
        }
    }

    /// Ends the comparison. Findings outside of either scope are not compared, and a finding that the newer
    /// inspection could not see is unknown, not gone.
    pub fn finish(mut self, old: &Scope, new: &Scope) -> Diff {
        for Problem { mut change, key, .. } in self.problems.into_values().filter(|problem| !problem.met) {
            change.change = ChangeKind::Gone;
            if let Some(code) = self.unseen_now.get(&key).filter(|_| change.artifact.is_some()) {
                change.change = ChangeKind::Changed;
                change.now = Some(State { verdict: Verdict::Unknown, reason: Some(code.clone()) });
                if change.was == change.now {
                    self.diff.same += 1;
                    continue;
                }
            }
            self.diff.changes.push(change);
        }
        let mut diff = self.diff;
        diff.changes.retain(|change| old.holds(&change.namespace) && new.holds(&change.namespace));
        diff.changes.sort_by(|a, b| order(a).cmp(&order(b)));
        diff
    }
}

fn order(change: &Change) -> impl Ord + '_ {
    let Change { change: kind, namespace, workflow, location, node, artifact, .. } = change;
    (*kind, namespace, workflow, location, node, artifact, &change.was, &change.now)
}

/// Returns the findings and artifacts of a workflow, each with its identity. An artifact is identified by its
/// place, because the node that shows it may be another one next time.
fn changes(told: ParsedInspection) -> Vec<(u128, Change)> {
    let key = told.key();
    let ParsedInspection { namespace, name, uid, artifacts, findings } = told;
    let (namespace, workflow, uid): (Arc<str>, Arc<str>, Arc<str>) =
        (namespace.into(), name.into(), uid.into());
    let change = |verdict, reason| Change {
        change: ChangeKind::New,
        namespace: Arc::clone(&namespace),
        workflow: Arc::clone(&workflow),
        uid: Arc::clone(&uid),
        artifact: None,
        node: None,
        location: None,
        bytes: None,
        was: None,
        now: Some(State { verdict, reason }),
    };
    let mut used = HashSet::new();
    let mut found = Vec::with_capacity(artifacts.len() + findings.len());
    for artifact in artifacts {
        let location = artifact.location.map(|place| place.uri);
        let mut identity = match &location {
            Some(uri) => hash(&(key, "at", uri)),
            None => hash(&(key, "of", &artifact.node_id, &artifact.name)),
        };
        while !used.insert(identity) {
            identity = identity.wrapping_add(1);
        }
        let change = Change {
            artifact: Some(artifact.name),
            node: Some(artifact.node),
            location,
            bytes: artifact.stored.map(|stored| stored.bytes),
            ..change(artifact.verdict, artifact.reason)
        };
        found.push((identity, change));
    }
    for finding in findings {
        let identity = hash(&(key, "finding", finding.reason.as_str()));
        found.push((identity, change(finding.verdict, Some(finding.reason))));
    }
    found
}

/// Hashes a value to sixteen bytes, so that a collision among a million values is practically impossible.
fn hash(value: &impl Hash) -> u128 {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        hasher.write_u8(salt);
        value.hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}

impl ParsedInspection {
    fn key(&self) -> WorkflowKey {
        identity(&self.namespace, &self.name, &self.uid)
    }

    /// Returns the reason why the workflow's nodes can't be seen; none if they can.
    fn unseen(&self) -> Option<Code> {
        let hidden = Reason::UNSEEN.map(Reason::code);
        self.findings
            .iter()
            .map(|finding| &finding.reason)
            .find(|code| hidden.contains(&code.as_str()))
            .cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::document;
    use crate::diff::document::{Code, ParsedInspection, ToldArtifact, ToldFinding};
    use crate::model::scope::Scope;
    use crate::reason::Reason;
    use crate::verdict::Verdict;
    use proptest::prelude::*;
    use std::slice;

    fn told(
        name: &str,
        artifacts: &[(&str, Verdict, Option<Reason>)],
        findings: &[Reason],
    ) -> ParsedInspection {
        ParsedInspection {
            namespace: "ml".into(),
            name: name.into(),
            uid: format!("uid-{name}"),
            artifacts: artifacts
                .iter()
                .map(|(key, verdict, reason)| ToldArtifact {
                    name: "out".into(),
                    node: "step".into(),
                    node_id: "n".into(),
                    verdict: *verdict,
                    reason: reason.map(|reason| Code::from(reason.code())),
                    location: Some(document::Place { uri: format!("gs://b/{key}") }),
                    stored: Some(document::StoredBytes { bytes: 10 }),
                })
                .collect(),
            findings: findings
                .iter()
                .map(|reason| ToldFinding { verdict: Verdict::Unknown, reason: reason.code().into() })
                .collect(),
        }
    }

    fn diff(old: &[ParsedInspection], new: &[ParsedInspection]) -> Diff {
        let mut comparison = Comparison::default();
        old.iter().cloned().for_each(|told| comparison.take_old(told));
        new.iter().cloned().for_each(|told| comparison.take_new(told));
        comparison.finish(&Scope::default(), &Scope::default())
    }

    fn lines(diff: &Diff) -> Vec<String> {
        let state = |state: &Option<State>| {
            state.as_ref().map_or("-".to_owned(), |state| {
                format!("{}:{}", state.verdict.as_str(), state.reason.as_ref().map_or("", Code::as_str))
            })
        };
        let line = |change: &Change| {
            let place = change.location.as_deref().unwrap_or("workflow");
            format!("{} {place} {} {}", change.change.as_str(), state(&change.was), state(&change.now))
        };
        diff.changes.iter().map(line).collect()
    }

    #[test]
    fn a_finding_is_new_changed_or_gone() {
        use Verdict::{Collected, Covered, Failing, Uncovered};
        let (inline, poison) = (Some(Reason::InlineOnly), Some(Reason::InlinePoison));
        let old = told(
            "a",
            &[
                ("same", Uncovered, inline),
                ("turned", Uncovered, inline),
                ("mended", Failing, poison),
                ("purged", Uncovered, inline),
                ("broke", Covered, None),
                ("fine", Covered, None),
            ],
            &[],
        );
        let new = told(
            "a",
            &[
                ("same", Uncovered, inline),
                ("turned", Failing, poison),
                ("mended", Collected, None),
                ("broke", Failing, poison),
                ("fine", Collected, None),
                ("added", Uncovered, inline),
                ("added-fine", Covered, None),
            ],
            &[],
        );
        let found = diff(&[old, told("b", &[("b", Uncovered, inline)], &[])], &[new]);
        assert_eq!(
            lines(&found),
            [
                "new gs://b/added - uncovered:inline-only",
                "new gs://b/broke covered: failing:inline-poison",
                "changed gs://b/turned uncovered:inline-only failing:inline-poison",
                "gone gs://b/mended failing:inline-poison collected:",
                "gone gs://b/purged uncovered:inline-only -",
                "gone gs://b/b uncovered:inline-only -",
            ]
        );
        assert_eq!(found.same, 1);
        assert_eq!(found.sum(ChangeKind::Gone), Sum { findings: 3, workflows: 2, bytes: Some(30) });
    }

    #[test]
    fn what_can_not_be_seen_is_not_gone() {
        let seen = told("a", &[("x", Verdict::Uncovered, Some(Reason::InlineOnly))], &[]);
        let hidden = told("a", &[], &[Reason::NodesOffloaded]);
        assert_eq!(
            lines(&diff(slice::from_ref(&seen), slice::from_ref(&hidden))),
            [
                "new workflow - unknown:nodes-offloaded",
                "changed gs://b/x uncovered:inline-only unknown:nodes-offloaded"
            ]
        );
        assert_eq!(
            lines(&diff(&[hidden], &[seen])),
            [
                "changed gs://b/x unknown:nodes-offloaded uncovered:inline-only",
                "gone workflow unknown:nodes-offloaded -"
            ]
        );
    }

    #[test]
    fn a_recreated_workflow_is_another_one_and_other_namespaces_are_not_compared() {
        let old = told("a", &[("x", Verdict::Uncovered, Some(Reason::InlineOnly))], &[]);
        let new = ParsedInspection { uid: "other".into(), ..old.clone() };
        assert_eq!(lines(&diff(slice::from_ref(&old), &[new])).len(), 2);
        let mut comparison = Comparison::default();
        comparison.take_old(ParsedInspection { namespace: "ci".into(), ..old.clone() });
        comparison.take_old(old);
        let of_ml = Scope { namespace: Some("ml".into()), ..Scope::default() };
        let found = comparison.finish(&Scope::default(), &of_ml);
        assert_eq!(lines(&found), ["gone gs://b/x uncovered:inline-only -"]);
    }

    #[test]
    fn bytes_at_one_place_count_once() {
        let old = told("a", &[("x", Verdict::Uncovered, Some(Reason::InlineOnly))], &[]);
        let found = diff(&[], &[old.clone(), ParsedInspection { name: "b".into(), ..old }]);
        let want = Sum { findings: 2, workflows: 2, bytes: Some(10) };
        assert_eq!(found.sum(ChangeKind::New), want);
    }

    fn any_told() -> impl Strategy<Value = Vec<ParsedInspection>> {
        let verdict = proptest::sample::select(Verdict::ALL.to_vec());
        let artifact =
            ("[a-d]", verdict, proptest::option::of(proptest::sample::select(Reason::ALL.to_vec())));
        let workflow = ("[a-c]", proptest::collection::vec(artifact, 0..5)).prop_map(|(name, artifacts)| {
            let mut artifacts: Vec<(&str, Verdict, Option<Reason>)> =
                artifacts.iter().map(|(key, verdict, reason)| (key.as_str(), *verdict, *reason)).collect();
            artifacts.sort_by_key(|(key, ..)| *key);
            artifacts.dedup_by_key(|(key, ..)| *key);
            told(&name, &artifacts, &[])
        });
        proptest::collection::vec(workflow, 0..4).prop_map(|mut told| {
            told.sort_by(|a, b| a.name.cmp(&b.name));
            told.dedup_by(|a, b| a.name == b.name);
            told
        })
    }

    proptest! {
        /// The old problems minus the gone ones plus the new ones are the problems now. In the reverse
        /// comparison new and gone are swapped.
        #[test]
        fn the_sums_add_up(old in any_told(), new in any_told()) {
            let problems = |told: &[ParsedInspection]| {
                let all = told.iter().flat_map(|told| &told.artifacts);
                all.filter(|artifact| artifact.verdict.is_problem()).count() as u64
            };
            let (forth, back) = (diff(&old, &new), diff(&new, &old));
            let count = |diff: &Diff, kind| diff.sum(kind).findings;
            let gone = count(&forth, ChangeKind::Gone);
            prop_assert_eq!(problems(&old) - gone + count(&forth, ChangeKind::New), problems(&new));
            prop_assert_eq!(gone, count(&back, ChangeKind::New));
            prop_assert_eq!(count(&forth, ChangeKind::Changed), count(&back, ChangeKind::Changed));
            prop_assert_eq!(forth.same, back.same);
            prop_assert!(diff(&new, &new).changes.is_empty());
        }
    }
}
