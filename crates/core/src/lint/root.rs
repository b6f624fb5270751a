//! Predicts the outcome for the artifacts of one root: first the finalizer, then the effect of inline
//! templates, then each artifact.

use crate::argo::artifact::{Artifact, ArtifactGc, Strategy};
use crate::argo::version::Version;
use crate::lint::artifact;
use crate::lint::artifact::Place;
use crate::lint::keys::Written;
use crate::lint::model::{Body, Makes};
use crate::lint::path::FieldPath;
use crate::lint::settings::{Local, Settings};
use crate::lint::types::{Prediction, Severity};
use crate::lint::walk::{Library, Missing, Reach, Usage};
use crate::reason::Reason;
use std::collections::HashMap;

/// The first release in which the controller counts declared artifacts, independent of the workflow-level
/// strategy.
const COUNTS_ARTIFACTS: Version = Version(3, 4, 5);

/// One root, with everything it reaches.
pub(crate) struct Root<'m> {
    pub at: usize,
    /// The manifests whose templates are at the root's top level.
    pub tops: Vec<usize>,
    pub library: &'m Library<'m>,
    pub settings: &'m Settings,
    /// What counts of the settings.
    pub local: Local<'m>,
    pub reach: Reach<'m>,
    /// The merged settings: the root's own values first, then the workflow template's, then the controller's defaults.
    pub gc: ArtifactGc,
    pub gc_set: bool,
    pub gc_path: (usize, FieldPath),
    pub archive_logs: bool,
    pub logs_path: Option<(usize, FieldPath)>,
    /// True if a workflow template is run as a whole through `workflowTemplateRef`.
    whole: bool,
    /// True if only `templateRef` of other workflows can lead to this root.
    pub called_only: bool,
    pub finalizer: bool,
    /// True if a template that was not given may cause the finalizer to be set.
    unseen: bool,
    /// The inline body that makes a strategy fail, by strategy.
    culprits: HashMap<Strategy, String>,
    pub written: Written,
}

/// Returns the predictions for one root.
pub(crate) fn predict(at: usize, library: &Library<'_>, settings: &Settings) -> Vec<Prediction> {
    if let Some(root) = Root::new(at, library, settings) {
        return root.predictions();
    }
    let spec = &library.manifests[at].spec;
    let name = spec.template_ref.as_ref().map(|reference| reference.name.as_str()).unwrap_or_default();
    let path = spec.path.key("workflowTemplateRef");
    let detail = format!("{name} was not given, so nothing can be said about its templates");
    vec![about(at, path, Severity::Unknown, Reason::TemplateUnseen, detail)]
}

impl<'m> Root<'m> {
    /// Follows a root; returns none if the template that it runs was not given.
    pub fn new(at: usize, library: &'m Library<'m>, settings: &'m Settings) -> Option<Self> {
        let manifest = &library.manifests[at];
        let tops = library.roots_of(at);
        if manifest.spec.template_ref.is_some() && tops.len() == 1 {
            return None;
        }
        let reach = library.reach(&tops, at);
        let specs: Vec<_> = tops.iter().map(|at| (*at, &library.manifests[*at].spec)).collect();
        let references: Vec<_> = specs.iter().filter_map(|(_, spec)| spec.repository.as_ref()).collect();
        let local = settings.local(&manifest.namespace, &manifest.instance_id, &references);
        let mut gc = ArtifactGc::default();
        let mut gc_path = (at, manifest.spec.gc_path());
        for (from, spec) in &specs {
            let Some(block) = &spec.gc else { continue };
            if gc.strategy == Strategy::Unset && block.strategy != Strategy::Unset {
                gc_path = (*from, spec.gc_path());
            }
            merge(&mut gc, block);
        }
        if let Some(block) = local.defaults.and_then(|spec| spec.gc.as_ref()) {
            merge(&mut gc, block);
        }
        let logs = specs.iter().find_map(|(at, spec)| Some((*at, spec, spec.archive_logs?)));
        let entry = specs.iter().any(|(_, spec)| !spec.entrypoint.is_empty());
        let called_only = manifest.kind.is_template() && !entry;
        if called_only && gc.strategy == Strategy::Unset {
            // The caller sets the strategy; the effect of an inline template is the same under every strategy.
            gc.strategy = Strategy::OnWorkflowDeletion;
        }
        let by_default = local.defaults.and_then(|spec| spec.archive_logs);
        let by_repository = || local.repository.is_some_and(|repository| repository.archive_logs);
        let mut root = Root {
            at,
            library,
            settings,
            gc_set: specs.iter().any(|(_, spec)| spec.gc.is_some()),
            gc,
            gc_path,
            archive_logs: logs.map(|(_, _, logs)| logs).or(by_default).unwrap_or_else(by_repository),
            logs_path: logs
                .filter(|(_, _, logs)| *logs)
                .map(|(at, spec, _)| (at, spec.path.key("archiveLogs"))),
            whole: tops.len() > 1 || manifest.kind.is_template(),
            tops,
            local,
            called_only,
            finalizer: false,
            unseen: reach.missing.iter().any(|missing| !missing.dynamic),
            reach,
            culprits: HashMap::new(),
            written: Written::default(),
        };
        root.finalizer = root.gets_finalizer();
        root.culprits = root.culprits();
        root.written = root.written(|artifact| root.asks(artifact));
        Some(root)
    }

