//! Predicts what concerns a whole workflow: its block, the controller, the service account, and archived logs.

use crate::argo::artifact::{Artifact, Strategy};
use crate::argo::names;
use crate::argo::version::Version;
use crate::lint::model::Makes;
use crate::lint::path::FieldPath;
use crate::lint::root::{Root, about};
use crate::lint::types::{Prediction, Severity};
use crate::lint::walk::Usage;
use crate::model::account::Account;
use crate::reason::Reason;
use std::collections::BTreeSet;

/// The first release with `forceFinalizerRemoval`.
const FORCE: Version = Version(3, 5, 0);

impl<'m> Root<'m> {
    pub fn workflow_level(&self, found: &mut Vec<Prediction>) {
        let (manifest, path) = &self.gc_path;
        if let Strategy::Other(value) = &self.gc.strategy {
            let path = path.key("strategy");
            let detail = format!("{value:?} is neither OnWorkflowCompletion, OnWorkflowDeletion nor Never");
            found.push(about(*manifest, path, Severity::Uncovered, Reason::UnknownStrategy, detail));
        }
        self.controller_level(found);
        self.account_level(found);
        let asked = || self.asked().map(|(_, _, artifact)| artifact);
        let completion = asked().any(|a| *self.strategy(a) == Strategy::OnWorkflowCompletion);
        let deletion = asked().any(|a| *self.strategy(a) == Strategy::OnWorkflowDeletion);
        if self.gc.force_finalizer_removal && completion && deletion && self.settings.version >= FORCE {
            let path = path.key("forceFinalizerRemoval");
            let detail = "the finalizer is removed after the pod of OnWorkflowCompletion, before \
                          OnWorkflowDeletion"
                .to_owned();
            found.push(about(*manifest, path, Severity::Uncovered, Reason::ForceEarly, detail));
        }
        // If a caller was given, the findings on its artifacts say this.
        if self.called_only && self.gc_set && !self.library.referenced.contains(&self.at) {
            let own = &self.library.manifests[self.at].spec;
            let reads = own.gc.as_ref().is_some_and(|gc| gc.strategy.asks_for_collection());
            if reads {
                let detail = "there is no entrypoint, so only templateRef leads here, and for that this block is not read".to_owned();
                found.push(about(
                    self.at,
                    own.gc_path(),
                    Severity::Uncovered,
                    Reason::WftmplLevelIgnored,
                    detail,
                ));
            }
        }
        self.templates_defaults(found);
        self.logs_only(found);
    }

    /// Adds a prediction if archived logs are the only artifacts, which do not cause the finalizer to be set.
    fn logs_only(&self, found: &mut Vec<Prediction>) {
        let logged = self.reach.usages.iter().find(|usage| self.logs(usage.body));
        let Some(logged) = logged.filter(|_| !self.called_only) else { return };
        let (manifest, path) = match (&logged.body.archive_logs, &self.logs_path) {
            (Some(true), _) => (logged.manifest, logged.body.path.key("archiveLocation").key("archiveLogs")),
            (_, Some((at, path))) => (*at, path.clone()),
            _ => (self.at, self.library.manifests[self.at].spec.path.clone()),
        };
        let mut declared = self.reach.usages.iter().flat_map(|usage| &usage.body.artifacts);
        if self.gc.strategy.asks_for_collection() && !self.finalizer {
            if declared.any(|(_, artifact)| self.asks(artifact)) {
                return;
            }
            let detail =
                "no declared artifact has a strategy, and logs don't count for the finalizer".to_owned();
            found.push(about(manifest, path, self.overlooks(), Reason::LogsOnly, detail));
        } else if self.gc.strategy == Strategy::Unset {
            let detail = "archived logs take the workflow's strategy, and it has none".to_owned();
            found.push(about(manifest, path, Severity::Uncovered, Reason::NoStrategy, detail));
        }
    }

    /// Adds the artifacts that `templateDefaults` declares, where nothing else brings the finalizer.
    fn templates_defaults(&self, found: &mut Vec<Prediction>) {
        let defaults = self.tops.iter().flat_map(|at| {
            self.library.manifests[*at]
                .spec
                .defaults
                .iter()
                .map(move |(path, artifact)| (*at, path, artifact))
        });
        for (at, path, artifact) in defaults.filter(|(_, _, artifact)| self.asks(artifact) && !self.finalizer)
        {
            let detail =
                "templateDefaults are merged in at run time, after the controller's first look".to_owned();
            found.push(Prediction {
                artifact: artifact.name.clone(),
                ..about(at, path.clone(), self.overlooks(), Reason::TemplateDefaults, detail)
            });
        }
    }

