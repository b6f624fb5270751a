//! Checks the service accounts of GC pods: whether they exist, which permissions they have, and which symptoms
//! this explains.

use crate::doctor::cause::Cause;
use crate::doctor::symptom::{Symptom, symptom};
use crate::model::account::{Account, Standing};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The number of workflows named per account; any others are only counted.
const NAMES: usize = 20;

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
        standing: standings.get(account).cloned().unwrap_or_else(|| Standing {
            why: "no role binding among the files names it".to_owned(),
            ..Standing::default()
        }),
    });
    facts.collect()
}

/// Changes the cause of a symptom to its service account if that explains it. Returns a second symptom if the
/// account's permissions are unknown.
pub(crate) fn refine(symptom: &mut Symptom, account: &Account, standing: &Standing) -> Option<Symptom> {
    if let Some(missing) = standing.absence(account)
        && symptom.cause != Cause::AdmissionRefused
    {
        symptom.cause = Cause::AccountMissing;
        symptom.subject = account.to_string();
        symptom.evidence.insert(0, missing);
        return None;
    }
    let failed = matches!(symptom.cause, Cause::PodFailed | Cause::Rights);
    if !failed {
        return None;
    }
    if let Some(denied) = standing.refusal(account) {
        symptom.cause = Cause::Rights;
        symptom.evidence.retain(|evidence| evidence.field != denied.field);
        symptom.evidence.insert(0, denied);
    }
    if symptom.cause == Cause::Rights {
        symptom.subject = account.to_string();
        return None;
    }
    unchecked(account, standing, &symptom.name)
}

/// Predicts the failure of collections that are still to come.
pub(crate) fn predicted(account: &Account, reliance: &Reliance, standing: &Standing) -> Option<Symptom> {
    let first = reliance.waiting.first()?;
    let about = |cause, evidence| Symptom {
        subject: account.to_string(),
        evidence: vec![evidence],
        account: Some(account.name.clone()),
        ..symptom(cause, &account.namespace, first)
    };
    if let Some(missing) = standing.absence(account) {
        return Some(about(Cause::AccountMissing, missing));
    }
    if let Some(denied) = standing.refusal(account) {
        return Some(about(Cause::Rights, denied));
    }
    unchecked(account, standing, first)
}

fn unchecked(account: &Account, standing: &Standing, workflow: &str) -> Option<Symptom> {
    let evidence = vec![standing.doubt(account)?];
    let account_name = Some(account.name.clone());
    let found = symptom(Cause::RightsUnchecked, &account.namespace, workflow);
    Some(Symptom { evidence, account: account_name, ..found })
}
