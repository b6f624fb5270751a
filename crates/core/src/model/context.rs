//! What is known beside the workflow itself: controllers, GC tasks and pods, events, templates, rights.

use crate::argo::config::ControllerConfig;
use crate::argo::meta::Meta;
use crate::argo::names;
use crate::argo::related::*;
use crate::argo::version::Version;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// All an assessment may look at beside its workflow.
#[derive(Debug, Clone)]
pub struct Context {
    pub now: Timestamp,
    pub controllers: Controllers,
    pub related: Related,
}

/// One workflow controller.
#[derive(Debug, Clone, Default)]
pub struct Controller {
    pub namespace: String,
    pub name: String,
    /// From the image tag, or `--argo-version`.
    pub version: Option<Version>,
    /// `instanceID` of its ConfigMap: none when the ConfigMap could not be read, empty when unset.
    pub instance_id: Option<String>,
    /// `ARGO_ARTIFACT_GC_ENABLED`: none when its value comes from elsewhere.
    pub gc_enabled: Option<bool>,
    /// The one namespace it manages; none for all.
    pub managed_namespace: Option<String>,
    /// What its ConfigMap says: none when that could not be read.
    pub config: Option<ControllerConfig>,
    /// `spec.replicas` of its Deployment; none stands for one.
    pub replicas: Option<i32>,
}

/// The controllers seen.
#[derive(Debug, Clone, Default)]
pub struct Controllers {
    pub seen: Vec<Controller>,
    /// Whether every Deployment of the cluster could be read; else there may be more.
    pub complete: bool,
    /// `--argo-version`: holds for all.
    pub version: Option<Version>,
}

/// The archive that an Argo server showed whole.
#[derive(Debug, Clone, Default)]
pub struct ArchiveExtent {
    /// The server has one.
    pub exists: bool,
    /// The one namespace it shows; empty for all.
    pub managed_namespace: String,
}

/// Kinds of objects read beside workflows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RelatedKind {
    GcTasks,
    GcPods,
    Events,
    TaskResults,
    WorkflowTemplates,
    ClusterWorkflowTemplates,
    Deployments,
    ConfigMaps,
    AccessReviews,
}

/// Objects beside the workflows, by workflow, and what of them could not be read.
#[derive(Debug, Clone, Default)]
pub struct Related {
    of: HashMap<(String, String), OfWorkflow>,
    /// Whether a (cluster) template's own `spec.artifactGC` asks for collection, by `(namespace, name)`;
    /// an empty namespace stands for cluster templates.
    templates: HashMap<(String, String), bool>,
    /// Kinds read whole: in all namespaces (none) or in one.
    read: BTreeSet<(RelatedKind, Option<String>)>,
    /// Answers of access reviews: may this service account do what a GC pod must?
    rights: BTreeMap<(String, String), bool>,
}

/// The objects of one workflow.
#[derive(Debug, Clone, Default)]
pub struct OfWorkflow {
    pub tasks: Vec<GcTask>,
    pub pods: Vec<Pod>,
    pub events: Vec<Event>,
    /// What the cluster says of its GC pods: scheduling, mounts, refusals.
    pub pod_events: Vec<Event>,
    pub results: Vec<TaskResult>,
}

impl Related {
    /// Files a GC task under its workflow (its controller owner).
    pub fn add_task(&mut self, task: GcTask) {
        let owner = task.metadata.owner_references.iter().find(|owner| owner.kind == "Workflow");
        let Some(workflow) = owner.map(|owner| owner.name.clone()) else { return };
        self.entry(&task.metadata, workflow).tasks.push(task);
    }

    /// Files a GC pod under its workflow; other pods are passed over.
    pub fn add_pod(&mut self, pod: Pod) {
        if pod.metadata.label(names::COMPONENT) == "artifact-gc" {
            self.entry(&pod.metadata, pod.metadata.label(names::WORKFLOW).to_owned()).pods.push(pod);
        }
    }

