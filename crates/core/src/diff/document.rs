//! The parts of an Inspection document that a comparison needs.

use crate::model::assessment::Assessment;
use crate::model::gap::Gap;
use crate::model::scope::Scope;
use crate::reason::Reason;
use crate::verdict::Verdict;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The code of a reason; the unknown code of another release is kept as it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(Cow<'static, str>);

impl Code {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Code {
    fn from(code: &str) -> Self {
        Self(Reason::from_code(code).map_or_else(|| code.to_owned().into(), |reason| reason.code().into()))
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from(&*String::deserialize(deserializer)?))
    }
}

/// A workflow in an Inspection document.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct ParsedInspection {
    pub namespace: String,
    pub name: String,
    #[serde(default)]
    pub uid: String,
    pub artifacts: Vec<ToldArtifact>,
    pub findings: Vec<ToldFinding>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ToldArtifact {
    pub name: String,
    pub node: String,
    pub node_id: String,
    pub verdict: Verdict,
    pub reason: Option<Code>,
    pub location: Option<Place>,
    pub stored: Option<StoredBytes>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Place {
    pub uri: String,
}

#[derive(Debug, Clone, Copy, Deserialize)]
pub struct StoredBytes {
    pub bytes: u64,
}

#[derive(Debug, Clone, Deserialize)]
pub struct ToldFinding {
    pub verdict: Verdict,
    pub reason: Code,
}

impl From<&Assessment> for ParsedInspection {
    fn from(assessment: &Assessment) -> Self {
        let code = |reason: Reason| Code(reason.code().into());
        let artifacts = assessment.artifacts.iter().map(|artifact| ToldArtifact {
            name: artifact.name.clone(),
            node: artifact.node.clone(),
            node_id: artifact.node_id.clone(),
            verdict: artifact.verdict,
            reason: artifact.reason.map(code),
            location: artifact.location.as_ref().map(|location| Place { uri: location.to_string() }),
            stored: artifact.stored.as_ref().map(|stored| StoredBytes { bytes: stored.bytes }),
        });
        let findings = assessment.findings.iter();
        Self {
            namespace: assessment.namespace.clone(),
            name: assessment.name.clone(),
            uid: assessment.uid.clone(),
            artifacts: artifacts.collect(),
            findings: findings
                .map(|finding| ToldFinding { verdict: finding.verdict, reason: code(finding.reason) })
                .collect(),
        }
    }
}

/// An Inspection document without its workflows.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Head {
    pub generated_at: Timestamp,
    pub source: Scope,
    pub gaps: Vec<Gap>,
    /// The number of artifacts by verdict according to the document's summary.
    #[serde(skip)]
    pub counted: BTreeMap<String, u64>,
    /// The number of artifacts by verdict that the document lists; it may leave some out.
    #[serde(skip)]
    pub listed: BTreeMap<&'static str, u64>,
    /// True if storage was asked; none if there was nothing to ask about.
    #[serde(skip)]
    pub checked: Option<bool>,
}

impl Head {
    /// Counts the listed artifacts of a workflow.
    pub fn count(&mut self, told: &ParsedInspection) {
        for artifact in &told.artifacts {
            *self.listed.entry(artifact.verdict.as_str()).or_default() += 1;
            *self.checked.get_or_insert_default() |= artifact.stored.is_some();
        }
    }

    /// Returns the reasons to doubt a comparison with a `later` inspection, as sentences without a full stop.
    /// `names` are the names of the two documents.
    pub fn doubts(&self, later: &Self, names: [&str; 2]) -> Vec<String> {
        let mut doubts = Vec::new();
        let both = [(self, names[0], "new"), (later, names[1], "gone")];
        if self.generated_at > later.generated_at {
            doubts.push(format!("{} was made after {}: are they the wrong way round?", names[0], names[1]));
        }
        if let (Some(old), Some(new)) = (&self.source.server, &later.source.server)
            && old != new
        {
            doubts.push(format!("they are of different clusters, {old} and {new}"));
        }
        if self.source.namespace != later.source.namespace {
            let of = |scope: &Scope| {
                scope
                    .namespace
                    .as_ref()
                    .map_or("all namespaces".to_owned(), |name| format!("namespace {name}"))
            };
            let (old, new) = (of(&self.source), of(&later.source));
            doubts.push(format!("one is of {old}, the other of {new}: only what both cover is compared"));
        }
        for (head, name, seems) in both {
            if head.source.filtered {
                doubts.push(format!("{name} has selected workflows only: what it leaves out seems {seems}"));
            }
            let lacks = |verdict: &&Verdict| {
                let counted = head.counted.get(verdict.as_str()).copied().unwrap_or_default();
                counted > head.listed.get(verdict.as_str()).copied().unwrap_or_default()
            };
            let lacking: Vec<&str> = Verdict::ALL
                .iter()
                .filter(|verdict| verdict.is_problem())
                .filter(lacks)
                .map(|v| v.as_str())
                .collect();
            if !lacking.is_empty() {
                let lacking = lacking.join(", ");
                doubts.push(format!(
                    "{name} does not list all artifacts that are {lacking}: they seem {seems}"
                ));
            }
            if !head.gaps.is_empty() {
                let count = head.gaps.len();
                let gaps = if count == 1 { "a gap".to_owned() } else { format!("{count} gaps") };
                doubts.push(format!("{name} has {gaps}: what it could not see may seem {seems}"));
            }
        }
        if let (Some(old), Some(new)) = (self.checked, later.checked)
            && old != new
        {
            doubts.push("only one was made with --check, which finds more".to_owned());
        }
        doubts
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::model::gap::Gap;

    #[test]
    fn heads_that_do_not_match_are_told() {
        let time = |text: &str| text.parse().unwrap();
        let old = Head { generated_at: time("2026-11-01T00:00:00Z"), ..Head::default() };
        let new = Head { generated_at: time("2026-11-02T00:00:00Z"), ..Head::default() };
        assert_eq!(old.doubts(&new, ["A", "B"]), [""; 0]);
        assert!(new.doubts(&old, ["A", "B"])[0].contains("wrong way round"));
        let mut partial = new.clone();
        partial.counted.insert("failing".into(), 2);
        partial.source.filtered = true;
        partial.source.namespace = Some("ml".into());
        let gap = Gap { what: "x".into(), why: "y".into(), effect: "z".into() };
        partial.gaps.push(gap);
        let doubts = old.doubts(&partial, ["A", "B"]);
        assert_eq!(doubts.len(), 4, "{doubts:#?}");
        assert!(doubts[1].starts_with("B has selected workflows only"), "{doubts:#?}");
        assert!(doubts[2].contains("artifacts that are failing: they seem gone"), "{doubts:#?}");
    }
}
