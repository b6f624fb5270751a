//! Judges artifacts of a workflow without the finalizer, by the reason why it is absent
//! (`docs/argo-gc.md#finalizer`).

use crate::argo::artifact::Artifact;
use crate::argo::names;
use crate::argo::template::Template;
use crate::argo::version::Version;
use crate::assess::case::{Case, Judgement};
use crate::assess::records::{Record, Records};
use crate::reason::Reason;

/// The releases since which validation walks all templates of one name (#14043).
const SAME_NAMES_WALKED: &[Version] = &[Version(3, 5, 14), Version(3, 6, 3), Version(3, 7, 0)];

impl<'a> Case<'a> {
    /// Returns the verdict if the finalizer is absent; none if it is present.
    pub(crate) fn without_finalizer(&self, record: &Record<'a>, all: &Records<'a>) -> Option<Judgement> {
        if self.workflow.has_gc_finalizer() {
            return None;
        }
        let status = self.workflow.status.artifact_gc_status.as_ref();
        if status.is_some_and(|status| status.not_specified) {
            let judgement = self.not_specified(record, all);
            return Some(judgement.because("status.artifactGCStatus.notSpecified", "true"));
        }
        let recouped = status.is_some_and(|status| !status.pods_recouped.is_empty());
        let judgement = if self.policy.force() && recouped {
            Judgement::uncovered(Reason::ForceEarly).because("spec.artifactGC.forceFinalizerRemoval", "true")
        } else {
            Judgement::uncovered(Reason::FinalizerStripped)
        };
        Some(judgement.because(format!("metadata.finalizers[{}]", names::GC_FINALIZER), "<none>"))
    }

    /// Judges an artifact of a workflow in which the controller found nothing to collect, by the part it did
    /// not look at.
    fn not_specified(&self, record: &Record<'a>, all: &Records<'a>) -> Judgement {
        let declared = all.declared();
        if !record.artifact.is_logs() || record.node.is_unnamed() && declared.is_some() {
            return self.overlooked(record);
        }
        match declared {
            None => Judgement::uncovered(Reason::LogsOnly).because("declared artifacts to collect", "none"),
            // Once the finalizer is present, archived logs are collected with the declared artifacts.
            Some(first) => self.overlooked(first),
        }
    }

    fn overlooked(&self, record: &Record<'a>) -> Judgement {
        let Record { node, artifact, .. } = record;
        if node.is_unnamed() {
            return Judgement::uncovered(Reason::InlineOnly)
                .because("node templateName, templateRef", "<none>");
        }
        let referenced = node.template_ref.is_some();
        if referenced && is_hook(&node.name) {
            return Judgement::uncovered(Reason::HookTemplateref).because("node name", &node.name);
        }
        if referenced && self.has_dynamic_reference() {
            return Judgement::uncovered(Reason::DynamicTemplateref)
                .because("templateRef", "{{…}} in the spec");
        }
        if let Some(parent) = self.workflow.status.nodes.get(&node.boundary_id)
            && self.maybe_before(SAME_NAMES_WALKED)
            && self.scopes_of(parent.template()).len() > 1
        {
            let scopes: Vec<&str> = self.scopes_of(parent.template()).into_iter().collect();
            let field = format!("templates named {}", parent.template());
            return Judgement::uncovered(Reason::NameCollisionUnwalked).because(field, scopes.join(", "));
        }
        if self.only_in_defaults(record) {
            return Judgement::uncovered(Reason::TemplateDefaults)
                .because("spec.templateDefaults.outputs.artifacts", &artifact.name);
        }
        let asks = |template: &Template| template.outputs.artifacts.iter().any(|a| self.policy.asks(a));
        let top = self.policy.spec.templates.iter().any(asks);
        let stored = self.workflow.status.stored_templates.iter().find(|(_, template)| asks(template));
        match stored {
            Some((key, _)) if !top => {
                Judgement::uncovered(Reason::PostponedFirst).because("status.storedTemplates", key)
            }
            _ => Judgement::uncovered(Reason::NotSpecified),
        }
    }

    /// Returns true if only `templateDefaults` declares the artifact, which is merged in only at run time.
    fn only_in_defaults(&self, record: &Record<'a>) -> bool {
        let named = |artifact: &Artifact| artifact.name == record.artifact.name;
        let defaults = self.policy.spec.template_defaults.as_ref();
        let declares = |template: &Template| template.outputs.artifacts.iter().any(named);
        defaults.is_some_and(|defaults| defaults.outputs.artifacts.iter().any(named))
            && !self.template_of(record.node).is_some_and(declares)
    }
}

/// Returns true for a lifecycle hook's node. The `exit` hook runs as `.onExit`, which a plain `spec.onExit`
/// reaches by name only.
fn is_hook(node: &str) -> bool {
    node.contains(".hooks.") || node.ends_with(".onExit")
}
