//! Reads the workflow controllers, and asks the API server which of them may manage workflows. Everybody can make a
//! Deployment whose image has a controller's name, so the name proves nothing (`docs/dangers.md`, danger 33).

use crate::cluster::client::Cluster;
use crate::cluster::listing::{Listing, gap, why};
use argo_gc_core::argo::list::Item;
use argo_gc_core::argo::related::{ConfigMap, Deployment};
use argo_gc_core::model::account::{Action, Answer, ControllerRights};
use argo_gc_core::model::context::{Controller, Controllers, Distrust, RelatedKind, Uncounted};
use argo_gc_core::model::gap::Gap;
use std::collections::{BTreeMap, BTreeSet};

/// How many Deployments that look like a controller are reviewed at most.
const MAX_CONTROLLERS: usize = 200;

/// What a controller does to workflows.
const MANAGES: [&str; 3] = ["list", "update", "delete"];

const DEPLOYMENTS: Listing = Listing {
    kind: RelatedKind::Deployments,
    resource: "deployments",
    group: "/apis/apps/v1",
    namespaced: true,
    query: &[],
    effect: "the controller's version and settings are not known for certain; --argo-version gives the version",
};

/// Which controllers are of interest.
#[derive(Debug, Clone, Copy, Default)]
pub struct ControllerQuery<'a> {
    /// The namespace whose workflows are looked at; none for all.
    pub namespace: Option<&'a str>,
    /// The namespace that the user says has the controllers. No other one counts then, and none is reviewed.
    pub named: Option<&'a str>,
}

/// Where a controller counts.
enum Reach {
    Everywhere,
    Within(String),
    Elsewhere,
    Nowhere(Distrust),
}

/// The answers so far, by account and the namespace in question.
type Answers = BTreeMap<(String, String, String), Result<bool, String>>;

impl Cluster {
    /// Reads the controllers that count, with their ConfigMaps, and names those that don't.
    pub(crate) async fn controllers(&self, query: ControllerQuery<'_>) -> (Controllers, Vec<Gap>) {
        let (deployments, mut gaps) = self.deployments(query).await;
        let mut controllers = Controllers { complete: gaps.is_empty(), ..Controllers::default() };
        let mut answers = Answers::new();
        let mut met: BTreeSet<(String, String)> = BTreeSet::new();
        for deployment in deployments {
            let Some(mut controller) = Controller::from_deployment(&deployment) else { continue };
            let name = (controller.namespace.clone(), controller.name.clone());
            if !met.insert(name) {
                continue;
            }
            let reach = match met.len() <= MAX_CONTROLLERS {
                true => self.reach(&controller, query, &mut answers).await,
                false => Reach::Nowhere(Distrust::Unreviewed(format!("only {MAX_CONTROLLERS} are reviewed"))),
            };
            match reach {
                Reach::Everywhere => {}
                Reach::Within(namespace) => controller.within = Some(namespace),
                Reach::Elsewhere => continue,
                Reach::Nowhere(why) => {
                    let Controller { namespace, name, .. } = controller;
                    // It may be the one that manages everything.
                    controllers.complete &= why == Distrust::MayNotManage;
                    controllers.uncounted.push(Uncounted { namespace, name, why });
                    continue;
                }
            }
            gaps.extend(self.configure(&mut controller, &deployment).await);
            controllers.seen.push(controller);
        }
        if let Some(named) = query.named.filter(|_| controllers.seen.is_empty() && controllers.complete) {
            controllers.complete = false;
            gaps.push(Gap {
                what: format!("controllers in \"{named}\""),
                why: "no Deployment there runs a workflow-controller".to_owned(),
                effect: "no controller's settings count".to_owned(),
            });
        }
        gaps.extend(unreviewed(&controllers));
        (controllers, gaps)
    }

    /// Lists the Deployments that may run a controller; with a gap if there may be others.
    async fn deployments(&self, query: ControllerQuery<'_>) -> (Vec<Deployment>, Vec<Gap>) {
        let mut found = Vec::new();
        let mut gaps = Vec::new();
        match self.list::<Deployment>(&DEPLOYMENTS, query.named).await {
            Ok(deployments) => found = deployments,
            Err(error) => {
                gaps.push(gap(&DEPLOYMENTS, query.named, &error));
                // Controllers are usually in these namespaces; a namespaced one is in the namespace itself.
                let places = [query.namespace.unwrap_or("argo"), "argo", "argo-workflows"];
                for place in places.into_iter().filter(|_| query.named.is_none()) {
                    if let Ok(more) = self.list::<Deployment>(&DEPLOYMENTS, Some(place)).await {
                        found.extend(more);
                    }
                }
            }
        }
        let deployment = |item| match item {
            Item::Object(deployment) => Some(*deployment),
            Item::Malformed(_) => None,
        };
        (found.into_iter().filter_map(deployment).collect(), gaps)
    }

