//! Predicts the outcome for the artifacts of one root: first the finalizer, then the effect of inline
//! templates, then each artifact.

use crate::argo::artifact::{Artifact, ArtifactGc, Strategy};
use crate::argo::version::Version;
use crate::lint::artifact;
use crate::lint::artifact::Place;
use crate::lint::model::{Body, Makes};
use crate::lint::path::FieldPath;
use crate::lint::types::{Manifest, Prediction, Settings, Severity};
use crate::lint::walk::{Library, Missing, Reach, Usage};
use crate::reason::Reason;
use std::collections::HashMap;

/// The first release in which the controller counts declared artifacts, independent of the workflow-level
/// strategy.
const COUNTS_ARTIFACTS: Version = Version(3, 4, 5);

/// The first release with `forceFinalizerRemoval`.
const FORCE: Version = Version(3, 5, 0);

/// One root, with everything it reaches.
pub(crate) struct Root<'m> {
    at: usize,
    /// The manifests whose templates are at the root's top level.
    tops: Vec<usize>,
    library: &'m Library<'m>,
    pub settings: &'m Settings,
    reach: Reach<'m>,
    /// The merged settings: the root's own values first, then the workflow template's.
    gc: ArtifactGc,
    gc_set: bool,
    gc_path: (usize, FieldPath),
    archive_logs: bool,
    logs_path: Option<(usize, FieldPath)>,
    /// True if a workflow template is run as a whole through `workflowTemplateRef`.
    whole: bool,
    /// True if only `templateRef` of other workflows can lead to this root.
    called_only: bool,
    finalizer: bool,
    /// True if a template that was not given may cause the finalizer to be set.
    unseen: bool,
    /// The inline body that makes a strategy fail, by strategy.
    culprits: HashMap<Strategy, String>,
}

/// Returns the predictions for one root.
pub(crate) fn predict<'m>(
    at: usize,
    manifest: &'m Manifest,
    library: &'m Library<'m>,
    settings: &'m Settings,
) -> Vec<Prediction> {
    let roots = library.roots_of(at);
    if let Some(reference) = manifest.spec.template_ref.as_ref().filter(|_| roots.len() == 1) {
        let path = manifest.spec.path.key("workflowTemplateRef");
        let detail = format!("{} was not given, so nothing can be said about its templates", reference.name);
        return vec![about(at, path, Severity::Unknown, Reason::TemplateUnseen, detail)];
    }
    let reach = library.reach(&roots, at);
    let specs: Vec<_> = roots.iter().map(|at| (*at, &library.manifests[*at].spec)).collect();
    let mut gc = ArtifactGc::default();
    let mut gc_path = (at, manifest.spec.gc_path());
    for (from, spec) in &specs {
        let Some(block) = &spec.gc else { continue };
        if gc.strategy == Strategy::Unset && block.strategy != Strategy::Unset {
            gc.strategy = block.strategy.clone();
            gc_path = (*from, spec.gc_path());
        }
        if gc.service_account_name.is_empty() {
            gc.service_account_name.clone_from(&block.service_account_name);
        }
        gc.force_finalizer_removal |= block.force_finalizer_removal;
    }
    let logs = specs.iter().find_map(|(at, spec)| Some((*at, spec, spec.archive_logs?)));
    let entry = specs.iter().any(|(_, spec)| !spec.entrypoint.is_empty());
    let called_only = manifest.kind.is_template() && !entry;
    if called_only && gc.strategy == Strategy::Unset {
        // The caller sets the strategy; the effect of an inline template is the same under every strategy.
        gc.strategy = Strategy::OnWorkflowDeletion;
    }
    let mut root = Root {
        at,
        tops: roots.clone(),
        library,
        settings,
        reach,
        gc_set: specs.iter().any(|(_, spec)| spec.gc.is_some()),
        gc,
        gc_path,
        archive_logs: logs.map_or(settings.archive_logs, |(_, _, logs)| logs),
        logs_path: logs.filter(|(_, _, logs)| *logs).map(|(at, spec, _)| (at, spec.path.key("archiveLogs"))),
        whole: roots.len() > 1 || manifest.kind.is_template(),
        called_only,
        finalizer: false,
        unseen: false,
        culprits: HashMap::new(),
    };
    root.finalizer = root.gets_finalizer(&roots);
    root.unseen = root.reach.missing.iter().any(|missing| !missing.dynamic);
    root.culprits = root.culprits();
    let mut found = Vec::new();
    root.workflow_level(&mut found);
    for usage in &root.reach.usages {
        root.usage(usage, &mut found);
    }
    for missing in &root.reach.missing {
        found.extend(root.missing(missing));
    }
    found
}

