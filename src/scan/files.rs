//! Objects of files: those beside the workflows, and all of them at once for verbs that delete.

use crate::cluster::gathering::Gathering;
use crate::cluster::referrers::{Pins, Referrer};
use crate::error::Error;
use crate::files;
use crate::files::{Input, Object};
use argo_gc_core::argo::names;
use argo_gc_core::argo::related::{ConfigMap, Deployment};
use argo_gc_core::argo::version::Version;
use argo_gc_core::model::account::Account;
use argo_gc_core::model::context::{Context, Controller, Controllers, Related};
use argo_gc_core::model::roles::Roles;
use argo_gc_core::plan::rules::Allowed;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;

/// Objects beside the workflows, until they can be put together.
#[derive(Default)]
pub(crate) struct FileContext {
    related: Vec<Object>,
    deployments: Vec<Deployment>,
    configs: BTreeMap<(String, String), ConfigMap>,
}

impl FileContext {
    pub fn add(&mut self, object: Object) {
        match object {
            Object::Deployment(deployment) => self.deployments.push(*deployment),
            Object::ConfigMap(config) => {
                let key = (config.metadata.namespace.clone(), config.metadata.name.clone());
                self.configs.insert(key, *config);
            }
            Object::Workflow(_) | Object::Other(_) | Object::Malformed(_) => {}
            object => self.related.push(object),
        }
    }

    /// Moves what was gathered into the context. Files are never known to be complete.
    /// Nobody can be asked what the account of a controller may do, so each counts, unless the user named the namespace
    /// of those that do.
    pub fn settle(&mut self, context: &mut Context, version: Option<Version>, named: Option<&str>) {
        for object in self.related.drain(..) {
            let related = &mut context.related;
            match object {
                Object::GcTask(task) => related.add_task(*task),
                Object::Pod(pod) => related.add_pod(*pod),
                Object::Event(event) => related.add_event(*event),
                Object::TaskResult(result) => related.add_result(*result),
                Object::Template(template) => related.add_template(&template),
                object => add_rights(&mut related.roles, object),
            }
        }
        for deployment in self.deployments.drain(..) {
            let Some(mut controller) = Controller::from_deployment(&deployment) else { continue };
            if named.is_some_and(|named| controller.namespace != named) {
                continue;
            }
            let name = Controller::config_map_name(&deployment);
            if let Some(config) = self.configs.get(&(controller.namespace.clone(), name)) {
                controller.apply_config(config);
            }
            context.controllers.seen.push(controller);
        }
        context.controllers.version = version;
    }

    /// The repositories that say where a purge may delete, as a cluster's do.
    fn repositories(&self, controllers: &Controllers, named: Option<&str>) -> Allowed {
        let mut allowed = Allowed::default();
        for namespace in allowed.add_controllers(controllers, named) {
            let place = (namespace.to_owned(), names::REPOSITORIES.to_owned());
            self.configs.get(&place).into_iter().for_each(|config| allowed.add_all_of(config));
        }
        allowed
    }
}

/// What is asked for of files.
pub(crate) struct LoadRequest<'a> {
    pub paths: &'a [PathBuf],
    pub recursive: bool,
    /// The controller's version, if the user named it.
    pub version: Option<Version>,
    /// The controllers' namespace, if the user named it.
    pub controller_namespace: Option<&'a str>,
    /// The namespace that the user named.
    pub namespace: Option<&'a str>,
}

/// Adds a role, a binding or an account. One that its file gives no namespace could be of any, and is left out.
fn add_rights(roles: &mut Roles, object: Object) {
    match object {
        Object::Role(role) if !role.metadata.namespace.is_empty() => roles.add_role(*role),
        Object::ClusterRole(mut role) => {
            role.metadata.namespace.clear();
            roles.add_role(*role);
        }
        Object::RoleBinding(binding) if !binding.metadata.namespace.is_empty() => roles.add_binding(*binding),
        Object::ClusterRoleBinding(mut binding) => {
            binding.metadata.namespace.clear();
            roles.add_binding(*binding);
        }
        Object::ServiceAccount(account) if !account.metadata.namespace.is_empty() => {
            roles.add_account(Account::new(&account.metadata.namespace, &account.metadata.name));
        }
        _ => {}
    }
}

/// What files hold.
pub(crate) struct Loaded {
    pub context: Context,
    /// What other objects than workflows refer to.
    pub gathering: Gathering,
    /// What pods reported, whether nodes record it or not.
    pub results: Gathering,
    pub pins: Pins,
    /// JSON of each workflow.
    pub workflows: Vec<String>,
    /// Where a purge may delete.
    pub allowed: Allowed,
}

/// Reads every input whole before anything is decided: what comes last may refer to what came first.
///
/// # Errors
/// An input can't be read; it may refer to anything.
pub(crate) fn load(request: &LoadRequest<'_>, stdin: &mut dyn Read, now: Timestamp) -> Result<Loaded, Error> {
    const HINT: &str = "what can't be read may refer to anything";
    let inputs = files::inputs(request.paths, request.recursive)?;
    if inputs.contains(&Input::Stdin) && inputs.len() > 1 {
        return Err(Error::usage("standard input can't be read together with files here"));
    }
    let mut texts: Vec<(String, Object)> = Vec::new();
    for input in &inputs {
        let read = files::read(input, stdin, &mut |object, text| {
            texts.push((text.to_owned(), object));
            true
        });
        read.map_err(|error| Error::refused(error).hint(HINT))?;
    }
    let mut context = Context { now, controllers: Controllers::default(), related: Related::default() };
    let mut beside = FileContext::default();
    let mut gathering = Gathering::default();
    let mut results = Gathering::default();
    let mut pins = Pins::default();
    let mut workflows = Vec::new();
    for (text, object) in texts {
        match object {
            Object::Workflow(_) => workflows.push(text),
            Object::Malformed(malformed) => {
                return Err(Error::refused(format!("{}: {}", malformed.name, malformed.error)).hint(HINT));
            }
            object => {
                let reported = matches!(object, Object::TaskResult(_));
                refer(&text, &object, if reported { &mut results } else { &mut gathering }, &mut pins)?;
                beside.add(object);
            }
        }
    }
    beside.settle(&mut context, request.version, request.controller_namespace);
    let allowed = beside.repositories(&context.controllers, request.namespace);
    Ok(Loaded { context, gathering, results, pins, workflows, allowed })
}

/// Adds what an object other than a workflow refers to, and what it pins.
fn refer(text: &str, object: &Object, gathering: &mut Gathering, pins: &mut Pins) -> Result<(), Error> {
    let Some(referrer) = Referrer::of(object.kind()) else { return Ok(()) };
    if let Object::ConfigMap(config) = object
        && !referrer.is_labelled(&config.metadata)
    {
        return Ok(());
    }
    referrer
        .add(text, gathering, pins)
        .map_err(|unreadable| Error::refused(unreadable).hint("what can't be read may refer to anything"))
}
