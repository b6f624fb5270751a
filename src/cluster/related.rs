//! Reads objects related to workflows: GC tasks and pods, events, results, templates, permissions; with the controllers.

use crate::cluster::accounts::{MAX_ACCOUNTS, unreviewed};
use crate::cluster::client::Cluster;
use crate::cluster::controllers::ControllerQuery;
use crate::cluster::listing::{Listing, gap};
use crate::cluster::referrers::ARGO;
use crate::error::Error;
use argo_gc_core::argo::list::Item;
use argo_gc_core::argo::related::{Event, GcTask, Pod, TaskResult, WorkflowTemplate};
use argo_gc_core::model::account::Account;
use argo_gc_core::model::context::{Controllers, Related, RelatedKind};
use argo_gc_core::model::gap::Gap;
use futures::future::join;

const TASKS: Listing = Listing {
    kind: RelatedKind::GcTasks,
    resource: "workflowartifactgctasks",
    group: ARGO,
    namespaced: true,
    query: &[],
    effect: "why Argo's own deletion failed may stay unknown",
};

const PODS: Listing = Listing {
    kind: RelatedKind::GcPods,
    resource: "pods",
    group: "/api/v1",
    namespaced: true,
    query: &[("labelSelector", "workflows.argoproj.io/component=artifact-gc")],
    effect: "it is unknown whether a GC pod is running, failed or lost",
};

const EVENTS: Listing = Listing {
    kind: RelatedKind::Events,
    resource: "events",
    group: "/api/v1",
    namespaced: true,
    query: &[("fieldSelector", "reason=ArtifactGCFailed")],
    effect: "messages of failed deletions are missing",
};

const RESULTS: Listing = Listing {
    kind: RelatedKind::TaskResults,
    resource: "workflowtaskresults",
    group: ARGO,
    namespaced: true,
    query: &[],
    effect: "artifacts saved but never recorded in a node can't be seen",
};

const TEMPLATES: Listing = Listing {
    kind: RelatedKind::WorkflowTemplates,
    resource: "workflowtemplates",
    group: ARGO,
    namespaced: true,
    query: &[],
    effect: "a strategy set only on a WorkflowTemplate can't be seen",
};

const CLUSTER_TEMPLATES: Listing = Listing {
    kind: RelatedKind::ClusterWorkflowTemplates,
    resource: "clusterworkflowtemplates",
    group: ARGO,
    namespaced: false,
    query: &[],
    effect: "a strategy set only on a ClusterWorkflowTemplate can't be seen",
};

impl Cluster {
    /// Reads the related objects of one namespace, or (none) of all, and the controllers. This never fails: what can't be
    /// read is a gap.
    pub async fn related(
        &self,
        namespace: Option<&str>,
        controllers: ControllerQuery<'_>,
    ) -> (Controllers, Related, Vec<Gap>) {
        let mut related = Related::default();
        let mut gaps = Vec::new();
        let objects = async {
            // Two at a time: each is one small list in the common case.
            let ((tasks, pods), (events, results)) = join(
                join(self.list::<GcTask>(&TASKS, namespace), self.list::<Pod>(&PODS, namespace)),
                join(self.list::<Event>(&EVENTS, namespace), self.list::<TaskResult>(&RESULTS, namespace)),
            )
            .await;
            let templates = join(
                self.list::<WorkflowTemplate>(&TEMPLATES, namespace),
                self.list::<WorkflowTemplate>(&CLUSTER_TEMPLATES, None),
            )
            .await;
            (tasks, pods, events, results, templates)
        };
        let ((tasks, pods, events, results, templates), (controllers, controller_gaps)) =
            join(objects, self.controllers(controllers)).await;
        let mut take = Take { related: &mut related, gaps: &mut gaps, namespace };
        take.all(&TASKS, tasks, |related, task| related.add_task(task));
        take.all(&PODS, pods, |related, pod| related.add_pod(pod));
        take.all(&EVENTS, events, |related, event| related.add_event(event));
        take.all(&RESULTS, results, |related, result| related.add_result(result));
        take.all(&TEMPLATES, templates.0, |related, template| related.add_template(&template));
        take.all(&CLUSTER_TEMPLATES, templates.1, |related, template| related.add_template(&template));
        gaps.extend(controller_gaps);
        gaps.extend(self.review(&mut related).await);
        (controllers, related, gaps)
    }

    /// Asks whether the service accounts of failed GC pods may do what a GC pod must.
    async fn review(&self, related: &mut Related) -> Option<Gap> {
        let failed: Vec<Account> = related.failed_accounts().into_iter().collect();
        let standings = self.standings(&failed, MAX_ACCOUNTS).await;
        let gap = unreviewed(&standings);
        standings.into_iter().for_each(|(account, standing)| related.add_standing(account, standing));
        gap
    }
}

/// Adds lists to the related objects.
struct Take<'a> {
    related: &'a mut Related,
    gaps: &'a mut Vec<Gap>,
    namespace: Option<&'a str>,
}

impl Take<'_> {
    fn all<T>(&mut self, listing: &Listing, list: Result<Vec<Item<T>>, Error>, add: fn(&mut Related, T)) {
        let items = match list {
            Ok(items) => items,
            Err(error) => return self.gaps.push(gap(listing, self.namespace, &error)),
        };
        let mut whole = true;
        for item in items {
            match item {
                Item::Object(object) => add(self.related, *object),
                Item::Malformed(bad) => {
                    whole = false;
                    self.gaps.push(Gap {
                        what: format!("{} {}", listing.resource, bad.name),
                        why: bad.error,
                        effect: listing.effect.to_owned(),
                    });
                }
            }
        }
        if whole {
            self.related.mark_read(listing.kind, self.namespace);
        }
    }
}
