//! Symptoms of one cause over many workflows.

use crate::doctor::account::Reliance;
use crate::doctor::cause::Cause;
use crate::doctor::members::{GroupMembers, Name};
use crate::doctor::repair;
use crate::doctor::repair::Repair;
use crate::doctor::symptom::Symptom;
use crate::model::assessment::Evidence;
use crate::model::context::Context;
use crate::reason::Reason;
use serde::Serialize;
use std::collections::BTreeMap;

/// Evidence kept of a group: that of its first workflow says how to see it.
const EVIDENCE: usize = 4;

/// One cause, with all that suffer from it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    pub cause: Cause,
    pub title: &'static str,
    pub why: &'static str,
    /// What in particular: a service account, a secret, a reason's code.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// Workflows concerned.
    pub workflows: u64,
    /// Those of them that stay as they are until somebody acts.
    pub stuck: u64,
    /// Artifacts concerned, as far as single ones are.
    pub artifacts: u64,
    /// The workflows; of those that only wait for their turn, the first.
    pub names: Vec<Name>,
    /// Codes that `kubectl argo-gc explain` knows more of.
    pub reasons: Vec<Reason>,
    /// What shows it, of the first workflow.
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
            members.accounts.insert((namespace.clone(), account));
        }
        if let Some(object) = symptom.object {
            members.objects.insert((namespace.clone(), name.clone(), object));
        }
        *members.workflows.entry(Name { namespace, name }).or_default() |= symptom.stuck;
        members.artifacts += symptom.artifacts;
        members.reasons.extend(symptom.reasons);
        members.detail = symptom.detail;
        if members.evidence.is_empty() {
            members.evidence = symptom.evidence;
        }
    }

    /// A symptom of all that rely on an account.
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

    pub fn finish(self, context: &Context) -> Vec<Group> {
        let groups = self.0.into_iter().map(|((cause, subject), members)| {
            let repairs = repair::of(cause, &subject, &members, context);
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
