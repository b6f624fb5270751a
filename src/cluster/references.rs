//! What else may refer to an artifact, or pin it: caches, templates, cron workflows, sensors, namespaces.

use crate::cluster::client::Cluster;
use crate::cluster::pages::continue_token;
use crate::error::{Error, ErrorKind};
use argo_gc_core::argo::meta::Meta;
use argo_gc_core::argo::related::ConfigMap;
use argo_gc_core::argo::uses::Uses;
use argo_gc_core::argo::{config, names};
use argo_gc_core::model::context::Controllers;
use argo_gc_core::plan::references::{Buckets, ReferencesBuilder};
use argo_gc_core::plan::rules::{Allowed, constant_prefix};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashSet};
use std::fmt;

const ARGO: &str = "/apis/argoproj.io/v1alpha1";

/// A source of references, or of pins, that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// What `--accept-unread` calls it.
    pub source: &'static str,
    pub why: String,
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.source, self.why)
    }
}

/// All that stands beside the workflows and keeps their artifacts.
#[derive(Debug, Clone, Default)]
pub struct Pins {
    /// Namespaces that are pinned.
    pub pinned_namespaces: HashSet<String>,
    /// Templates that are pinned, by `(namespace, name)`; an empty namespace stands for cluster templates.
    pub pinned_templates: HashSet<(String, String)>,
    pub unread: Vec<Unread>,
}

/// One kind that may name locations.
struct Source {
    /// What `--accept-unread` calls it.
    name: &'static str,
    /// What one of its objects is called in a protection's detail.
    what: &'static str,
    group: &'static str,
    resource: &'static str,
    namespaced: bool,
    query: &'static [(&'static str, &'static str)],
}

const SOURCES: [Source; 7] = [
    Source {
        name: "caches",
        what: "cache",
        group: "/api/v1",
        resource: "configmaps",
        namespaced: true,
        query: &[("labelSelector", "workflows.argoproj.io/configmap-type=Cache")],
    },
    Source {
        name: "templates",
        what: "workflow template",
        group: ARGO,
        resource: "workflowtemplates",
        namespaced: true,
        query: &[],
    },
    Source {
        name: "cluster-templates",
        what: "cluster workflow template",
        group: ARGO,
        resource: "clusterworkflowtemplates",
        namespaced: false,
        query: &[],
    },
    Source {
        name: "cron-workflows",
        what: "cron workflow",
        group: ARGO,
        resource: "cronworkflows",
        namespaced: true,
        query: &[],
    },
    Source {
        name: "sensors",
        what: "sensor",
        group: ARGO,
        resource: "sensors",
        namespaced: true,
        query: &[],
    },
    // Like sensors, they submit workflows with arguments of their own.
    Source {
        name: "sensors",
        what: "workflow event binding",
        group: ARGO,
        resource: "workfloweventbindings",
        namespaced: true,
        query: &[],
    },
    Source {
        name: "namespaces",
        what: "namespace",
        group: "/api/v1",
        resource: "namespaces",
        namespaced: false,
        query: &[],
    },
];

/// What pods report before their nodes record it.
const RESULTS: Source = Source {
    name: "nodes",
    what: "task result",
    group: ARGO,
    resource: "workflowtaskresults",
    namespaced: true,
    query: &[],
};

impl Cluster {
    /// Reads what pods report and no node may record yet; what can't be read may name anything.
    pub async fn results(&self, gathering: &mut ReferencesBuilder) -> Option<Unread> {
        let error = self.source(&RESULTS, None, gathering, &mut Pins::default()).await.err()?;
        Some(Unread { source: RESULTS.name, why: format!("task results: {}", error.brief()) })
    }

    /// Reads everything beside the workflows that refers to artifacts or pins them, in all namespaces. Where all
    /// are forbidden that is a gap, and still the one namespace is read.
    pub async fn beside(&self, namespace: Option<&str>, gathering: &mut ReferencesBuilder) -> Pins {
        let mut beside = Pins::default();
        for source in &SOURCES {
            let Err(error) = self.source(source, None, gathering, &mut beside).await else { continue };
            let forbidden = error.kind == ErrorKind::Forbidden;
            let why = if forbidden { "forbidden".to_owned() } else { error.brief().to_owned() };
            beside.unread.push(Unread { source: source.name, why });
            let Some(namespace) = namespace.filter(|_| forbidden) else { continue };
            let one = match source.name {
                "namespaces" => self.namespace_pin(namespace, &mut beside).await,
                _ if source.namespaced => self.source(source, Some(namespace), gathering, &mut beside).await,
                _ => continue,
            };
            if let Err(error) = one {
                let why = format!("nor in \"{namespace}\": {}", error.brief());
                beside.unread.push(Unread { source: source.name, why });
            }
        }
        beside
    }

    async fn namespace_pin(&self, namespace: &str, beside: &mut Pins) -> Result<(), Error> {
        #[derive(Deserialize)]
        struct Namespace {
            metadata: Meta,
        }
        let body = self.get(&format!("/api/v1/namespaces/{namespace}")).await?;
        let Namespace { metadata } = serde_json::from_slice(&body).map_err(Error::new)?;
        if metadata.is_pinned() {
            beside.pinned_namespaces.insert(metadata.name);
        }
        Ok(())
    }

