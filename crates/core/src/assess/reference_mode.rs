//! Decides if a controller in reference mode refuses the workflow before it collects anything
//! (`docs/argo-gc.md#reference-mode`).

use crate::argo::config::Referencing;
use crate::argo::version::Version;
use crate::argo::workflow::{Program, WorkflowSpec};
use crate::assess::case::Case;
use crate::model::assessment::{Evidence, Note};
use crate::model::context::{Controller, RelatedKind};
use crate::reason::Reason;
use crate::verdict::Verdict;
use std::collections::BTreeMap;

/// The first releases that refuse fields beside `workflowTemplateRef`.
const REFUSES_FIELDS: &[Version] = &[Version(3, 7, 14), Version(4, 0, 5), Version(4, 1, 0)];

/// The first releases that refuse fields within `artifactGC` there (358cc3968c, 277e9cef0a, a904a124e3).
const REFUSES_GC_FIELDS: &[Version] = &[Version(3, 7, 15), Version(4, 0, 6), Version(4, 1, 0)];

impl<'a> Case<'a> {
    /// Returns the verdict and the evidence if the controller refuses the workflow at each look; none if it does not, or this
    /// is unknown (setExecWorkflow, workflow/controller/operator.go@v3.4.18, @v4.1.2).
    pub(crate) fn refused_by(&self, controller: &Controller) -> Option<(Verdict, Evidence)> {
        let config = controller.config.as_ref().filter(|config| config.referencing != Referencing::Free)?;
        let mode = config.referencing.as_str();
        let field = format!("templateReferencing of controller {}/{}", controller.namespace, controller.name);
        let told =
            |verdict, why: String| Some((verdict, Evidence::new(&field, format!("{mode}, and {why}"))));
        if self.workflow.spec.workflow_template_ref.is_none() {
            return told(Verdict::Failing, "the Workflow has no workflowTemplateRef".to_owned());
        }
        if let Some(field) = self.refused_field(controller) {
            return told(Verdict::Failing, format!("the Workflow sets {field}"));
        }
        let (verdict, change) = self.change(&config.default_spec["templates"])?;
        (config.referencing == Referencing::Secure).then(|| told(verdict, change)).flatten()
    }

    /// Returns a note that the collection depends on a template's staying as it is.
    pub(crate) fn unless_edited(&self) -> Option<Note> {
        self.compared()?;
        let is_secure = |controller: &&Controller| {
            let config = controller.config.as_ref();
            config.is_some_and(|config| config.referencing == Referencing::Secure)
        };
        self.managers().seen.into_iter().any(|controller| is_secure(&controller)).then(|| Note {
            reason: Reason::ReferenceMode,
            detail: format!("if {} changes before", self.reference().unwrap_or_default()),
        })
    }

    /// Returns a field that users may not set beside `workflowTemplateRef`, of those that are read here.
    fn refused_field(&self, controller: &Controller) -> Option<&'static str> {
        let since = |fixed| self.version.is_some() && !self.known_before(fixed);
        let WorkflowSpec { artifact_gc, templates, template_defaults, hooks, service_account_name, .. } =
            &self.workflow.spec;
        let fields = [
            (!service_account_name.is_empty(), "serviceAccountName"),
            (!templates.is_empty(), "templates"),
            (template_defaults.is_some(), "templateDefaults"),
            (!hooks.is_empty(), "hooks"),
        ];
        let within = artifact_gc.iter().flat_map(|gc| {
            let metadata = &gc.pod_metadata;
            [
                (!gc.service_account_name.is_empty(), "artifactGC.serviceAccountName"),
                (!gc.patched_account.is_empty(), "artifactGC.podSpecPatch"),
                (!metadata.labels.is_empty() || !metadata.annotations.is_empty(), "artifactGC.podMetadata"),
            ]
        });
        let fields = fields.into_iter().filter(|_| since(REFUSES_FIELDS) && !controller.allows_overrides);
        let within = within.filter(|_| since(REFUSES_GC_FIELDS));
        fields.chain(within).find(|(is_set, _)| *is_set).map(|(_, field)| field)
    }

    /// Returns the stored spec if the mode `Secure` compares it: not if it is to be merged anew, as always where `suspend`
    /// is set (needsStoredWfSpecUpdate, workflow/controller/operator.go@v4.1.2).
    fn compared(&self) -> Option<&'a WorkflowSpec> {
        let own = &self.workflow.spec;
        own.workflow_template_ref.as_ref()?;
        let stored = self.workflow.status.stored_workflow_template_spec.as_ref()?;
        let merged_anew = !own.entrypoint.is_empty() && stored.entrypoint.is_empty()
            || own.suspend
            || stored.suspend
            || own.shutdown != stored.shutdown;
        (!merged_anew).then_some(stored)
    }

    /// Returns the template that the workflow was made from, as `Kind/name`.
    fn reference(&self) -> Option<String> {
        let reference = self.workflow.spec.workflow_template_ref.as_ref()?;
        let kind = if reference.cluster_scope { "ClusterWorkflowTemplate" } else { "WorkflowTemplate" };
        Some(format!("{kind}/{}", reference.name))
    }

    /// Returns what has changed of the template since the workflow began, and whether that is certain; none if nothing is
    /// known to have. `defaults` are the templates of the controller's `workflowDefaults`.
    fn change(&self, defaults: &serde_json::Value) -> Option<(Verdict, String)> {
        let stored = self.compared()?;
        let reference = self.workflow.spec.workflow_template_ref.as_ref()?;
        let namespace = &self.workflow.metadata.namespace;
        let (kind, scope) = match reference.cluster_scope {
            true => (RelatedKind::ClusterWorkflowTemplates, ""),
            false => (RelatedKind::WorkflowTemplates, namespace.as_str()),
        };
        // Files may be of another time than the workflow, and what is not among them may exist.
        let read = self.context.related.is_read(kind, namespace);
        let shown = self.reference()?;
        let Some(now) = self.context.related.template(scope, &reference.name) else {
            return read.then(|| (Verdict::Failing, format!("{shown} does not exist")));
        };
        if !self.workflow.spec.templates.is_empty() || !defaults.is_null() {
            return None;
        }
        let name = differing(&stored.programs(), &now.programs)?;
        let verdict = if read { Verdict::Failing } else { Verdict::Unknown };
        Some((verdict, format!("template {name} of {shown} is not as it was")))
    }
}

