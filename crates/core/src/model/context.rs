//! The facts other than the workflow itself: controllers, GC tasks and pods, events, templates, permissions.

use crate::argo::config::ControllerConfig;
use crate::argo::meta::Meta;
use crate::argo::names;
use crate::argo::related::*;
use crate::argo::version::Version;
use crate::argo::workflow::Program;
use crate::model::account::{Account, ControllerRights, Standing};
use crate::model::roles::Roles;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Everything an assessment may use in addition to its workflow.
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
    /// The service account that it runs as.
    pub account: String,
    /// The only namespace in which it counts, because its account may manage workflows only there; none for all.
    pub within: Option<String>,
    /// The version, from the image tag or given by the user.
    pub version: Option<Version>,
    /// `instanceID` of its ConfigMap: none when the ConfigMap could not be read, empty when unset.
    pub instance_id: Option<String>,
    /// True if its environment may allow workflows to set more beside a `workflowTemplateRef` than it does by itself.
    pub allows_overrides: bool,
    /// The value of `ARGO_ARTIFACT_GC_ENABLED`; none if it comes from another object.
    pub gc_enabled: Option<bool>,
    /// The single namespace it manages; none for all.
    pub managed_namespace: Option<String>,
    /// The settings of its ConfigMap; none if it could not be read.
    pub config: Option<ControllerConfig>,
    /// `spec.replicas` of its Deployment; none means one replica.
    pub replicas: Option<i32>,
    /// What the API server says of its account's permissions; none if it was not asked.
    pub rights: Option<ControllerRights>,
}

/// A Deployment that looks like a controller and does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uncounted {
    pub namespace: String,
    pub name: String,
    pub why: Distrust,
}

/// The reason why a controller does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Distrust {
    /// Its service account may not manage workflows.
    MayNotManage,
    /// It is unknown whether its account may, for this reason.
    Unreviewed(String),
}

/// The controllers seen.
#[derive(Debug, Clone, Default)]
pub struct Controllers {
    /// Those that count.
    pub seen: Vec<Controller>,
    pub uncounted: Vec<Uncounted>,
    /// True if every Deployment of the cluster could be read and judged; else there may be more controllers.
    pub complete: bool,
    /// The version given by the user, which applies to all controllers.
    pub version: Option<Version>,
}

/// The extent of an archive that was read completely through an Argo server.
#[derive(Debug, Clone, Default)]
pub struct ArchiveExtent {
    /// True if the server has an archive.
    pub exists: bool,
    /// The single namespace it shows; empty for all.
    pub managed_namespace: String,
}

/// The reason why archived workflows are unknown while no Argo server is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnreadArchive {
    /// A controller archives workflows, and only an Argo server can show them.
    NeedsServer,
    /// It is unknown whether a controller archives workflows.
    MayExist,
}

/// The kinds of objects that are read in addition to workflows.
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

/// The objects related to workflows, by workflow, and the kinds that could be read completely.
#[derive(Debug, Clone, Default)]
pub struct Related {
    of: HashMap<(String, String), OfWorkflow>,
    /// By `(namespace, name)`; the namespace of a cluster template is empty.
    templates: HashMap<(String, String), KnownTemplate>,
    /// The kinds that were read completely, in all namespaces (none) or in one.
    read: BTreeSet<(RelatedKind, Option<String>)>,
    /// What the API server says of the service accounts of GC pods.
    standings: BTreeMap<Account, Standing>,
    /// The roles of files, which count for accounts of which the API server says nothing.
    pub roles: Roles,
}

/// What is known of a WorkflowTemplate or ClusterWorkflowTemplate.
#[derive(Debug, Clone)]
pub struct KnownTemplate {
    /// True if its own `spec.artifactGC` asks for collection.
    pub asks: bool,
    /// What each of its templates runs.
    pub programs: BTreeMap<String, Program>,
}

/// The related objects of one workflow.
#[derive(Debug, Clone, Default)]
pub struct OfWorkflow {
    pub tasks: Vec<GcTask>,
    pub pods: Vec<Pod>,
    pub events: Vec<Event>,
    /// The cluster's events about its GC pods: scheduling, mounts, refusals.
    pub pod_events: Vec<Event>,
    pub results: Vec<TaskResult>,
}

impl Related {
    /// Adds a GC task to its workflow (its controller owner).
    pub fn add_task(&mut self, task: GcTask) {
        let owner = task.metadata.owner_references.iter().find(|owner| owner.kind == "Workflow");
        let Some(workflow) = owner.map(|owner| owner.name.clone()) else { return };
        self.entry(&task.metadata, workflow).tasks.push(task);
    }

    /// Adds a GC pod to its workflow, and ignores other pods.
    pub fn add_pod(&mut self, pod: Pod) {
        if pod.metadata.label(names::COMPONENT) == "artifact-gc" {
            self.entry(&pod.metadata, pod.metadata.label(names::WORKFLOW).to_owned()).pods.push(pod);
        }
    }

    /// Adds an event of a failed collection, or about a GC pod, to its workflow, and ignores other events.
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

    /// Adds a task result to its workflow, if it reports artifacts.
    pub fn add_result(&mut self, result: TaskResult) {
        if !result.outputs.artifacts.is_empty() {
            self.entry(&result.metadata, result.metadata.label(names::WORKFLOW).to_owned())
                .results
                .push(result);
        }
    }

    /// Adds what counts of a template.
    pub fn add_template(&mut self, template: &WorkflowTemplate) {
        let WorkflowTemplate { metadata, spec } = template;
        let asks = spec.artifact_gc.as_ref().is_some_and(|gc| gc.strategy.asks_for_collection());
        let known = KnownTemplate { asks, programs: spec.programs() };
        self.templates.insert((metadata.namespace.clone(), metadata.name.clone()), known);
    }