pub(crate) fn about(
    manifest: usize,
    path: FieldPath,
    severity: Severity,
    reason: Reason,
    detail: String,
) -> Prediction {
    Prediction {
        manifest,
        path,
        template: String::new(),
        artifact: String::new(),
        severity,
        reason,
        detail,
        reached_from: Vec::new(),
    }
}

impl<'m> Root<'m> {
    /// Returns the effective strategy of an artifact (`docs/argo-gc.md#strategy`).
    fn strategy<'a>(&'a self, artifact: &'a Artifact) -> &'a Strategy {
        match &artifact.artifact_gc {
            Some(own) if own.strategy != Strategy::Unset => &own.strategy,
            _ => &self.gc.strategy,
        }
    }

    fn asks(&self, artifact: &Artifact) -> bool {
        self.strategy(artifact).asks_for_collection()
    }

    /// Returns true if the controller finds something to collect when it first looks
    /// (`docs/argo-gc.md#finalizer`, `#inline-outcomes`).
    fn gets_finalizer(&self, roots: &[usize]) -> bool {
        let manifests = self.library.manifests;
        let mut top = roots.iter().flat_map(|at| &manifests[*at].spec.templates);
        let mut artifacts = top.by_ref().flat_map(|body| &body.artifacts).map(|(_, artifact)| artifact);
        if self.settings.version < COUNTS_ARTIFACTS {
            let own = |artifact: &Artifact| {
                artifact.artifact_gc.as_ref().is_some_and(|gc| gc.strategy.asks_for_collection())
            };
            return self.gc.strategy.asks_for_collection() || artifacts.any(own);
        }
        // Validation stores the templates of workflow templates, including inline bodies to a depth of one
        // level, in later releases two.
        let version = self.settings.version;
        let deeper = version >= Version(3, 5, 6) || (Version(3, 4, 17)..Version(3, 5, 0)).contains(&version);
        let levels = if deeper { 2 } else { 1 };
        let stored = self.reach.usages.iter().filter(|usage| {
            let reached = (usage.referenced || self.whole) && !usage.hook;
            reached && usage.inline <= levels
        });
        artifacts.any(|artifact| self.asks(artifact))
            || stored.flat_map(|usage| &usage.body.artifacts).any(|(_, artifact)| self.asks(artifact))
    }

    /// Returns true if the pod's logs become an artifact.
    fn logs(&self, body: &Body) -> bool {
        body.makes == Makes::Pod && body.archive_logs.unwrap_or(self.archive_logs)
    }

