//! Corrects the verdicts on collections that are still to come, by what is known of the service accounts of their pods.
//!
//! A page's accounts are known once it is assessed, so this comes after.

use crate::model::account::{Account, Standing};
use crate::model::assessment::Assessment;
use crate::reason::Reason;
use crate::verdict::Verdict;
use std::collections::BTreeSet;

impl Assessment {
    /// Returns the service accounts of the GC pods that are still to do their work.
    pub fn awaited_accounts(&self) -> BTreeSet<Account> {
        let covered = self.artifacts.iter().filter(|artifact| artifact.verdict == Verdict::Covered);
        covered.map(|artifact| Account::new(&self.namespace, &artifact.service_account)).collect()
    }

    /// Turns each coming collection into a failing one if its pod's account does not exist or lacks permissions.
    pub fn foresee(&mut self, standing: impl Fn(&Account) -> Option<Standing>) {
        for account in self.awaited_accounts() {
            let Some(standing) = standing(&account) else { continue };
            let missing =
                standing.absence(&account).map(|evidence| (Reason::ServiceAccountMissing, evidence));
            let denied = || standing.refusal(&account).map(|evidence| (Reason::GcRbac, evidence));
            let Some((reason, evidence)) = missing.or_else(denied) else { continue };
            let own = |name: &str| Account::new("", name).name == account.name;
            let artifacts = self.artifacts.iter_mut().filter(|artifact| artifact.verdict == Verdict::Covered);
            for artifact in artifacts.filter(|artifact| own(&artifact.service_account)) {
                artifact.verdict = Verdict::Failing;
                artifact.reason = Some(reason);
                artifact.evidence.insert(0, evidence.clone());
            }
        }
    }
}