    /// Returns the artifacts of pods whose collection is asked for, each with its path.
    fn asked(&self) -> impl Iterator<Item = (&Usage<'m>, &'m FieldPath, &'m Artifact)> {
        let pods = self.reach.usages.iter().filter(|usage| usage.body.makes == Makes::Pod);
        let artifacts = pods.flat_map(|usage| {
            let body: &'m _ = usage.body;
            body.artifacts.iter().map(move |(path, artifact)| (usage, path, artifact))
        });
        artifacts.filter(|(_, _, artifact)| self.asks(artifact))
    }

    /// Returns the service account that the GC pod of an artifact runs as; empty for the namespace's default one.
    fn account<'a>(&'a self, artifact: &'a Artifact) -> &'a str {
        let own = artifact.artifact_gc.as_ref().map(|gc| gc.service_account_name.as_str());
        let all = own.into_iter().chain([self.gc.service_account_name.as_str(), &self.gc.patched_account]);
        all.into_iter().find(|name| !name.is_empty()).unwrap_or_default()
    }

    /// Returns the service accounts of all GC pods; none for a template that only others call.
    pub fn accounts(&self) -> Vec<Account> {
        if self.called_only {
            return Vec::new();
        }
        let namespace = &self.library.manifests[self.at].namespace;
        let names: BTreeSet<&str> = self.asked().map(|(_, _, artifact)| self.account(artifact)).collect();
        names.into_iter().map(|name| Account::new(namespace, name)).collect()
    }

    /// Adds what is amiss with the service accounts of GC pods, once for each.
    fn account_level(&self, found: &mut Vec<Prediction>) {
        if self.called_only || self.local.switched_off {
            return;
        }
        let namespace = &self.library.manifests[self.at].namespace;
        let mut told = BTreeSet::new();
        for (usage, path, artifact) in self.asked() {
            let name = self.account(artifact);
            if !told.insert(name) {
                continue;
            }
            let own = artifact.artifact_gc.as_ref().filter(|gc| gc.strategy != Strategy::Unset);
            let named = artifact.artifact_gc.as_ref().is_some_and(|gc| !gc.service_account_name.is_empty());
            let (manifest, place) = match named || own.is_some() || self.gc.strategy == Strategy::Unset {
                true => (usage.manifest, path.key("artifactGC")),
                false => self.gc_path.clone(),
            };
            let (severity, reason, detail) = match self.settings.accounts.get(&Account::new(namespace, name))
            {
                Some(Ok(())) => continue,
                Some(Err(why)) => (Severity::Failing, Reason::GcRbac, why.clone()),
                None if name.is_empty() => (
                    Severity::Note,
                    Reason::DefaultServiceAccount,
                    "the GC pod runs as the namespace's service account \"default\"".to_owned(),
                ),
                None => continue,
            };
            found.push(about(manifest, place, severity, reason, detail));
        }
    }

    /// Adds what the controller is known to do wrong with every collection.
    fn controller_level(&self, found: &mut Vec<Prediction>) {
        if self.called_only {
            return;
        }
        let (manifest, path) = self.gc_path.clone();
        let logged = self.gc.strategy.asks_for_collection()
            && self.reach.usages.iter().any(|usage| self.logs(usage.body));
        if self.local.switched_off && (logged || self.asked().next().is_some()) {
            let detail =
                "the controller's ARGO_ARTIFACT_GC_ENABLED is false, so it collects nothing".to_owned();
            found.push(about(manifest, path, Severity::Uncovered, Reason::FeatureOff, detail));
        } else if !self.local.instance_id.is_empty() && self.finalizer {
            let id = self.local.instance_id;
            let labelled = |artifact: &Artifact| {
                let own = artifact.artifact_gc.as_ref().map(|gc| &gc.pod_metadata.labels);
                let label = own.and_then(|own| own.get(names::INSTANCE_ID));
                label
                    .or_else(|| self.gc.pod_metadata.labels.get(names::INSTANCE_ID))
                    .is_some_and(|label| label == id)
            };
            let plain = self.asked().any(|(_, _, artifact)| !labelled(artifact));
            if plain || logged && !labelled(&Artifact::default()) {
                let detail =
                    format!("the controller has the instance ID {id:?} and never sees its GC pods finish");
                found.push(about(manifest, path, Severity::Failing, Reason::InstanceId, detail));
            }
        }
    }
}