    async fn source(
        &self,
        source: &Source,
        namespace: Option<&str>,
        gathering: &mut ReferencesBuilder,
        beside: &mut Pins,
    ) -> Result<(), Error> {
        #[derive(Deserialize)]
        struct List<'a> {
            #[serde(borrow)]
            items: Vec<&'a RawValue>,
        }
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Object {
            metadata: Meta,
            data: Option<BTreeMap<String, String>>,
        }
        let path = match namespace {
            None => format!("{}/{}", source.group, source.resource),
            Some(namespace) => format!("{}/namespaces/{namespace}/{}", source.group, source.resource),
        };
        let mut token: Option<String> = None;
        loop {
            let mut query = source.query.to_vec();
            query.push(("limit", "500"));
            query.extend(token.as_deref().map(|token| ("continue", token)));
            let body = match self.get(&crate::cluster::api_client::with_query(&path, &query)).await {
                // A kind the server doesn't know has no objects.
                Err(error) if error.kind == ErrorKind::NotFound && source.group == ARGO => return Ok(()),
                other => other?,
            };
            let broken = |error: serde_json::Error| {
                Error::new(format!("the server's list of {}: {error}", source.name))
            };
            let list: List<'_> = serde_json::from_slice(&body).map_err(broken)?;
            for item in list.items {
                let Object { metadata: meta, data } = serde_json::from_str(item.get()).map_err(broken)?;
                match source.name {
                    "namespaces" if meta.is_pinned() => {
                        beside.pinned_namespaces.insert(meta.name);
                        continue;
                    }
                    "namespaces" => continue,
                    "templates" | "cluster-templates" if meta.is_pinned() => {
                        beside.pinned_templates.insert((meta.namespace.clone(), meta.name.clone()));
                    }
                    _ => {}
                }
                let name = match meta.namespace.as_str() {
                    "" => format!("{} {}", source.what, meta.name),
                    namespace => format!("{} {namespace}/{}", source.what, meta.name),
                };
                let by = gathering.referrer(name, String::new());
                // A cache's entries are JSON within strings.
                let texts: Vec<&str> = match &data {
                    Some(data) if source.name == "caches" => data.values().map(String::as_str).collect(),
                    _ => vec![item.get()],
                };
                for text in texts {
                    let Uses(uses) = serde_json::from_str(text).map_err(broken)?;
                    uses.iter().for_each(|found| gathering.add(by, found, &Buckets::default(), true));
                }
            }
            token = continue_token(&body).map_err(broken)?;
            if token.is_none() {
                return Ok(());
            }
        }
    }

    /// The repositories of the cluster's own configuration: the controllers' ConfigMaps, and the
    /// `artifact-repositories` ConfigMaps beside them. A namespace's own is its users' word and not taken.
    pub async fn repositories(&self, controllers: &Controllers) -> Allowed {
        let mut allowed = Allowed::default();
        let mut add = |repository: &config::Repository| {
            if let Some(bucket) = repository.location.place() {
                allowed.add(bucket, constant_prefix(&repository.key_format));
            }
        };
        for controller in &controllers.seen {
            if let Some(repository) = controller.config.as_ref().and_then(|config| config.repository.as_ref())
            {
                add(repository);
            }
            let path =
                format!("/api/v1/namespaces/{}/configmaps/artifact-repositories", controller.namespace);
            if let Ok(body) = self.get(&path).await
                && let Ok(config) = serde_json::from_slice::<ConfigMap>(&body)
            {
                let (entries, _) = config::repositories(&config);
                entries.values().filter_map(|entry| entry.as_ref().ok()?.as_ref()).for_each(&mut add);
            }
        }
        allowed
    }

    /// The UID of the `kube-system` namespace, which tells clusters apart; none when it can't be read.
    pub async fn uid(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Namespace {
            metadata: Meta,
        }
        let body = self.get("/api/v1/namespaces/kube-system").await.ok()?;
        let namespace: Namespace = serde_json::from_slice(&body).ok()?;
        Some(namespace.metadata.uid).filter(|uid| !uid.is_empty())
    }
}

/// The template a workflow was made from, as [`Pins::pinned_templates`] names it.
pub fn template_of(workflow: &argo_gc_core::argo::workflow::Workflow) -> Vec<(String, String)> {
    let meta = &workflow.metadata;
    let mut templates = Vec::new();
    if let Some(reference) = &workflow.spec.workflow_template_ref {
        let namespace = if reference.cluster_scope { String::new() } else { meta.namespace.clone() };
        templates.push((namespace, reference.name.clone()));
    }
    for (label, namespace) in
        [(names::WORKFLOW_TEMPLATE, meta.namespace.as_str()), (names::CLUSTER_WORKFLOW_TEMPLATE, "")]
    {
        if !meta.label(label).is_empty() {
            templates.push((namespace.to_owned(), meta.label(label).to_owned()));
        }
    }
    templates
}
