//! Compares the findings of two lint reports. A finding is the same one wherever it is in a file: edits move lines.

use crate::diff::ChangeKind;
use crate::lint::types::Severity;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::hash::Hash;

/// A finding of a lint report.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LintFinding {
    #[serde(flatten)]
    pub identity: Identity,
    pub severity: Severity,
    pub why: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u64>,
    pub field: String,
}

/// What distinguishes a finding from others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    pub kind: String,
    #[serde(default)]
    pub namespace: String,
    pub name: String,
    #[serde(default)]
    pub template: String,
    #[serde(default)]
    pub artifact: String,
    pub code: String,
}

/// A finding that is new, has another severity, or is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LintChange {
    pub change: ChangeKind,
    /// The earlier severity; none if it was not found.
    pub was: Option<Severity>,
    /// The later severity; none if it is not found.
    pub now: Option<Severity>,
    /// The later finding if there is one.
    pub finding: LintFinding,
}

/// The result of a comparison.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LintDiff {
    /// By kind of change, then as the reports have them.
    pub changes: Vec<LintChange>,
    /// The number of findings that did not change.
    pub same: u64,
}

/// Compares the findings of an earlier and a later report.
pub fn compare(old: &[LintFinding], new: &[LintFinding]) -> LintDiff {
    let known = pairs(old, new);
    let mut met = vec![false; old.len()];
    let mut diff = LintDiff::default();
    for (finding, known) in new.iter().zip(&known) {
        let was = known.map(|at| {
            met[at] = true;
            old[at].severity
        });
        let change = match was {
            None => ChangeKind::New,
            Some(was) if was == finding.severity => {
                diff.same += 1;
                continue;
            }
            Some(_) => ChangeKind::Changed,
        };
        let (now, finding) = (Some(finding.severity), finding.clone());
        diff.changes.push(LintChange { change, was, now, finding });
    }
    for (finding, _) in old.iter().zip(met).filter(|(_, met)| !met) {
        let (was, finding) = (Some(finding.severity), finding.clone());
        diff.changes.push(LintChange { change: ChangeKind::Gone, was, now: None, finding });
    }
    diff.changes.sort_by_key(|change| change.change);
    diff
}

/// Returns for each later finding whether the earlier report lacks it, or has it as less severe.
pub fn added(old: &[LintFinding], new: &[LintFinding]) -> Vec<bool> {
    let known = pairs(old, new);
    let added = new.iter().zip(known).map(|(finding, known)| match known {
        None => true,
        // The worst comes first.
        Some(at) => finding.severity < old[at].severity,
    });
    added.collect()
}

/// Returns for each later finding the place of the earlier one that it is. Several alike are paired one to one, first
/// those of the same severity.
fn pairs(old: &[LintFinding], new: &[LintFinding]) -> Vec<Option<usize>> {
    let mut paired = vec![None; new.len()];
    let mut met = vec![false; old.len()];
    pair(old, new, &mut paired, &mut met, |finding| (&finding.identity, finding.severity));
    pair(old, new, &mut paired, &mut met, |finding| &finding.identity);
    paired
}

fn pair<'f, K: Hash + Eq>(
    old: &'f [LintFinding],
    new: &'f [LintFinding],
    paired: &mut [Option<usize>],
    met: &mut [bool],
    key: impl Fn(&'f LintFinding) -> K,
) {
    let mut waiting: HashMap<K, Vec<usize>> = HashMap::new();
    for (at, finding) in old.iter().enumerate().rev().filter(|(at, _)| !met[*at]) {
        waiting.entry(key(finding)).or_default().push(at);
    }
    for (finding, partner) in new.iter().zip(paired).filter(|(_, partner)| partner.is_none()) {
        *partner = waiting.get_mut(&key(finding)).and_then(Vec::pop);
        if let Some(at) = *partner {
            met[at] = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(artifact: &str, code: &str, severity: Severity, line: u64) -> LintFinding {
        let identity = Identity {
            kind: "Workflow".into(),
            namespace: String::new(),
            name: "w".into(),
            template: "t".into(),
            artifact: artifact.into(),
            code: code.into(),
        };
        let (why, field) = (String::new(), String::new());
        LintFinding { identity, severity, why, file: None, line: Some(line), column: Some(1), field }
    }

    #[test]
    fn lines_may_move_and_equals_are_counted() {
        use Severity::{Failing, Note, Uncovered};
        let old = [
            finding("a", "no-strategy", Uncovered, 1),
            finding("a", "no-strategy", Uncovered, 2),
            finding("b", "shared-key", Note, 3),
            finding("c", "gcs-missing", Note, 4),
        ];
        let new = [
            finding("a", "no-strategy", Uncovered, 10),
            finding("c", "gcs-missing", Failing, 11),
            finding("d", "no-strategy", Uncovered, 12),
        ];
        let lines = |diff: &LintDiff| {
            let line = |change: &LintChange| {
                let severity = |severity: Option<Severity>| severity.map_or("-", Severity::as_str);
                let artifact = &change.finding.identity.artifact;
                format!(
                    "{} {artifact} {} {}",
                    change.change.as_str(),
                    severity(change.was),
                    severity(change.now)
                )
            };
            diff.changes.iter().map(line).collect::<Vec<_>>()
        };
        let diff = compare(&old, &new);
        let changes = ["new d - uncovered", "changed c note failing", "gone a uncovered -", "gone b note -"];
        assert_eq!((lines(&diff), diff.same), (changes.map(str::to_owned).to_vec(), 1));
        assert_eq!(added(&old, &new), [false, true, true]);
        assert_eq!(added(&new, &old), [false, true, true, false]);
        assert_eq!(compare(&old, &old), LintDiff { changes: Vec::new(), same: 4 });
    }
}