    fn workflow_level(&self, found: &mut Vec<Prediction>) {
        let (manifest, path) = &self.gc_path;
        if let Strategy::Other(value) = &self.gc.strategy {
            let path = path.key("strategy");
            let detail = format!("{value:?} is neither OnWorkflowCompletion, OnWorkflowDeletion nor Never");
            found.push(about(*manifest, path, Severity::Uncovered, Reason::UnknownStrategy, detail));
        }
        let usages = || self.reach.usages.iter().filter(|usage| usage.body.makes == Makes::Pod);
        let asked = || usages().flat_map(|usage| &usage.body.artifacts).filter(|(_, a)| self.asks(a));
        let unnamed = |artifact: &Artifact| {
            artifact.artifact_gc.as_ref().is_none_or(|gc| gc.service_account_name.is_empty())
        };
        let first = asked().find(|(_, artifact)| unnamed(artifact));
        if let Some((_, artifact)) = first
            && self.gc.service_account_name.is_empty()
            && !self.called_only
        {
            let own = artifact.artifact_gc.as_ref().is_some_and(|gc| gc.strategy != Strategy::Unset);
            let usage = usages().find(|u| u.body.artifacts.iter().any(|(_, a)| std::ptr::eq(a, artifact)));
            let place = match usage {
                Some(usage) if own || self.gc.strategy == Strategy::Unset => {
                    let path = usage.body.artifacts.iter().find(|(_, a)| std::ptr::eq(a, artifact));
                    path.map(|(path, _)| (usage.manifest, path.key("artifactGC")))
                }
                _ => None,
            };
            let (manifest, path) = place.unwrap_or_else(|| self.gc_path.clone());
            let detail = "the GC pod runs as the namespace's service account \"default\"".to_owned();
            found.push(about(manifest, path, Severity::Note, Reason::DefaultServiceAccount, detail));
        }
        let completion = asked().any(|(_, a)| *self.strategy(a) == Strategy::OnWorkflowCompletion);
        let deletion = asked().any(|(_, a)| *self.strategy(a) == Strategy::OnWorkflowDeletion);
        if self.gc.force_finalizer_removal && completion && deletion && self.settings.version >= FORCE {
            let path = path.key("forceFinalizerRemoval");
            let detail = "the finalizer goes with the pod of OnWorkflowCompletion, before OnWorkflowDeletion"
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

    fn usage(&self, usage: &Usage<'m>, found: &mut Vec<Prediction>) {
        let body = usage.body;
        // Steps and DAGs only repeat the artifacts of their pods.
        if body.makes == Makes::Graph {
            return;
        }
        let mut push = |path: &FieldPath, artifact: &str, place: Place| {
            found.push(Prediction {
                template: body.name.clone(),
                artifact: artifact.to_owned(),
                ..about(usage.manifest, path.clone(), place.severity, place.reason, place.detail)
            });
        };
        for (path, artifact) in &body.artifacts {
            if let Some(place) = self.chain(usage, artifact) {
                push(path, &artifact.name, place);
            }
            // Without a strategy the driver is never called.
            if self.asks(artifact) {
                for (fields, place) in artifact::storage(self.settings, body, artifact) {
                    let path = fields.iter().fold(path.clone(), |path, field| path.key(field));
                    push(&path, &artifact.name, place);
                }
            }
        }
        let poisoned = usage.inline > 0 && self.logs(body) && self.finalizer;
        if poisoned
            && self.gc.strategy.asks_for_collection()
            && !body.artifacts.iter().any(|(_, a)| self.asks(a))
        {
            let strategy = &self.gc.strategy;
            let detail = format!("its archived logs spoil {strategy} for the whole workflow");
            push(&body.path, "main-logs", Place::failing(Reason::InlinePoison, detail));
        }
    }

    /// Returns the first link of the chain that breaks, up to the GC pod.
    fn chain(&self, usage: &Usage<'m>, artifact: &Artifact) -> Option<Place> {
        let strategy = self.strategy(artifact);
        let version = self.settings.version;
        match strategy {
            Strategy::Never => return None,
            Strategy::Unset => return Some(self.unasked(usage, artifact)),
            Strategy::Other(value) => {
                // A strategy of the workflow is reported only once, at its block.
                let own = artifact.artifact_gc.as_ref().is_some_and(|gc| gc.strategy != Strategy::Unset);
                let detail = format!("{value:?} is no strategy that Argo knows");
                return own.then(|| Place::uncovered(Reason::UnknownStrategy, detail));
            }
            _ => {}
        }
        if version < Version(3, 4, 0) {
            return Some(Place::uncovered(Reason::ControllerTooOld, format!("{version} collects nothing")));
        }
        if usage.body.makes == Makes::Other {
            let detail = "it makes no pod, and only pods' artifacts are looked for".to_owned();
            return Some(Place::uncovered(Reason::NonPodNode, detail));
        }
        if !self.finalizer {
            return Some(self.overlooked(usage));
        }
        let whole = self.whole && !self.called_only;
        let unresolved = (version < Version(3, 4, 4) && (whole || usage.referenced))
            || (version == Version(3, 4, 4) && whole && usage.referenced);
        if unresolved {
            let detail = format!("{version} does not find templates behind references");
            return Some(Place::failing(Reason::Wftref34, detail));
        }
        if usage.inline > 0 {
            let detail = format!(
                "its node has no template name, so {strategy} ends with an error and nothing is deleted"
            );
            return Some(Place::failing(Reason::InlinePoison, detail));
        }
        let culprit = self.culprits.get(strategy)?;
        let detail = format!("the inline template {:?} spoils {strategy} for the whole workflow", culprit);
        Some(Place::failing(Reason::InlinePoison, detail))
    }

    /// Returns for each strategy the first inline body that has something to collect under it
    /// (`docs/argo-gc.md#inline-templates`).
    fn culprits(&self) -> HashMap<Strategy, String> {
        let mut culprits = HashMap::new();
        let inline =
            self.reach.usages.iter().filter(|usage| usage.inline > 0 && usage.body.makes == Makes::Pod);
        for usage in inline {
            let declared = usage.body.artifacts.iter().map(|(_, artifact)| self.strategy(artifact));
            let logs = self.logs(usage.body).then_some(&self.gc.strategy);
            for strategy in declared.chain(logs).filter(|strategy| strategy.asks_for_collection()) {
                culprits.entry(strategy.clone()).or_insert_with(|| usage.body.name.clone());
            }
        }
        culprits
    }

    fn unasked(&self, usage: &Usage<'m>, artifact: &Artifact) -> Place {
        if artifact.artifact_gc.is_some() {
            let detail = "its artifactGC sets no strategy, and neither does the workflow's".to_owned();
            return Place::uncovered(Reason::ArtifactBlockWithoutStrategy, detail);
        }
        let home = &self.library.manifests[usage.manifest].spec;
        let ignored = home.gc.as_ref().is_some_and(|gc| gc.strategy.asks_for_collection());
        if usage.referenced && ignored {
            let detail = format!(
                "{} reaches it by templateRef, where the artifactGC of {} is not read",
                self.library.manifests[self.at], self.library.manifests[usage.manifest]
            );
            return Place::uncovered(Reason::WftmplLevelIgnored, detail);
        }
        Place::uncovered(
            Reason::NoStrategy,
            "neither the artifact nor the workflow sets a strategy".to_owned(),
        )
    }

    /// Returns the reason why the controller finds nothing to collect when it first looks.
    fn overlooked(&self, usage: &Usage<'m>) -> Place {
        if usage.inline > 0 {
            let detail =
                "only inline templates have artifacts to collect, and the controller does not look there";
            return Place::uncovered(Reason::InlineOnly, detail.to_owned());
        }
        if usage.hook {
            let detail =
                "only a hook's templateRef leads to artifacts, and the controller does not follow it";
            return Place {
                severity: self.overlooks(),
                reason: Reason::HookTemplateref,
                detail: detail.to_owned(),
            };
        }
        let detail = "the controller's first look finds no artifact to collect".to_owned();
        Place { severity: self.overlooks(), reason: Reason::NotSpecified, detail }
    }

    /// Returns the severity of an absent finalizer, which depends on whether all templates were given.
    fn overlooks(&self) -> Severity {
        if self.unseen { Severity::Unknown } else { Severity::Uncovered }
    }

    fn missing(&self, missing: &Missing) -> Option<Prediction> {
        let Missing { manifest, path, template, target, dynamic } = missing;
        let prediction = |severity, reason, detail| Prediction {
            template: template.clone(),
            ..about(*manifest, path.clone(), severity, reason, detail)
        };
        if !dynamic {
            let detail = format!("{target} was not given, so nothing can be said about its artifacts");
            return Some(prediction(Severity::Unknown, Reason::TemplateUnseen, detail));
        }
        if self.finalizer {
            return None;
        }
        let detail = format!("{target} is only known at run time, and nothing else brings the finalizer");
        let asked = self.gc.strategy.asks_for_collection() && !self.called_only;
        let severity = if asked { self.overlooks() } else { Severity::Unknown };
        Some(prediction(severity, Reason::DynamicTemplateref, detail))
    }
}
