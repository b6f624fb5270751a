//! Inspecting files: a first pass finds what stands beside the workflows, a second one assesses them.

use super::{Arguments, Run, report};
use crate::argo::list::Malformed;
use crate::argo::related::{ConfigMap, Deployment};
use crate::argo::{Meta, Version, Workflow};
use crate::check::check;
use crate::cli::Streams;
use crate::cli::select::Seen;
use crate::cli::select::Selection;
use crate::error::Error;
use crate::files::{self, Input, InputError, Object};
use crate::gc::{Assessment, Context, Controller, Controllers, Gap, Related, assess};
use crate::output::{Origin, plural};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::io::{Read, Write};

/// Workflows looked up in storage at a time.
const TOGETHER: usize = 100;

pub(super) async fn run(arguments: &Arguments, streams: &mut Streams, now: Timestamp) -> Result<u8, Error> {
    let store = arguments.store()?;
    let since = arguments.since(streams)?;
    let inputs = files::inputs(&arguments.files, arguments.recursive)?;
    let selection = arguments.selection(now);
    let mut beside = Beside::default();
    for input in inputs.iter().filter(|input| !input.is_read_once()) {
        // Damage is reported by the second pass.
        let _ = files::read(input, &mut std::io::empty(), &mut |object, _| {
            beside.add(object);
            true
        });
    }
    let mut context = Context { now, controllers: Controllers::default(), related: Related::default() };
    beside.settle(&mut context, arguments.argo_version);

    let origin = Origin {
        kind: "files",
        namespace: arguments.kube.namespace.clone(),
        filtered: arguments.is_filtered(),
        files: arguments.files.iter().map(|path| path.display().to_string()).collect(),
        ..Origin::default()
    };
    let view = arguments.view(streams, now, origin);
    let Streams { out, input: stdin, .. } = streams;
    let mut run = Run::new(&mut **out as &mut dyn Write, view, since, &arguments.fail_on);
    run.held = store.is_some().then(Vec::new);
    let mut passed = Passed::default();
    for input in &inputs {
        let read = one(input, &mut **stdin, &selection, &mut context, arguments, &mut run, &mut passed);
        match read? {
            Some(InputError::Io(name, cause)) if inputs.len() > 1 => run.malformed(name, cause.to_string()),
            Some(error @ InputError::Syntax { .. }) => {
                run.malformed("the rest of the input".to_owned(), error.to_string())
            }
            Some(error) => return Err(error.into()),
            None => {}
        }
    }
    if let (Some(store), Some(held)) = (&store, run.held.take()) {
        let mut held = held.into_iter().peekable();
        while held.peek().is_some() {
            let mut some: Vec<Assessment> = held.by_ref().take(TOGETHER).collect();
            run.gaps(check(&mut some.iter_mut().collect::<Vec<_>>(), store).await);
            some.into_iter().try_for_each(|assessment| run.take(assessment))?;
        }
    }
    let (inspection, code) = run.finish()?;
    for (kind, count) in passed.others {
        streams
            .say(format!("Note: left out {count} of kind {kind}; inspect looks at workflows that have run"));
    }
    if passed.repeated > 0 {
        streams
            .say(format!("Note: left out {} that came a second time", plural(passed.repeated, "workflow")));
    }
    report(streams, &inspection, &files_named(&inputs));
    Ok(code)
}

/// What was passed over.
#[derive(Default)]
struct Passed {
    others: BTreeMap<String, usize>,
    seen: Seen,
    repeated: u64,
}

impl Passed {
    /// The very same object, as in a file that also stands in a directory; an older state of it is another.
    fn is_repeated(&mut self, Meta { uid, resource_version, .. }: &Meta) -> bool {
        let new = uid.is_empty() || self.seen.is_new(&format!("{uid} {resource_version}"));
        self.repeated += u64::from(!new);
        !new
    }
}

/// Reads one input to its end; gives what kept it from getting there.
fn one(
    input: &Input,
    stdin: &mut dyn Read,
    selection: &Selection,
    context: &mut Context,
    arguments: &Arguments,
    run: &mut Run<'_>,
    passed: &mut Passed,
) -> Result<Option<InputError>, Error> {
    let piped = input.is_read_once();
    let mut beside = Beside::default();
    let mut late = 0;
    let mut failure = None;
    let read = files::read(input, stdin, &mut |object, _| {
        match object {
            Object::Workflow(workflow) if has_not_run(&workflow) => {
                *passed.others.entry("Workflow that has not run".to_owned()).or_default() += 1;
            }
            Object::Workflow(workflow) if passed.is_repeated(&workflow.metadata) => {}
            Object::Workflow(mut workflow) => {
                beside.settle(context, arguments.argo_version);
                if selection.takes(&workflow) {
                    failure = run.take(assess(&mut workflow, context)).err();
                }
            }
            Object::Malformed(Malformed { name, error }) => {
                run.malformed(format!("{name} in {input}"), error)
            }
            Object::Other(kind) => *passed.others.entry(kind).or_default() += 1,
            object if piped => {
                late += usize::from(run.inspection.summary.workflows > 0);
                beside.add(object);
            }
            // Taken in by the first pass.
            _ => {}
        }
        failure.is_none()
    });
    if let Some(failure) = failure {
        return Err(failure);
    }
    if late > 0 {
        run.inspection.gaps.push(Gap {
            what: format!("{late} objects that came after workflows on {input}"),
            why: format!("{input} is read once"),
            effect: "put them first, or use a file".to_owned(),
        });
    }
    Ok(read.err())
}

/// A manifest rather than a captured object: verdicts need what the controller recorded.
fn has_not_run(workflow: &Workflow) -> bool {
    let status = &workflow.status;
    status.phase.is_empty() && status.nodes.is_empty() && workflow.metadata.uid.is_empty()
}

fn files_named(inputs: &[Input]) -> String {
    match inputs {
        [input] => input.to_string(),
        inputs => format!("{} files", inputs.len()),
    }
}

/// Objects beside the workflows, until they can be put together.
#[derive(Default)]
pub(in crate::cli) struct Beside {
    related: Vec<Object>,
    deployments: Vec<Deployment>,
    configs: BTreeMap<(String, String), ConfigMap>,
}

impl Beside {
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
    pub fn settle(&mut self, context: &mut Context, version: Option<Version>) {
        for object in self.related.drain(..) {
            let related = &mut context.related;
            match object {
                Object::GcTask(task) => related.add_task(*task),
                Object::Pod(pod) => related.add_pod(*pod),
                Object::Event(event) => related.add_event(*event),
                Object::TaskResult(result) => related.add_result(*result),
                Object::Template(template) => related.add_template(&template),
                _ => {}
            }
        }
        for deployment in self.deployments.drain(..) {
            let Some(mut controller) = Controller::from_deployment(&deployment) else { continue };
            let name = Controller::config_map_name(&deployment);
            if let Some(config) = self.configs.get(&(controller.namespace.clone(), name)) {
                controller.apply_config(config);
            }
            context.controllers.seen.push(controller);
        }
        context.controllers.version = version;
    }
}
