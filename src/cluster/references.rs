//! Reads from the cluster what else may refer to an artifact, or pin it.

use crate::cluster::api_client::with_query;
use crate::cluster::client::Cluster;
use crate::cluster::gathering::Gathering;
use crate::cluster::paging::{Course, continue_token};
use crate::cluster::referrers::{ARGO, Pins, REFERRERS, Referrer, WORKFLOWS};
use crate::cluster::unread::{Unread, UnreadSource};
use crate::error::{Error, ErrorKind};
use argo_gc_core::argo::meta::Meta;
use argo_gc_core::argo::names;
use argo_gc_core::argo::related::ConfigMap;
use argo_gc_core::argo::workflow::Workflow;
use argo_gc_core::model::context::Controllers;
use argo_gc_core::plan::rules::Allowed;
use futures::future::join_all;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

impl Cluster {
    /// Reads what pods reported and no node may record yet, and returns what can't be read: it may refer to anything.
    pub async fn results(&self, gathering: &mut Gathering) -> Vec<Unread> {
        let mut pins = Pins::default();
        for referrer in REFERRERS.iter().filter(|referrer| referrer.source == UnreadSource::Nodes) {
            if let Err(error) = self.referrer(referrer, None, gathering, &mut pins).await {
                pins.unread.push(Unread::new(referrer.source, format!("task results: {}", error.brief())));
            }
        }
        pins.unread
    }

    /// Reads everything but workflows and task results that refers to artifacts or pins them, in all namespaces.
    /// A kind that may not be listed in all namespaces is unread, and is still read in `namespace`.
    pub async fn beside(&self, namespace: Option<&str>, gathering: &mut Gathering) -> Pins {
        let mut pins = Pins::default();
        for referrer in REFERRERS.iter().filter(|referrer| referrer.source != UnreadSource::Nodes) {
            let Err(error) = self.referrer(referrer, None, gathering, &mut pins).await else { continue };
            let forbidden = error.kind == ErrorKind::Forbidden;
            let why = if forbidden { "forbidden" } else { error.brief() };
            pins.unread.push(Unread::new(referrer.source, why));
            let Some(namespace) = namespace.filter(|_| forbidden) else { continue };
            let one = match referrer.source {
                UnreadSource::Namespaces => self.namespace_pin(namespace, &mut pins).await,
                _ if referrer.namespaced => {
                    self.referrer(referrer, Some(namespace), gathering, &mut pins).await
                }
                _ => continue,
            };
            if let Err(error) = one {
                let why = format!("nor in \"{namespace}\": {}", error.brief());
                pins.unread.push(Unread::new(referrer.source, why));
            }
        }
        pins
    }

    /// The sources that the user may not list in all namespaces, which a purge does. What the server does not say is left out.
    pub async fn unlistable(&self) -> Vec<Unread> {
        let reviews = REFERRERS.iter().chain([&WORKFLOWS]).map(|referrer| async move {
            let group = if referrer.group == ARGO { "argoproj.io" } else { "" };
            let answer = self.is_allowed("list", (group, referrer.resource), "").await;
            (answer == Some(false)).then(|| Unread::new(referrer.source, "forbidden"))
        });
        let mut unread: Vec<Unread> = join_all(reviews).await.into_iter().flatten().collect();
        unread.dedup();
        unread
    }

    async fn namespace_pin(&self, namespace: &str, pins: &mut Pins) -> Result<(), Error> {
        #[derive(Deserialize)]
        struct Namespace {
            metadata: Meta,
        }
        let body = self.get(&format!("/api/v1/namespaces/{namespace}")).await?;
        let Namespace { metadata } = serde_json::from_slice(&body).map_err(Error::new)?;
        if metadata.is_pinned() {
            pins.pinned_namespaces.insert(metadata.name);
        }
        Ok(())
    }

    /// Reads all objects of a kind, in one namespace or (none) in all.
    async fn referrer(
        &self,
        referrer: &Referrer,
        namespace: Option<&str>,
        gathering: &mut Gathering,
        pins: &mut Pins,
    ) -> Result<(), Error> {
        #[derive(Deserialize)]
        struct List<'a> {
            #[serde(borrow)]
            items: Vec<&'a RawValue>,
        }
        let path = match namespace {
            None => format!("{}/{}", referrer.group, referrer.resource),
            Some(namespace) => format!("{}/namespaces/{namespace}/{}", referrer.group, referrer.resource),
        };
        let selector = referrer.label.map(|(name, value)| format!("{name}={value}"));
        let mut course = Course::default();
        loop {
            let mut query = vec![("limit", "500")];
            query.extend(selector.as_deref().map(|selector| ("labelSelector", selector)));
            query.extend(course.token().map(|token| ("continue", token)));
            let body = match self.get(&with_query(&path, &query)).await {
                // A kind the server doesn't know has no objects.
                Err(error) if error.is_not_found() && referrer.group == ARGO => return Ok(()),
                other => other?,
            };
            let broken = |error: serde_json::Error| {
                Error::new(format!("the server's list of {}: {error}", referrer.source)).caused_by(error)
            };
            let list: List<'_> = serde_json::from_slice(&body).map_err(broken)?;
            let page_is_empty = list.items.is_empty();
            for item in list.items {
                // An object that makes no sense may refer to anything. The others are read.
                if let Err(unreadable) = referrer.add(item.get(), gathering, pins) {
                    pins.unread.push(unreadable.as_unread(referrer.source));
                }
            }
            let next = continue_token(&body).map_err(broken)?;
            if !course.goes_on(next, page_is_empty)? {
                return Ok(());
            }
        }
    }

    /// The repositories that say where a purge may delete: those of the controllers' ConfigMaps, and of the
    /// `artifact-repositories` ConfigMaps beside them and in the namespace that the user named. What users of any other
    /// namespace can write allows nothing: not its ConfigMap, and not a controller that may manage it alone.
    pub async fn repositories(&self, controllers: &Controllers, named: Option<&str>) -> Allowed {
        let mut maps = BTreeMap::new();
        self.repository_maps(controllers, named, &mut maps).await;
        Allowed::configured(controllers, named, &maps)
    }

    /// Reads the `artifact-repositories` ConfigMaps that say where a purge may delete, by namespace, but for those that are
    /// there already.
    pub async fn repository_maps(
        &self,
        controllers: &Controllers,
        named: Option<&str>,
        maps: &mut BTreeMap<String, ConfigMap>,
    ) {
        for namespace in Allowed::default().add_controllers(controllers, named) {
            if maps.contains_key(namespace) {
                continue;
            }
            let path = format!("/api/v1/namespaces/{namespace}/configmaps/{}", names::REPOSITORIES);
            if let Ok(body) = self.get(&path).await
                && let Ok(config) = serde_json::from_slice::<ConfigMap>(&body)
            {
                maps.insert(namespace.to_owned(), config);
            }
        }
    }

    /// The UID of the `kube-system` namespace, which identifies a cluster; none when it can't be read.
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

/// The templates that a workflow was made from, as [`Pins::pinned_templates`] names them.
pub fn template_of(workflow: &Workflow) -> Vec<(String, String)> {
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
