//! Checks the service accounts of GC pods: whether they exist, which permissions they have, and which symptoms
//! this explains.

use crate::doctor::cause::Cause;
use crate::doctor::symptom::{Account, Symptom, symptom};
use crate::model::assessment::Evidence;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The number of workflows named per account; any others are only counted.
const NAMES: usize = 20;

/// An answer of the server, which may be unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    Yes,
    No,
    #[default]
    Unknown,
}

impl From<bool> for Answer {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

impl Answer {
    /// Returns the word that users read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Unknown => "unknown",
        }
    }
}

/// The facts about a service account: whether it exists, and has the permissions that a GC pod needs
/// (`docs/argo-gc.md#gc-pod`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    pub exists: Answer,
    /// Permission to `list` workflowartifactgctasks.
    pub list: Answer,
    /// Permission to `watch` workflowartifactgctasks.
    pub watch: Answer,
    /// Permission to `patch` workflowartifactgctasks/status.
    pub patch_status: Answer,
    /// The reason why an answer is unknown; empty if none is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
}

impl Standing {
    fn not_asked() -> Self {
        Self { why: "files hold no permissions".to_owned(), ..Self::default() }
    }

    /// Returns the permissions that the account certainly lacks.
    fn lacks(&self) -> Vec<&'static str> {
        let rights = [
            (self.list, "list workflowartifactgctasks"),
            (self.watch, "watch workflowartifactgctasks"),
            (self.patch_status, "patch workflowartifactgctasks/status"),
        ];
        rights.into_iter().filter(|(answer, _)| *answer == Answer::No).map(|(_, right)| right).collect()
    }

    fn is_unknown(&self) -> bool {
        [self.list, self.watch, self.patch_status].contains(&Answer::Unknown)
    }

    fn is_missing(&self) -> bool {
        self.exists == Answer::No
    }
}

/// The workflows that rely on a service account.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reliance {
    /// The first workflows whose collection is still to come, by name.
    pub waiting: BTreeSet<String>,
    /// The number of further workflows whose collection is still to come.
    pub more: u64,
    /// Workflows whose collection failed.
    used: BTreeSet<String>,
    /// The name counted last.
    last: String,
}

impl Reliance {
    /// Counts a workflow whose collection is still to come.
    pub fn rely(&mut self, workflow: &str) {
        // The artifacts of one workflow arrive together, so remembering the last name is enough to count each
        // workflow once.
        if self.waiting.contains(workflow) {
            return;
        }
        if self.waiting.len() < NAMES {
            self.waiting.insert(workflow.to_owned());
        } else if self.last != workflow {
            self.more += 1;
        }
        workflow.clone_into(&mut self.last);
    }

    /// Counts a workflow whose collection failed.
    pub fn used(&mut self, workflow: &str) {
        self.used.insert(workflow.to_owned());
    }

    fn workflows(&self) -> u64 {
        let both = self.waiting.union(&self.used).count();
        both as u64 + self.more
    }
}

/// The facts about one service account, for output.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountFacts {
    pub namespace: String,
    pub name: String,
    /// Workflows whose GC pods run, or would run, as this account.
    pub workflows: u64,
    #[serde(flatten)]
    pub standing: Standing,
}

pub(crate) fn facts(
    accounts: &BTreeMap<Account, Reliance>,
    standings: &BTreeMap<Account, Standing>,
) -> Vec<AccountFacts> {
    let facts = accounts.iter().map(|(account, reliance)| AccountFacts {
        namespace: account.namespace.clone(),
        name: account.name.clone(),
        workflows: reliance.workflows(),
        standing: standings.get(account).cloned().unwrap_or_else(Standing::not_asked),
    });
    facts.collect()
}

/// Changes the cause of a symptom to its service account if that explains it. Returns a second symptom if the
/// account's permissions are unknown.
pub(crate) fn refine(symptom: &mut Symptom, account: &Account, standing: &Standing) -> Option<Symptom> {
    let lacks = standing.lacks();
    if standing.is_missing() && symptom.cause != Cause::AdmissionRefused {
        symptom.cause = Cause::AccountMissing;
        symptom.subject = subject(account);
        symptom.evidence.insert(0, missing(account));
        return None;
    }
    let failed = matches!(symptom.cause, Cause::PodFailed | Cause::Rights);
    if !failed {
        return None;
    }
    if !lacks.is_empty() {
        symptom.cause = Cause::Rights;
        symptom.evidence.insert(0, denied(account, &lacks));
    }
    if symptom.cause == Cause::Rights {
        symptom.subject = subject(account);
        return None;
    }
    standing.is_unknown().then(|| unchecked(account, standing, &symptom.name))
}

/// Predicts the failure of collections that are still to come.
pub(crate) fn predicted(account: &Account, reliance: &Reliance, standing: &Standing) -> Option<Symptom> {
    let first = reliance.waiting.first()?;
    let lacks = standing.lacks();
    let about = |cause, evidence| Symptom {
        subject: subject(account),
        evidence: vec![evidence],
        account: Some(account.name.clone()),
        ..symptom(cause, &account.namespace, first)
    };
    if standing.is_missing() {
        return Some(about(Cause::AccountMissing, missing(account)));
    }
    if !lacks.is_empty() {
        return Some(about(Cause::Rights, denied(account, &lacks)));
    }
    standing.is_unknown().then(|| unchecked(account, standing, first))
}

fn unchecked(account: &Account, standing: &Standing, workflow: &str) -> Symptom {
    Symptom {
        evidence: vec![Evidence::new(review(account), format!("not checked: {}", standing.why))],
        account: Some(account.name.clone()),
        ..symptom(Cause::RightsUnchecked, &account.namespace, workflow)
    }
}

fn missing(account: &Account) -> Evidence {
    Evidence::new(format!("ServiceAccount/{} in {}", account.name, account.namespace), "does not exist")
}

fn denied(account: &Account, lacks: &[&str]) -> Evidence {
    Evidence::new(review(account), format!("may not {}", lacks.join(", ")))
}

fn review(account: &Account) -> String {
    format!("access review of service account {}", subject(account))
}

fn subject(Account { namespace, name }: &Account) -> String {
    format!("{namespace}/{name}")
}