    fn predictions(&self) -> Vec<Prediction> {
        let mut found = Vec::new();
        self.workflow_level(&mut found);
        for usage in &self.reach.usages {
            self.usage(usage, &mut found);
        }
        for missing in &self.reach.missing {
            found.extend(self.missing(missing));
        }
        found
    }
}

/// Fills what is not set from a block of less weight.
fn merge(gc: &mut ArtifactGc, block: &ArtifactGc) {
    if gc.strategy == Strategy::Unset {
        gc.strategy.clone_from(&block.strategy);
    }
    if gc.service_account_name.is_empty() {
        gc.service_account_name.clone_from(&block.service_account_name);
    }
    gc.force_finalizer_removal |= block.force_finalizer_removal;
    if gc.patched_account.is_empty() {
        gc.patched_account.clone_from(&block.patched_account);
    }
    for (label, value) in &block.pod_metadata.labels {
        gc.pod_metadata.labels.entry(label.clone()).or_insert_with(|| value.clone());
    }
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
    pub fn strategy<'a>(&'a self, artifact: &'a Artifact) -> &'a Strategy {
        match &artifact.artifact_gc {
            Some(own) if own.strategy != Strategy::Unset => &own.strategy,
            _ => &self.gc.strategy,
        }
    }

    pub fn asks(&self, artifact: &Artifact) -> bool {
        self.strategy(artifact).asks_for_collection()
    }

    /// Returns true if the controller finds something to collect when it first looks
    /// (`docs/argo-gc.md#finalizer`, `#inline-outcomes`).
    fn gets_finalizer(&self) -> bool {
        let manifests = self.library.manifests;
        let mut top = self.tops.iter().flat_map(|at| &manifests[*at].spec.templates);
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
    pub fn logs(&self, body: &Body) -> bool {
        body.makes == Makes::Pod && body.archive_logs.unwrap_or(self.archive_logs)
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
                let again = self.again(&self.written, usage, artifact);
                for (fields, place) in artifact::storage(&self.local, body, artifact, again) {
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
            let detail = format!("its archived logs stop {strategy} for the whole workflow");
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
        if self.local.switched_off {
            // This is told once, at the block.
            return None;
        }
        if usage.body.makes == Makes::Other {
            let detail = "it creates no pod, and only pods' artifacts are collected".to_owned();
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
        let detail = format!("the inline template {:?} stops {strategy} for the whole workflow", culprit);
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
    pub fn overlooks(&self) -> Severity {
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
        let detail = format!(
            "{target} is only known at run time, and nothing else makes the controller add \
             the finalizer"
        );
        let asked = self.gc.strategy.asks_for_collection() && !self.called_only;
        let severity = if asked { self.overlooks() } else { Severity::Unknown };
        Some(prediction(severity, Reason::DynamicTemplateref, detail))
    }
}