    /// Decides where a controller counts, by what its service account may do.
    async fn reach(
        &self,
        controller: &Controller,
        query: ControllerQuery<'_>,
        answers: &mut Answers,
    ) -> Reach {
        if query.named.is_some() {
            return Reach::Everywhere;
        }
        let managed = controller.managed_namespace.as_ref();
        let place = query.namespace.unwrap_or(managed.unwrap_or(&controller.namespace));
        let elsewhere = managed.is_some_and(|managed| managed != place);
        match self.manages(controller, "", answers).await {
            Ok(true) => return Reach::Everywhere,
            // Whatever it may do, it looks after another namespace.
            _ if elsewhere => return Reach::Elsewhere,
            // Whoever names a namespace, or is in it, says that its own controller counts there.
            Err(_) if query.namespace == Some(&controller.namespace) => {
                return Reach::Within(controller.namespace.clone());
            }
            Err(why) => return Reach::Nowhere(Distrust::Unreviewed(why)),
            Ok(false) => {}
        }
        match self.manages(controller, place, answers).await {
            Ok(true) => Reach::Within(place.to_owned()),
            Ok(false) => Reach::Nowhere(Distrust::MayNotManage),
            Err(why) => Reach::Nowhere(Distrust::Unreviewed(why)),
        }
    }

    /// Whether a controller's account may manage the workflows of a namespace, or (empty) of all; else why this is unknown.
    async fn manages(
        &self,
        controller: &Controller,
        within: &str,
        answers: &mut Answers,
    ) -> Result<bool, String> {
        let Controller { namespace, account, .. } = controller;
        let question = (namespace.clone(), account.clone(), within.to_owned());
        if let Some(known) = answers.get(&question) {
            return known.clone();
        }
        let mut answer = Ok(true);
        for verb in MANAGES {
            let action = Action { verb, group: "argoproj.io", resource: "workflows", subresource: "" };
            let asked = self.account_may(&controller.account(), action, within).await;
            answer = asked.map_err(|error| why(&error));
            if answer != Ok(true) {
                break;
            }
        }
        answers.insert(question, answer.clone());
        answer
    }

    /// Asks what the accounts of the controllers may do for artifact GC, in the namespace whose workflows are looked at or
    /// in all. What can't be asked is unknown.
    pub(crate) async fn review_controllers(&self, controllers: &mut Controllers, namespace: Option<&str>) {
        for controller in controllers.seen.iter_mut().take(MAX_CONTROLLERS) {
            let own = controller.managed_namespace.as_deref().or(controller.within.as_deref());
            let within = namespace.or(own).unwrap_or_default();
            let account = controller.account();
            let ask = async |action: Action| {
                self.account_may(&account, action, within).await.map_or(Answer::Unknown, Answer::from)
            };
            let owns = ask(Action::OF_OWNER).await;
            let mut rights = ControllerRights { owns, ..ControllerRights::default() };
            // Nobody who is not told once is told a second time.
            if owns != Answer::Unknown {
                for action in Action::OF_CONTROLLER {
                    let lacks = ask(action).await == Answer::No;
                    rights.lacks.extend(lacks.then_some(action).filter(|action| is_of_all(*action, within)));
                }
            }
            if within.is_empty() && owns == Answer::No {
                rights.owns = Answer::Unknown;
            }
            controller.rights = Some(rights);
        }
    }

    /// Reads the ConfigMap of a controller; returns what could not be read or understood of it.
    async fn configure(&self, controller: &mut Controller, deployment: &Deployment) -> Option<Gap> {
        let name = Controller::config_map_name(deployment);
        let path = format!("/api/v1/namespaces/{}/configmaps/{name}", controller.namespace);
        let config = match self.get(&path).await {
            Ok(body) => serde_json::from_slice::<ConfigMap>(&body).map_err(|error| error.to_string()),
            Err(error) if error.is_not_found() => Ok(ConfigMap::default()),
            Err(error) => Err(why(&error)),
        };
        let unknown = match config {
            Ok(config) => {
                controller.apply_config(&config);
                let config = controller.config.as_ref().filter(|_| controller.instance_id.is_none());
                config.map(|config| config.problems.join("; "))
            }
            Err(why) => Some(why),
        };
        unknown.map(|why| Gap {
            what: format!("configmap {name} in \"{}\"", controller.namespace),
            why,
            effect: "the controller's instance ID is not known".to_owned(),
        })
    }
}

/// Whether a controller needs this permission where it was asked for. What it watches, it watches in all namespaces; what it
/// makes in each it may also be granted in each.
fn is_of_all(action: Action, within: &str) -> bool {
    !within.is_empty() || matches!(action.verb, "list" | "watch")
}

/// Says for which controllers it is unknown whether they may manage workflows, and what would settle it.
pub fn unreviewed(controllers: &Controllers) -> Option<Gap> {
    let unreviewed = controllers.uncounted.iter().filter_map(|uncounted| match &uncounted.why {
        Distrust::Unreviewed(why) => Some((uncounted, why)),
        Distrust::MayNotManage => None,
    });
    let unreviewed: Vec<(&Uncounted, &String)> = unreviewed.collect();
    let (first, why) = *unreviewed.first()?;
    let more =
        if unreviewed.len() > 1 { format!(" and {} more", unreviewed.len() - 1) } else { String::new() };
    Some(Gap {
        what: "access reviews of controllers".to_owned(),
        why: why.clone(),
        effect: format!(
            "{}/{}{more} may not be allowed to manage workflows, so its settings and repositories do not count; \
             --controller-namespace {} says that they do",
            first.namespace, first.name, first.namespace
        ),
    })
}
