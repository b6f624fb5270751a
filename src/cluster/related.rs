//! Reads objects related to workflows: GC tasks and pods, events, results, templates, controllers, permissions.

use crate::cluster::api_client::with_query;
use crate::cluster::client::Cluster;
use crate::cluster::paging::{Course, continue_token};
use crate::cluster::referrers::ARGO;
use crate::error::{Error, ErrorKind};
use argo_gc_core::argo::list::{Item, decode};
use argo_gc_core::argo::related::{ConfigMap, Deployment, Event, GcTask, Pod, TaskResult, WorkflowTemplate};
use argo_gc_core::model::context::{Controller, Controllers, Related, RelatedKind};
use argo_gc_core::model::gap::Gap;
use futures::future::join;
use serde::de::DeserializeOwned;

/// Objects a page; these are small.
const PAGE: &str = "500";

/// How many service accounts are reviewed at most.
const MAX_REVIEWS: usize = 50;

/// One kind of object to list.
pub(crate) struct Listing {
    pub kind: RelatedKind,
    /// The name in RBAC rules.
    pub resource: &'static str,
    pub group: &'static str,
    pub namespaced: bool,
    pub query: &'static [(&'static str, &'static str)],
    /// What is unknown if it can't be read.
    pub effect: &'static str,
}

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

const DEPLOYMENTS: Listing = Listing {
    kind: RelatedKind::Deployments,
    resource: "deployments",
    group: "/apis/apps/v1",
    namespaced: true,
    query: &[],
    effect: "the controller's version and settings are not known for certain; --argo-version gives the version",
};

impl Cluster {
    /// Reads the related objects of one namespace, or (none) of all. This never fails: what can't be
    /// read is a gap.
    pub async fn related(&self, namespace: Option<&str>) -> (Controllers, Related, Vec<Gap>) {
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
            join(objects, self.controllers(namespace)).await;
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

    /// Reads all objects of a kind. A kind the server doesn't know has none.
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        listing: &Listing,
        namespace: Option<&str>,
    ) -> Result<Vec<Item<T>>, Error> {
        let namespace = namespace.filter(|_| listing.namespaced);
        let base = match namespace {
            Some(namespace) => format!("{}/namespaces/{namespace}/{}", listing.group, listing.resource),
            None => format!("{}/{}", listing.group, listing.resource),
        };
        let mut items = Vec::new();
        let mut course = Course::default();
        loop {
            let mut query = listing.query.to_vec();
            query.push(("limit", PAGE));
            query.extend(course.token().map(|token| ("continue", token)));
            let body = match self.get(&with_query(&base, &query)).await {
                Err(error) if error.is_not_found() => return Ok(items),
                Err(error) if error.kind == ErrorKind::Expired && course.restarts() => {
                    items.clear();
                    continue;
                }
                other => other?,
            };
            let before = items.len();
            let broken = |error: serde_json::Error| {
                Error::new(format!("the server's list of {}: {error}", listing.resource)).caused_by(error)
            };
            decode::<T>(&body, |item| items.push(item)).map_err(broken)?;
            let next = continue_token(&body).map_err(broken)?;
            if !course.goes_on(next, items.len() == before)? {
                return Ok(items);
            }
        }
    }

