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

    /// Returns the reasons to doubt a comparison with a `later` inspection.
    pub fn doubts(&self, later: &Self) -> Vec<Doubt> {
        let mut doubts = Vec::new();
        if self.generated_at > later.generated_at {
            doubts.push(Doubt::WrongWayRound);
        }
        if let (Some(old), Some(new)) = (&self.source.server, &later.source.server)
            && old != new
        {
            doubts.push(Doubt::OtherCluster { old: old.clone(), new: new.clone() });
        }
        let (old, new) = (&self.source.namespace, &later.source.namespace);
        if old != new {
            doubts.push(Doubt::OtherNamespace { old: old.clone(), new: new.clone() });
        }
        for (head, side) in [(self, Side::Old), (later, Side::New)] {
            if head.source.filtered {
                doubts.push(Doubt::Filtered(side));
            }
            let unlisted = head.unlisted();
            if !unlisted.is_empty() {
                doubts.push(Doubt::Unlisted(side, unlisted));
            }
            if !head.gaps.is_empty() {
                doubts.push(Doubt::Gaps(side, head.gaps.len()));
            }
        }
        if let (Some(old), Some(new)) = (self.checked, later.checked)
            && old != new
        {
            doubts.push(Doubt::OneChecked);
        }
        doubts
    }

    /// Returns the verdicts that are problems and of which the document counts more artifacts than it lists.
    fn unlisted(&self) -> Vec<Verdict> {
        let lacks = |verdict: &Verdict| {
            let counted = self.counted.get(verdict.as_str()).copied().unwrap_or_default();
            counted > self.listed.get(verdict.as_str()).copied().unwrap_or_default()
        };
        Verdict::ALL.into_iter().filter(|verdict| verdict.is_problem()).filter(lacks).collect()
    }
}

/// One of the two inspections of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Old,
    New,
}

/// A reason to doubt a comparison of two inspections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    /// The old inspection was made after the new one.
    WrongWayRound,
    /// They are of two API servers.
    OtherCluster { old: String, new: String },
    /// They are of two namespaces; none stands for all.
    OtherNamespace { old: Option<String>, new: Option<String> },
    /// The inspection has selected workflows only.
    Filtered(Side),
    /// The inspection does not list all artifacts of these verdicts.
    Unlisted(Side, Vec<Verdict>),
    /// The inspection has gaps, so many.
    Gaps(Side, usize),
    /// Storage was asked for one of them only.
    OneChecked,
}
