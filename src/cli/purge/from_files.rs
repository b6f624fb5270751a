//! Planning from files: what they hold is all there is.

use super::{Arguments, apply};
use crate::argo::{Version, Workflow};
use crate::cli::Streams;
use crate::cli::inspect::from_files::Beside as FilesBeside;
use crate::cluster::Beside;
use crate::error::Error;
use crate::files::{self, Input, Object};
use crate::gc::plan::{Allowed, Rules};
use crate::gc::reference::{Buckets, Gathering};
use crate::gc::retention::Retention;
use crate::gc::{Context, Controllers, Related};
use crate::purge::gather::{Terms, Whole};
use jiff::Timestamp;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

pub(super) async fn run(
    arguments: &Arguments,
    retention: Option<Arc<Retention>>,
    streams: &mut Streams,
    now: Timestamp,
) -> Result<u8, Error> {
    let store = arguments.storage.open()?;
    let Loaded { context, gathering, pins, workflows, .. } =
        load(&arguments.files, arguments.recursive, arguments.argo_version, &mut *streams.input, now)?;
    let allowed = match arguments.storage.store_root {
        Some(_) => Allowed::everywhere(),
        None => Allowed::default(),
    };
    let rules = Rules { retention, ..arguments.rules(allowed, now) };
    let selection = arguments.selection(arguments.kube.namespace.clone(), now);
    let selects = |workflow: &Workflow| selection.takes(workflow);
    let terms =
        Terms { context: &context, rules: &rules, beside: &pins, named: &arguments.names, selects: &selects };
    let mut whole = Whole::under(&rules, gathering, Vec::new());
    workflows.iter().try_for_each(|text| whole.workflow(text, &terms))?;
    whole.ensure_found(&arguments.names)?;
    let plan = apply::make(arguments, whole, &rules, &store, None, streams, now).await?;
    let target = apply::Target { cluster: None, store: &store, context: &context };
    apply::run(arguments, plan, &target, streams, now).await
}

/// What files hold.
pub(in crate::cli) struct Loaded {
    pub context: Context,
    /// What other objects than workflows refer to.
    pub gathering: Gathering,
    /// What pods reported, whether nodes record it or not.
    pub results: Gathering,
    pub pins: Beside,
    /// JSON of each workflow.
    pub workflows: Vec<String>,
}

/// Reads every input whole before anything is decided: what comes last may refer to what came first.
///
/// # Errors
/// An input can't be read; it may refer to anything.
pub(in crate::cli) fn load(
    paths: &[PathBuf],
    recursive: bool,
    version: Option<Version>,
    stdin: &mut dyn Read,
    now: Timestamp,
) -> Result<Loaded, Error> {
    const HINT: &str = "what can't be read may refer to anything";
    let inputs = files::inputs(paths, recursive)?;
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
    let mut beside = FilesBeside::default();
    let mut gathering = Gathering::default();
    let mut results = Gathering::default();
    let mut pins = Beside::default();
    let mut workflows = Vec::new();
    for (text, object) in texts {
        match object {
            Object::Workflow(_) => workflows.push(text),
            Object::Malformed(malformed) => {
                return Err(Error::refused(format!("{}: {}", malformed.name, malformed.error)).hint(HINT));
            }
            object => {
                if matches!(&object, Object::Other(kind) if kind == "Namespace") {
                    let namespace: Named = serde_json::from_str(&text).map_err(Error::new)?;
                    if namespace.metadata.is_pinned() {
                        pins.pinned_namespaces.insert(namespace.metadata.name);
                    }
                }
                if let Object::Template(template) = &object
                    && template.metadata.is_pinned()
                {
                    let meta = &template.metadata;
                    pins.pinned_templates.insert((meta.namespace.clone(), meta.name.clone()));
                }
                let reported = matches!(object, Object::TaskResult(_));
                refer(&text, &object, if reported { &mut results } else { &mut gathering })?;
                beside.add(object);
            }
        }
    }
    beside.settle(&mut context, version);
    Ok(Loaded { context, gathering, results, pins, workflows })
}

/// An object of which its name and pins matter only.
#[derive(serde::Deserialize)]
struct Named {
    metadata: crate::argo::Meta,
}

/// Takes in what an object other than a workflow refers to.
fn refer(text: &str, object: &Object, gathering: &mut Gathering) -> Result<(), Error> {
    let (what, texts) = match object {
        Object::Template(template) => {
            (format!("workflow template {}", template.metadata.name), vec![text.to_owned()])
        }
        Object::TaskResult(result) => {
            (format!("task result {}", result.metadata.name), vec![text.to_owned()])
        }
        Object::ConfigMap(config)
            if config.metadata.label("workflows.argoproj.io/configmap-type") == "Cache" =>
        {
            (format!("cache {}", config.metadata.name), config.data.values().cloned().collect())
        }
        Object::Other(kind)
            if matches!(kind.as_str(), "CronWorkflow" | "Sensor" | "WorkflowEventBinding") =>
        {
            (kind.clone(), vec![text.to_owned()])
        }
        _ => return Ok(()),
    };
    let by = gathering.referrer(what.clone(), String::new());
    for text in texts {
        let uses: crate::argo::Uses = serde_json::from_str(&text).map_err(|error| {
            Error::refused(format!("{what}: {error}")).hint("what can't be read may refer to anything")
        })?;
        uses.0.iter().for_each(|found| gathering.add(by, found, &Buckets::default(), true));
    }
    Ok(())
}