    /// Reads the workflow controllers and their ConfigMaps.
    pub(crate) async fn controllers(&self, namespace: Option<&str>) -> (Controllers, Vec<Gap>) {
        let mut gaps = Vec::new();
        let mut complete = true;
        let mut deployments = match self.list::<Deployment>(&DEPLOYMENTS, None).await {
            Ok(deployments) => deployments,
            Err(error) => {
                complete = false;
                gaps.push(gap(&DEPLOYMENTS, None, &error));
                Vec::new()
            }
        };
        if !complete {
            // Controllers are usually in these namespaces; a namespaced one is in the namespace itself.
            for place in [namespace.unwrap_or("argo"), "argo", "argo-workflows"] {
                if let Ok(found) = self.list::<Deployment>(&DEPLOYMENTS, Some(place)).await {
                    deployments.extend(found);
                }
            }
        }
        let mut seen: Vec<Controller> = Vec::new();
        for item in deployments {
            let Item::Object(deployment) = item else { continue };
            let Some(mut controller) = Controller::from_deployment(&deployment) else { continue };
            if seen
                .iter()
                .any(|other| (&other.namespace, &other.name) == (&controller.namespace, &controller.name))
            {
                continue;
            }
            let name = Controller::config_map_name(&deployment);
            let path = format!("/api/v1/namespaces/{}/configmaps/{name}", controller.namespace);
            match self.get(&path).await {
                Ok(body) => match serde_json::from_slice::<ConfigMap>(&body) {
                    Ok(config) => {
                        controller.apply_config(&config);
                        if let (None, Some(config)) = (&controller.instance_id, &controller.config) {
                            let why = config.problems.join("; ");
                            gaps.push(config_gap(&name, &controller.namespace, &why));
                        }
                    }
                    Err(error) => gaps.push(config_gap(&name, &controller.namespace, &error.to_string())),
                },
                Err(error) if error.is_not_found() => {
                    controller.apply_config(&ConfigMap::default());
                }
                Err(error) => gaps.push(config_gap(&name, &controller.namespace, &why(&error))),
            }
            seen.push(controller);
        }
        (Controllers { seen, complete, version: None }, gaps)
    }

    /// Asks whether the service accounts of failed GC pods may do what a GC pod must.
    async fn review(&self, related: &mut Related) -> Option<Gap> {
        const RIGHTS: [(&str, &str); 3] = [("list", ""), ("watch", ""), ("patch", "status")];
        for (namespace, account) in related.failed_accounts().into_iter().take(MAX_REVIEWS) {
            let mut allowed = true;
            for (verb, subresource) in RIGHTS {
                match self.may(&namespace, &account, verb, subresource).await {
                    Ok(answer) => allowed &= answer,
                    Err(error) => {
                        return Some(Gap {
                            what: "access reviews".into(),
                            why: why(&error),
                            effect: "missing permissions of a GC pod's service account are unknown".into(),
                        });
                    }
                }
            }
            related.add_right(&namespace, &account, allowed);
        }
        None
    }

    pub(crate) async fn may(
        &self,
        namespace: &str,
        account: &str,
        verb: &str,
        subresource: &str,
    ) -> Result<bool, Error> {
        let review = serde_json::json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": format!("system:serviceaccount:{namespace}:{account}"),
                "groups": ["system:serviceaccounts", format!("system:serviceaccounts:{namespace}"), "system:authenticated"],
                "resourceAttributes": {
                    "namespace": namespace, "verb": verb, "group": "argoproj.io",
                    "resource": "workflowartifactgctasks", "subresource": subresource,
                },
            },
        });
        #[derive(serde::Deserialize)]
        struct Review {
            status: ReviewStatus,
        }
        #[derive(serde::Deserialize)]
        struct ReviewStatus {
            allowed: bool,
        }
        let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
        let answer = self.review_access(path, review.to_string().as_bytes()).await?;
        let review: Review = serde_json::from_slice(&answer)?;
        Ok(review.status.allowed)
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

pub(crate) fn gap(listing: &Listing, namespace: Option<&str>, error: &Error) -> Gap {
    let what = match namespace.filter(|_| listing.namespaced) {
        Some(namespace) => format!("{} in \"{namespace}\"", listing.resource),
        None if listing.namespaced => format!("{} in all namespaces", listing.resource),
        None => listing.resource.to_owned(),
    };
    Gap { what, why: why(error), effect: listing.effect.to_owned() }
}

fn config_gap(name: &str, namespace: &str, why: &str) -> Gap {
    Gap {
        what: format!("configmap {name} in \"{namespace}\""),
        why: why.to_owned(),
        effect: "the controller's instance ID is not known".to_owned(),
    }
}

pub(crate) fn why(error: &Error) -> String {
    match error.kind {
        ErrorKind::Forbidden => "forbidden".to_owned(),
        _ => error.brief().to_owned(),
    }
}
