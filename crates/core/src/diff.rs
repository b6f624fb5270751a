//! What changed between two inspections: findings that are new, changed or gone.
//!
//! A finding is an artifact with a problem, or something wrong with a workflow itself. It is new if it is a
//! problem now and was none before, whether it wasn't there or was fine; gone if it was one and is none now.
//! So two documents of which one leaves out what is no problem compare as they should.

pub mod document;

use crate::diff::document::{Code, ParsedInspection};
use crate::model::scope::Scope;
use crate::reason::Reason;
use crate::verdict::Verdict;
use serde::Serialize;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// What became of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// A problem now, and none before.
    New,
    /// A problem in both, with another verdict or reason.
    Changed,
    /// A problem before, and none now.
    Gone,
}

impl ChangeKind {
    pub const ALL: [Self; 3] = [Self::New, Self::Changed, Self::Gone];

    /// The word users type and read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Changed => "changed",
            Self::Gone => "gone",
        }
    }
}

/// What one inspection says of an artifact or workflow.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct State {
    pub verdict: Verdict,
    /// None where the verdict needs none.
    pub reason: Option<Code>,
}

/// One finding that is not as it was.
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
    /// What storage holds of it, as the newer inspection that looked says.
    pub bytes: Option<u64>,
    /// None where it wasn't there.
    pub was: Option<State>,
    /// None where it isn't there.
    pub now: Option<State>,
}

/// Findings of one kind of change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Sum {
    pub findings: u64,
    pub workflows: u64,
    /// Bytes of what was looked up, each place once; none when nothing was.
    pub bytes: Option<u64>,
}

/// What changed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Diff {
    /// By kind, namespace, workflow and place.
    pub changes: Vec<Change>,
    /// Findings that are as they were.
    pub same: u64,
}

impl Diff {
    /// Sums up the changes of a kind.
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
    /// The newer one speaks of it.
    met: bool,
}

/// A comparison in progress: first all of the older inspection is taken in, then the newer one, workflow by
/// workflow. Of what was no problem only hash and verdict are kept.
#[derive(Debug, Default)]
pub struct Comparison {
    problems: HashMap<u128, Problem>,
    fine: HashMap<u128, Verdict>,
    /// Workflows whose nodes the older inspection couldn't see, and why.
    unseen: HashMap<WorkflowKey, Code>,
    /// As the newer one says.
    unseen_now: HashMap<WorkflowKey, Code>,
    diff: Diff,
}

type WorkflowKey = u128;

impl Comparison {
    /// Takes in a workflow of the older inspection.
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

    /// Takes in a workflow of the newer inspection.
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

    /// Ends it. What lies outside of either scope was not compared, and what the newer inspection couldn't see
    /// is unknown rather than gone.
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

/// What is said of a workflow, one by one, with what tells it apart from everything else: the place, for the
/// node that shows it may be another next time.
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

/// Sixteen bytes: of a million things no two are taken for one.
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
    /// A workflow of the same name with another UID is another.
    fn key(&self) -> WorkflowKey {
        hash(&(&self.namespace, &self.name, &self.uid))
    }

    /// Why its nodes can't be seen; none where they can.
    fn unseen(&self) -> Option<Code> {
        let hidden = [Reason::NodesOffloaded, Reason::NodesUnreadable].map(Reason::code);
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
        /// Old problems, less those gone, plus the new ones, are the problems now; the other way round, new and
        /// gone change places.
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