    /// Files an event of a failed collection, or about a GC pod, under its workflow; others are passed over.
    pub fn add_event(&mut self, event: Event) {
        if let Some((namespace, pod)) = event.gc_pod() {
            let workflow = pod.split(names::GC_POD_INFIX).next().unwrap_or_default();
            let key = (namespace.to_owned(), workflow.to_owned());
            self.of.entry(key).or_default().pod_events.push(event);
        } else if event.reason == names::EVENT_GC_FAILED && event.involved_object.kind == "Workflow" {
            let key = (event.involved_object.namespace.clone(), event.involved_object.name.clone());
            self.of.entry(key).or_default().events.push(event);
        }
    }

    /// Files a task result under its workflow, if it reports artifacts.
    pub fn add_result(&mut self, result: TaskResult) {
        if !result.outputs.artifacts.is_empty() {
            self.entry(&result.metadata, result.metadata.label(names::WORKFLOW).to_owned())
                .results
                .push(result);
        }
    }

    /// Remembers whether a template's own workflow-level strategy asks for collection.
    pub fn add_template(&mut self, template: &WorkflowTemplate) {
        let asks = template.spec.artifact_gc.as_ref().is_some_and(|gc| gc.strategy.asks_for_collection());
        self.templates.insert((template.metadata.namespace.clone(), template.metadata.name.clone()), asks);
    }

    /// Records the answer of an access review for a GC pod's service account.
    pub fn add_right(&mut self, namespace: &str, account: &str, allowed: bool) {
        self.rights.insert((namespace.to_owned(), account.to_owned()), allowed);
    }

    /// Declares a kind read whole, in one namespace or (none) in all.
    pub fn mark_read(&mut self, kind: RelatedKind, namespace: Option<&str>) {
        self.read.insert((kind, namespace.map(str::to_owned)));
    }

    /// Whether absence of an object of this kind means it does not exist.
    pub fn is_read(&self, kind: RelatedKind, namespace: &str) -> bool {
        self.read.contains(&(kind, None)) || self.read.contains(&(kind, Some(namespace.to_owned())))
    }

    /// The objects of one workflow.
    pub fn of(&self, namespace: &str, workflow: &str) -> Option<&OfWorkflow> {
        // An empty map is the common case and spares the two allocations of a key.
        if self.of.is_empty() {
            return None;
        }
        self.of.get(&(namespace.to_owned(), workflow.to_owned()))
    }

    /// All GC tasks, with the workflows they are filed under.
    pub fn tasks(&self) -> impl Iterator<Item = (&str, &GcTask)> {
        self.of.iter().flat_map(|((_, workflow), of)| of.tasks.iter().map(|task| (workflow.as_str(), task)))
    }

    /// Whether the template (empty namespace: cluster template) asks for collection; none when it wasn't seen.
    pub fn template_asks(&self, namespace: &str, name: &str) -> Option<bool> {
        self.templates.get(&(namespace.to_owned(), name.to_owned())).copied()
    }

    /// Whether the service account may do what a GC pod must; none when nobody could say.
    pub fn may_collect(&self, namespace: &str, account: &str) -> Option<bool> {
        self.rights.get(&(namespace.to_owned(), account.to_owned())).copied()
    }

    /// Service accounts of failed GC pods, by namespace: those worth an access review.
    pub fn failed_accounts(&self) -> BTreeSet<(String, String)> {
        let pods = self.of.values().flat_map(|of| &of.pods);
        pods.filter(|pod| pod.status.phase == "Failed")
            .map(|pod| (pod.metadata.namespace.clone(), pod.account().to_owned()))
            .collect()
    }

    fn entry(&mut self, meta: &Meta, workflow: String) -> &mut OfWorkflow {
        self.of.entry((meta.namespace.clone(), workflow)).or_default()
    }
}

impl Pod {
    /// The service account it runs as.
    pub fn account(&self) -> &str {
        if self.spec.service_account_name.is_empty() { "default" } else { &self.spec.service_account_name }
    }
}

