//! What is known of the cluster, and what of it counts for one root: the controller's settings, the repository, and the
//! service accounts of GC pods.

use crate::argo::config::{ControllerConfig, Repository, repositories};
use crate::argo::names;
use crate::argo::related::ConfigMap;
use crate::argo::version::{NEWEST, Version};
use crate::lint::model::{RepositoryRef, Spec};
use crate::lint::path::FieldPath;
use crate::model::account::Account;
use crate::model::context::Controller;
use std::collections::BTreeMap;

/// The controllers' settings, and the version that is predicted for.
#[derive(Debug, Clone)]
pub struct Settings {
    pub version: Version,
    /// What is known of the service accounts of GC pods: nothing is amiss, or what is. The namespace is empty if the manifest
    /// names none.
    pub accounts: BTreeMap<Account, Result<(), String>>,
    controllers: Vec<Known>,
    /// ConfigMaps with repositories, by namespace and name.
    repositories: BTreeMap<(String, String), Repositories>,
}

/// A controller, with its `workflowDefaults` as a spec.
#[derive(Debug, Clone)]
struct Known {
    controller: Controller,
    defaults: Option<Spec>,
}

/// The repositories of a ConfigMap, by their keys.
#[derive(Debug, Clone)]
struct Repositories {
    entries: BTreeMap<String, Repository>,
    default: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        let (accounts, repositories) = (BTreeMap::new(), BTreeMap::new());
        Self { version: NEWEST, accounts, controllers: Vec::new(), repositories }
    }
}

/// What counts for one root.
#[derive(Debug, Clone)]
pub(crate) struct Local<'s> {
    pub version: Version,
    /// The repository of artifacts without a location; none if it is unknown.
    pub repository: Option<&'s Repository>,
    /// The controller's `workflowDefaults`.
    pub defaults: Option<&'s Spec>,
    /// The controller's instance ID; empty if it has none or none is known.
    pub instance_id: &'s str,
    /// True if the controller is known to collect nothing.
    pub switched_off: bool,
}

impl Settings {
    /// Adds a controller; returns what of its settings can't be understood.
    pub fn add_controller(&mut self, controller: Controller) -> Vec<String> {
        const MATTER: [&str; 4] = ["config:", "artifactRepository:", "workflowDefaults:", "instanceID:"];
        let config = controller.config.as_ref();
        let told = config.into_iter().flat_map(|config| &config.problems);
        let told = told.filter(|problem| MATTER.iter().any(|setting| problem.starts_with(setting)));
        let mut problems: Vec<String> = told.cloned().collect();
        let spec = config.map(|config| &config.default_spec).filter(|spec| !spec.is_null());
        let at = FieldPath::default().key("workflowDefaults").key("spec");
        let defaults = spec.map(|spec| Spec::read(spec, &at)).transpose();
        let defaults = defaults.unwrap_or_else(|error| {
            problems.push(format!("{}: {}", error.path, error.message));
            None
        });
        self.controllers.push(Known { controller, defaults });
        problems.sort();
        problems.dedup();
        problems
    }

    /// Adds the controller of a ConfigMap whose Deployment was not given.
    pub fn add_configuration(&mut self, config: &ConfigMap) -> Vec<String> {
        let mut controller =
            Controller { namespace: config.metadata.namespace.clone(), ..Controller::default() };
        controller.apply_config(config);
        self.add_controller(controller)
    }

    /// Adds the repositories of a ConfigMap.
    pub fn add_repositories(&mut self, config: &ConfigMap) {
        let found = repositories(config);
        let entries = found.entries.into_iter();
        let entries = entries.filter_map(|(key, entry)| Some((key.to_owned(), entry.ok()??)));
        let default = found.default.map(str::to_owned);
        let known = Repositories { entries: entries.collect(), default };
        self.repositories.insert((config.metadata.namespace.clone(), config.metadata.name.clone()), known);
    }

    /// Returns the version of all controllers, if they have one and the same.
    pub fn controllers_version(&self) -> Option<Version> {
        let mut versions = self.controllers.iter().map(|known| known.controller.version);
        let first = versions.next()??;
        versions.all(|other| other == Some(first)).then_some(first)
    }

    /// Returns what counts for a workflow of this namespace (empty if unknown) and instance ID (empty if it names none).
    /// The references to a repository are those of its spec and its template's; those of the defaults come last.
    pub(crate) fn local<'s>(
        &'s self,
        namespace: &str,
        instance_id: &str,
        references: &[&'s RepositoryRef],
    ) -> Local<'s> {
        let known = self.known(namespace, instance_id);
        let config = known.and_then(|known| known.controller.config.as_ref());
        let defaults = known.and_then(|known| known.defaults.as_ref());
        let own = references.iter().copied().chain(defaults.and_then(|spec| spec.repository.as_ref()));
        let own: Vec<&RepositoryRef> = own.collect();
        let beside = known.map_or("", |known| known.controller.namespace.as_str());
        Local {
            version: self.version,
            repository: self.repository(namespace, beside, &own, config),
            defaults,
            instance_id: config.and_then(|config| config.instance_id.as_deref()).unwrap_or_default(),
            switched_off: known.is_some_and(|known| known.controller.gc_enabled == Some(false)),
        }
    }

    /// Returns the controller that manages a workflow. The command line of `argo` sets the label of an instance ID, so a
    /// manifest without it may be any controller's.
    fn known(&self, namespace: &str, instance_id: &str) -> Option<&Known> {
        let reaches = |known: &&Known| {
            let only = [&known.controller.managed_namespace, &known.controller.within];
            only.into_iter().flatten().all(|only| namespace.is_empty() || only == namespace)
        };
        let mut managing = self.controllers.iter().filter(reaches);
        let exact =
            managing.clone().find(|known| known.controller.instance_id.as_deref() == Some(instance_id));
        exact.or_else(|| managing.next().filter(|_| instance_id.is_empty()))
    }

    /// Returns the repository of a workflow (`docs/argo-gc.md#repository-reference`): that of a reference, else the default of its
    /// namespace, else the controller's.
    fn repository<'s>(
        &'s self,
        namespace: &str,
        controllers_namespace: &str,
        references: &[&RepositoryRef],
        config: Option<&'s ControllerConfig>,
    ) -> Option<&'s Repository> {
        let set = |field: fn(&RepositoryRef) -> &String| {
            let mut values = references.iter().map(|reference| field(reference).as_str());
            values.find(|value| !value.is_empty())
        };
        let name = set(|reference| &reference.config_map).unwrap_or(names::REPOSITORIES);
        let own = self.repositories_in(namespace, name);
        let found = match references.is_empty() {
            false => own.or_else(|| self.repositories_in(controllers_namespace, name)),
            true => own,
        };
        match found {
            Some(found) => {
                let key = set(|reference| &reference.key).or(found.default.as_deref())?;
                found.entries.get(key)
            }
            // A ConfigMap that is referred to and was not given holds anything.
            None if !references.is_empty() => None,
            None => config?.repository.as_ref(),
        }
    }

    /// Returns the ConfigMap of a namespace. One without a namespace is in that of whatever is applied with it.
    fn repositories_in(&self, namespace: &str, name: &str) -> Option<&Repositories> {
        let at = |namespace: &str| self.repositories.get(&(namespace.to_owned(), name.to_owned()));
        at(namespace).or_else(|| at("")).or_else(|| {
            let mut all = self.repositories.iter().filter(|((_, other), _)| other == name);
            let only = all.next().filter(|_| namespace.is_empty() && all.next().is_none());
            only.map(|(_, found)| found)
        })
    }
}
