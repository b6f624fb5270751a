//! Reads workflow templates and cron workflows from the API server, for `lint`.

use crate::cluster::accounts::REPOSITORIES;
use crate::cluster::client::Cluster;
use crate::cluster::controllers::ControllerQuery;
use crate::cluster::listing::{Listing, gap};
use crate::cluster::referrers::ARGO;
use crate::error::Error;
use argo_gc_core::argo::list::{Item, Malformed};
use argo_gc_core::argo::related::ConfigMap;
use argo_gc_core::lint::types::ManifestKind;
use argo_gc_core::model::context::{Controllers, RelatedKind};
use argo_gc_core::model::gap::Gap;
use serde_json::Value;

/// The kinds that have templates.
const LISTINGS: [(ManifestKind, Listing); 3] = [
    (ManifestKind::WorkflowTemplate, listing("workflowtemplates", true)),
    (ManifestKind::ClusterWorkflowTemplate, listing("clusterworkflowtemplates", false)),
    (ManifestKind::CronWorkflow, listing("cronworkflows", true)),
];

const fn listing(resource: &'static str, namespaced: bool) -> Listing {
    Listing {
        kind: RelatedKind::WorkflowTemplates,
        resource,
        group: ARGO,
        namespaced,
        query: &[],
        effect: "what they will leave behind, and what refers to them, is not known",
    }
}

/// Everything that `lint` reads from a cluster.
#[derive(Debug, Default)]
pub struct Manifests {
    pub objects: Vec<(ManifestKind, Value)>,
    pub malformed: Vec<Malformed>,
    pub controllers: Controllers,
    /// The ConfigMaps of artifact repositories.
    pub repositories: Vec<ConfigMap>,
    pub gaps: Vec<Gap>,
}

impl Cluster {
    /// Reads the templates and cron workflows of the query's namespace, or (none) of all, and the controllers.
    ///
    /// # Errors
    /// None of the kinds could be listed.
    pub async fn manifests(&self, query: ControllerQuery<'_>) -> Result<Manifests, Error> {
        let namespace = query.namespace;
        let mut manifests = Manifests::default();
        let mut first = None;
        for (kind, listing) in &LISTINGS {
            match self.list::<Value>(listing, namespace).await {
                Ok(items) => items.into_iter().for_each(|item| match item {
                    Item::Object(object) => manifests.objects.push((*kind, *object)),
                    Item::Malformed(malformed) => manifests.malformed.push(malformed),
                }),
                Err(error) => {
                    manifests.gaps.push(gap(listing, namespace, &error));
                    first = first.or(Some(error));
                }
            }
        }
        if let Some(error) = first.filter(|_| manifests.gaps.len() == LISTINGS.len()) {
            return Err(error);
        }
        match self.list::<ConfigMap>(&REPOSITORIES, namespace).await {
            Ok(items) => items.into_iter().for_each(|item| match item {
                Item::Object(config) => manifests.repositories.push(*config),
                Item::Malformed(malformed) => manifests.malformed.push(malformed),
            }),
            Err(error) => manifests.gaps.push(gap(&REPOSITORIES, namespace, &error)),
        }
        let (controllers, gaps) = self.controllers(query).await;
        manifests.gaps.extend(gaps);
        manifests.controllers = controllers;
        Ok(manifests)
    }
}