impl Controllers {
    /// The controllers that may manage the workflow: matching namespace and instance ID.
    pub fn managing<'a>(
        &'a self,
        namespace: &str,
        instance_id: &str,
    ) -> impl Iterator<Item = &'a Controller> {
        let (namespace, instance_id) = (namespace.to_owned(), instance_id.to_owned());
        self.seen.iter().filter(move |controller| {
            controller.managed_namespace.as_ref().is_none_or(|managed| *managed == namespace)
                && controller.instance_id.as_ref().is_none_or(|own| *own == instance_id)
        })
    }

    /// Why what the archive refers to is not known while no Argo server shows it; none when no controller
    /// keeps one.
    pub fn unread_archive(&self) -> Option<&'static str> {
        if self.archiving().next().is_some() {
            return Some(
                "the controller archives workflows, and only an Argo server can show them: --argo-server",
            );
        }
        self.hidden().then_some("whether a controller archives workflows can't be told")
    }

    /// What the archive leaves out that one Argo server shows whole; none when that is all there is.
    ///
    /// A server shows the rows of its own database, instance ID and managed namespace (`docs/argo-gc.md#archive`):
    /// two controllers that archive may have an archive each.
    pub fn beyond_archive(&self, archive: &ArchiveExtent) -> Option<String> {
        let archiving: Vec<&Controller> = self.archiving().collect();
        let managed = archive.managed_namespace.as_str();
        if self.hidden() {
            Some("whether another controller archives elsewhere can't be told".to_owned())
        } else if archiving.len() > 1 {
            Some(format!(
                "{} controllers archive workflows, and an Argo server shows the archive of one",
                archiving.len()
            ))
        } else if archiving.is_empty() {
            None
        } else if !archive.exists {
            Some("the controller archives workflows, and the Argo server has no archive".to_owned())
        } else {
            let beyond = |controller: &&Controller| controller.managed_namespace.as_deref() != Some(managed);
            let more = !managed.is_empty() && archiving.iter().any(beyond);
            more.then(|| format!("the Argo server shows only what was archived of \"{managed}\""))
        }
    }

    /// The controllers that are known to archive.
    fn archiving(&self) -> impl Iterator<Item = &Controller> {
        self.seen.iter().filter(|controller| controller.archives() == Some(true))
    }

    /// Whether there may be controllers that archive and aren't known to.
    pub fn hidden(&self) -> bool {
        !self.complete || self.seen.iter().any(|controller| controller.archives().is_none())
    }

    /// The version that ran the workflow, when all that may manage it agree on one.
    pub fn version_for(&self, namespace: &str, instance_id: &str) -> Option<Version> {
        if self.version.is_some() {
            return self.version;
        }
        let mut versions = self.managing(namespace, instance_id).map(|controller| controller.version);
        let first = versions.next()??;
        versions.all(|other| other == Some(first)).then_some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::argo::config::ControllerConfig;

    fn controller(archives: bool, managed: Option<&str>) -> Controller {
        let config = ControllerConfig { archives: Some(archives), ..ControllerConfig::default() };
        let managed_namespace = managed.map(str::to_owned);
        Controller { config: Some(config), managed_namespace, ..Controller::default() }
    }

    #[test]
    fn one_archive_is_whole_only_where_it_is_the_only_one() {
        let beyond = |seen: Vec<Controller>, complete, exists, managed: &str| {
            let archive = ArchiveExtent { exists, managed_namespace: managed.to_owned() };
            Controllers { seen, complete, version: None }.beyond_archive(&archive).is_some()
        };
        let one = || vec![controller(true, None)];
        assert!(!beyond(one(), true, true, ""));
        assert!(!beyond(vec![controller(true, None), controller(false, None)], true, true, ""));
        assert!(
            !beyond(vec![], true, false, "") && !beyond(vec![controller(false, None)], true, false, "ml")
        );
        // Another may be hidden, or is there.
        assert!(beyond(one(), false, true, ""));
        assert!(beyond(vec![controller(true, None), Controller::default()], true, true, ""));
        assert!(beyond(vec![controller(true, Some("a")), controller(true, Some("b"))], true, true, ""));
        // The server shows less than the controller archives.
        assert!(beyond(one(), true, false, "") && beyond(one(), true, true, "ml"));
        assert!(!beyond(vec![controller(true, Some("ml"))], true, true, "ml"));
    }
}