    /// Records what the API server says of a GC pod's service account.
    pub fn add_standing(&mut self, account: Account, standing: Standing) {
        self.standings.insert(account, standing);
    }

    /// Records that a kind was read completely, in one namespace or (none) in all.
    pub fn mark_read(&mut self, kind: RelatedKind, namespace: Option<&str>) {
        self.read.insert((kind, namespace.map(str::to_owned)));
    }

    /// Returns true if the kind was read completely, so that an absent object does not exist.
    pub fn is_read(&self, kind: RelatedKind, namespace: &str) -> bool {
        self.read.contains(&(kind, None)) || self.read.contains(&(kind, Some(namespace.to_owned())))
    }

    /// Returns the related objects of one workflow.
    pub fn of(&self, namespace: &str, workflow: &str) -> Option<&OfWorkflow> {
        // An empty map is the common case, and this check avoids the two allocations of a key.
        if self.of.is_empty() {
            return None;
        }
        self.of.get(&(namespace.to_owned(), workflow.to_owned()))
    }

    /// Returns all GC tasks with their workflows.
    pub fn tasks(&self) -> impl Iterator<Item = (&str, &GcTask)> {
        self.of.iter().flat_map(|((_, workflow), of)| of.tasks.iter().map(|task| (workflow.as_str(), task)))
    }

    /// Returns what is known of a template (empty namespace: cluster template); none if it was not seen.
    pub fn template(&self, namespace: &str, name: &str) -> Option<&KnownTemplate> {
        self.templates.get(&(namespace.to_owned(), name.to_owned()))
    }

    /// Returns what is known of a GC pod's service account; none if nothing is.
    pub fn standing(&self, account: &Account) -> Option<Standing> {
        self.standings.get(account).cloned().or_else(|| self.roles.standing(account))
    }

    /// Returns what is known of the permissions of a controller's account in a namespace.
    pub fn controller_rights(&self, controller: &Controller, namespace: &str) -> ControllerRights {
        let by_files = || self.roles.controller_rights(&controller.account(), namespace);
        controller.rights.clone().unwrap_or_else(by_files)
    }

    /// Returns the service accounts of failed GC pods, by namespace, which are worth an access review.
    pub fn failed_accounts(&self) -> BTreeSet<Account> {
        let pods = self.of.values().flat_map(|of| &of.pods);
        pods.filter(|pod| pod.status.phase == "Failed")
            .map(|pod| Account::new(&pod.metadata.namespace, pod.account()))
            .collect()
    }

    fn entry(&mut self, meta: &Meta, workflow: String) -> &mut OfWorkflow {
        self.of.entry((meta.namespace.clone(), workflow)).or_default()
    }
}

impl Pod {
    /// Returns the service account that the pod runs as.
    pub fn account(&self) -> &str {
        if self.spec.service_account_name.is_empty() { "default" } else { &self.spec.service_account_name }
    }
}

impl Controllers {
    /// Returns the controllers that may manage a workflow, by namespace and instance ID.
    pub fn managing<'a>(
        &'a self,
        namespace: &str,
        instance_id: &str,
    ) -> impl Iterator<Item = &'a Controller> {
        let (namespace, instance_id) = (namespace.to_owned(), instance_id.to_owned());
        self.seen.iter().filter(move |controller| controller.may_manage(&namespace, &instance_id))
    }

    /// Returns the reason why the references of archived workflows are unknown while no Argo server is asked;
    /// none if no controller has an archive.
    pub fn unread_archive(&self) -> Option<UnreadArchive> {
        if self.archiving().next().is_some() {
            return Some(UnreadArchive::NeedsServer);
        }
        self.hidden().then_some(UnreadArchive::MayExist)
    }

    /// Returns the reason why one Argo server's archive is not the complete archive; none if it is complete.
    ///
    /// A server shows only the rows of its own database, instance ID and managed namespace
    /// (`docs/argo-gc.md#archive`), and each of several controllers may have an archive of its own.
    pub fn beyond_archive(&self, archive: &ArchiveExtent) -> Option<String> {
        let archiving: Vec<&Controller> = self.archiving().collect();
        let managed = archive.managed_namespace.as_str();
        if self.hidden() {
            Some("it is unknown whether another controller archives elsewhere".to_owned())
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

    /// Returns the controllers that are known to archive.
    fn archiving(&self) -> impl Iterator<Item = &Controller> {
        self.seen.iter().filter(|controller| controller.archives() == Some(true))
    }

    /// Returns true if there may be further controllers that archive.
    pub fn hidden(&self) -> bool {
        !self.complete || self.seen.iter().any(|controller| controller.archives().is_none())
    }

    /// Returns the version that ran the workflow, if all controllers that may manage it have the same version.
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
            Controllers { seen, complete, ..Controllers::default() }.beyond_archive(&archive).is_some()
        };
        let one = || vec![controller(true, None)];
        assert!(!beyond(one(), true, true, ""));
        assert!(!beyond(vec![controller(true, None), controller(false, None)], true, true, ""));
        assert!(
            !beyond(vec![], true, false, "") && !beyond(vec![controller(false, None)], true, false, "ml")
        );
        // Another controller exists, or may exist unseen.
        assert!(beyond(one(), false, true, ""));
        assert!(beyond(vec![controller(true, None), Controller::default()], true, true, ""));
        assert!(beyond(vec![controller(true, Some("a")), controller(true, Some("b"))], true, true, ""));
        // The server shows less than the controller archives.
        assert!(beyond(one(), true, false, "") && beyond(one(), true, true, "ml"));
        assert!(!beyond(vec![controller(true, Some("ml"))], true, true, "ml"));
    }
}