/// Returns a name under which there is something else, or nothing, in the other.
fn differing(was: &BTreeMap<String, Program>, is: &BTreeMap<String, Program>) -> Option<String> {
    let names = was.keys().chain(is.keys());
    names.into_iter().find(|name| was.get(*name) != is.get(*name)).cloned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::argo::config::ControllerConfig;
    use crate::argo::related::ConfigMap;
    use crate::argo::version::Version;
    use crate::assess::assess;
    use crate::model::assessment::ArtifactReport;
    use crate::model::context::{Context, Controller, Controllers, Related, RelatedKind};
    use crate::reason::Reason;
    use crate::verdict::{Verdict, When};
    use serde_json::{Value, json};

    fn controller(mode: &str) -> Controller {
        let restrictions = ("workflowRestrictions".to_owned(), format!("templateReferencing: {mode}"));
        let config = ConfigMap { data: [restrictions].into(), ..ConfigMap::default() };
        let config = ControllerConfig::parse(&config);
        let version = Some(Version(4, 1, 2));
        Controller {
            instance_id: Some(String::new()),
            gc_enabled: Some(true),
            config: Some(config),
            version,
            ..Controller::default()
        }
    }

    fn template(image: &str) -> Value {
        json!({ "name": "main", "container": { "image": image, "command": ["run"], "resources": {} } })
    }

    /// A workflow that was made from a template as a whole, and waits for its deletion.
    fn workflow(own: &Value) -> Value {
        let mut spec = json!({ "workflowTemplateRef": { "name": "tpl" } });
        spec.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
        json!({
            "metadata": {
                "name": "w", "namespace": "ml", "finalizers": ["workflows.argoproj.io/artifact-gc"],
                "labels": { "workflows.argoproj.io/completed": "true" },
            },
            "spec": spec,
            "status": {
                "phase": "Succeeded", "finishedAt": "2026-11-20T11:30:00Z", "artifactGCStatus": {},
                "storedWorkflowTemplateSpec": {
                    "entrypoint": "main", "artifactGC": { "strategy": "OnWorkflowDeletion" }, "templates": [template("x:1")],
                },
                "nodes": { "w": {
                    "id": "w", "name": "w", "type": "Pod", "templateName": "main",
                    "outputs": { "artifacts": [{ "name": "o", "gcs": { "bucket": "b", "key": "w/o" } }] },
                } },
            },
        })
    }

    /// The templates that are there, as a cluster lists them or among files.
    fn templates(spec: Option<Value>, listed: bool) -> Related {
        let mut related = Related::default();
        if let Some(spec) = spec {
            let template = json!({ "metadata": { "name": "tpl", "namespace": "ml" }, "spec": spec });
            related.add_template(&serde_json::from_value(template).unwrap());
        }
        if listed {
            related.mark_read(RelatedKind::WorkflowTemplates, Some("ml"));
        }
        related
    }

    fn report(workflow: Value, seen: Vec<Controller>, related: Related) -> ArtifactReport {
        let controllers = Controllers { seen, complete: true, ..Controllers::default() };
        let context = Context { now: "2026-11-20T12:00:00Z".parse().unwrap(), controllers, related };
        assess(&mut serde_json::from_value(workflow).unwrap(), &context).artifacts.swap_remove(0)
    }

    type Told = (Verdict, Option<Reason>, Option<When>, usize);

    fn told(workflow: Value, seen: Vec<Controller>, related: Related) -> Told {
        let report = report(workflow, seen, related);
        let notes = report.notes.iter().filter(|note| note.reason == Reason::ReferenceMode).count();
        (report.verdict, report.reason, report.when, notes)
    }

    const DUE: Option<When> = Some(When::OnDeletion);
    const COVERED: Told = (Verdict::Covered, None, DUE, 0);
    const NOTED: Told = (Verdict::Covered, None, DUE, 1);
    const REFUSED: Told = (Verdict::Failing, Some(Reason::ReferenceMode), DUE, 0);
    const DOUBTED: Told = (Verdict::Unknown, Some(Reason::ReferenceMode), DUE, 0);

    fn spec(image: &str) -> Option<Value> {
        Some(json!({ "templates": [template(image)] }))
    }

    #[test]
    fn a_workflow_must_be_made_from_a_template_as_a_whole() {
        let mut alone = workflow(&json!({ "artifactGC": { "strategy": "OnWorkflowDeletion" } }));
        alone["spec"].as_object_mut().unwrap().remove("workflowTemplateRef");
        for mode in ["Strict", "Secure"] {
            assert_eq!(told(alone.clone(), vec![controller(mode)], Related::default()), REFUSED, "{mode}");
        }
        assert_eq!(told(alone.clone(), vec![controller("''")], Related::default()), COVERED);
        // Another one may manage it, or its settings were not read.
        let both = vec![controller("Strict"), controller("''")];
        assert_eq!(told(alone.clone(), both, Related::default()), COVERED);
        let unread = Controller { config: None, ..controller("Strict") };
        assert_eq!(told(alone.clone(), vec![unread], Related::default()), COVERED);
        // It is also why nothing happened although it is due.
        alone["metadata"]["deletionTimestamp"] = json!("2026-11-20T11:40:00Z");
        alone["status"]["finishedAt"] = json!("2026-11-20T02:00:00Z");
        let now = (REFUSED.0, REFUSED.1, Some(When::Now), 0);
        assert_eq!(told(alone.clone(), vec![controller("Strict")], Related::default()), now);
        alone["metadata"]["deletionTimestamp"] = json!("2026-11-20T10:00:00Z");
        let overdue = (REFUSED.0, REFUSED.1, None, 0);
        assert_eq!(told(alone.clone(), vec![controller("Strict")], Related::default()), overdue);
        let other = (Verdict::Failing, Some(Reason::Overdue), None, 0);
        assert_eq!(told(alone, vec![controller("''")], Related::default()), other);
    }

    #[test]
    fn a_secure_template_must_stay_as_it_was() {
        let one = |related| told(workflow(&json!({})), vec![controller("Secure")], related);
        assert_eq!(one(templates(None, true)), REFUSED);
        assert_eq!(one(templates(None, false)), NOTED);
        assert_eq!(one(templates(spec("x:1"), true)), NOTED);
        assert_eq!(one(templates(spec("x:2"), true)), REFUSED);
        // Files may be of another time.
        assert_eq!(one(templates(spec("x:2"), false)), DOUBTED);
        let more = json!({ "templates": [template("x:1"), { "name": "other" }] });
        assert_eq!(one(templates(Some(more), true)), REFUSED);
        let strict = told(workflow(&json!({})), vec![controller("Strict")], templates(None, true));
        assert_eq!(strict, COVERED);
    }

    #[test]
    fn what_is_merged_anew_is_not_compared() {
        let one = |own: Value| told(workflow(&own), vec![controller("Secure")], templates(None, true));
        assert_eq!(one(json!({ "suspend": false })), COVERED);
        assert_eq!(one(json!({ "shutdown": "Stop" })), COVERED);
        assert_eq!(one(json!({ "entrypoint": "main" })), REFUSED);
        let mut cluster = workflow(&json!({}));
        cluster["spec"]["workflowTemplateRef"]["clusterScope"] = json!(true);
        assert_eq!(told(cluster, vec![controller("Secure")], templates(None, true)), NOTED);
    }

    #[test]
    fn newer_releases_refuse_fields_beside_the_reference() {
        let one = |own: &Value, version, allows_overrides| {
            let controller = Controller { version, allows_overrides, ..controller("Strict") };
            told(workflow(own), vec![controller], Related::default())
        };
        let account = json!({ "serviceAccountName": "own" });
        assert_eq!(one(&account, Some(Version(4, 1, 2)), false), REFUSED);
        assert_eq!(one(&account, Some(Version(3, 7, 14)), false), REFUSED);
        assert_eq!(one(&account, Some(Version(4, 0, 4)), false), COVERED);
        assert_eq!(one(&account, None, false), COVERED);
        assert_eq!(one(&account, Some(Version(4, 1, 2)), true), COVERED);
        let within =
            json!({ "artifactGC": { "strategy": "OnWorkflowDeletion", "serviceAccountName": "gc" } });
        assert_eq!(one(&within, Some(Version(4, 1, 2)), true), REFUSED);
        assert_eq!(one(&within, Some(Version(3, 7, 14)), false), COVERED);
        assert_eq!(one(&json!({ "entrypoint": "main" }), Some(Version(4, 1, 2)), false), COVERED);
    }

    #[test]
    fn the_evidence_names_mode_and_change() {
        let report = report(workflow(&json!({})), vec![controller("Secure")], templates(spec("x:2"), true));
        let value = &report.evidence[0].value;
        assert_eq!(value, "Secure, and template main of WorkflowTemplate/tpl is not as it was");
    }
}
