//! Groups the symptoms of many workflows by cause.

use crate::doctor::account::Reliance;
use crate::doctor::cause::Cause;
use crate::doctor::members::{GroupMembers, Name, NamedObject};
use crate::doctor::purges::Purges;
use crate::doctor::repair;
use crate::doctor::step::Repair;
use crate::doctor::symptom::Symptom;
use crate::model::account::Account;
use crate::model::assessment::Evidence;
use crate::model::context::Context;
use crate::reason::Reason;
use serde::Serialize;
use std::collections::BTreeMap;

/// The amount of evidence kept per group; that of the first workflow suffices as an example.
const EVIDENCE: usize = 4;

/// One cause, with all workflows it affects.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    pub cause: Cause,
    pub title: &'static str,
    pub why: &'static str,
    /// The particular subject: a service account, a secret, a reason's code.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// The number of affected workflows.
    pub workflows: u64,
    /// The number of affected workflows that are stuck until somebody acts.
    pub stuck: u64,
    /// The number of affected artifacts; zero if the cause is not about single artifacts.
    pub artifacts: u64,
    /// The names of the workflows; only the first of those whose collection is still to come.
    pub names: Vec<Name>,
    /// The codes of the reasons, each with an entry in the catalogue.
    pub reasons: Vec<Reason>,
    /// The evidence of the first workflow.
    pub evidence: Vec<Evidence>,
    pub repairs: Vec<Repair>,
}

#[derive(Debug, Default)]
pub(crate) struct Groups(BTreeMap<(Cause, String), GroupMembers>);

impl Groups {
    pub fn add(&mut self, symptom: Symptom) {
        let Symptom { cause, subject, namespace, name, .. } = symptom;
        let members = self.0.entry((cause, subject)).or_default();
        if let Some(account) = symptom.account {
            members.accounts.insert(Account::new(&namespace, &account));
        }
        if let Some(object) = symptom.object {
            let (namespace, workflow) = (namespace.clone(), name.clone());
            members.objects.insert(NamedObject { namespace, workflow, object });
        }
        let name = Name { namespace, name };
        members.folders.entry(name.clone()).or_default().absorb(&symptom.folders);
        *members.workflows.entry(name).or_default() |= symptom.stuck;
        members.artifacts += symptom.artifacts;
        members.reasons.extend(symptom.reasons);
        members.detail = symptom.detail;
        if members.evidence.is_empty() {
            members.evidence = symptom.evidence;
        }
    }

    /// Adds a symptom for all workflows that rely on an account.
    pub fn add_many(&mut self, symptom: Symptom, reliance: &Reliance) {
        let namespace = symptom.namespace.clone();
        let key = (symptom.cause, symptom.subject.clone());
        self.add(symptom);
        let members = self.0.entry(key).or_default();
        members.more += reliance.more;
        for name in &reliance.waiting {
            let name = Name { namespace: namespace.clone(), name: name.clone() };
            members.workflows.entry(name).or_default();
        }
    }

    pub fn finish(self, context: &Context, purges: Purges<'_>) -> Vec<Group> {
        let groups = self.0.into_iter().map(|((cause, subject), members)| {
            let repairs = repair::of(cause, &subject, &members, context, purges);
            let GroupMembers { workflows, more, artifacts, reasons, mut evidence, .. } = members;
            evidence.truncate(EVIDENCE);
            Group {
                cause,
                title: cause.title(),
                why: cause.why(),
                subject,
                workflows: workflows.len() as u64 + more,
                stuck: workflows.values().filter(|stuck| **stuck).count() as u64,
                artifacts,
                names: workflows.into_keys().collect(),
                reasons: reasons.into_iter().collect(),
                evidence,
                repairs,
            }
        });
        groups.collect()
    }
}
