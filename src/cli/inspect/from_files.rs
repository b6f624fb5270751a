//! Inspects files. A first pass reads the related objects, and a second pass assesses the workflows.

use crate::cli::inspect::arguments::Arguments;
use crate::cli::inspect::run::Run;
use crate::cli::streams::Streams;
use crate::cli::warnings::report;
use crate::error::Error;
use crate::files;
use crate::files::{Input, InputError, Object};
use crate::output::text::plural;
use crate::scan::check::check;
use crate::scan::files::{FileContext, Passed, has_not_run};
use crate::scan::selection::Selection;
use argo_gc_core::argo::list::Malformed;
use argo_gc_core::assess::assess;
use argo_gc_core::model::assessment::Assessment;
use argo_gc_core::model::context::{Context, Controllers, Related};
use argo_gc_core::model::gap::Gap;
use argo_gc_core::model::scope::Scope;
use jiff::Timestamp;
use std::io::{Read, Write};

/// Workflows looked up in storage at a time.
const TOGETHER: usize = 100;

pub(crate) async fn run(arguments: &Arguments, streams: &mut Streams, now: Timestamp) -> Result<u8, Error> {
    let store = arguments.store()?;
    let since = arguments.since(streams)?;
    let inputs = files::inputs(&arguments.from.files, arguments.from.recursive)?;
    let selection = arguments.selection(now);
    let mut beside = FileContext::default();
    for input in inputs.iter().filter(|input| !input.is_read_once()) {
        // The second pass reports objects that can't be read.
        let _ = files::read(input, &mut std::io::empty(), &mut |object, _| {
            beside.add(object);
            true
        });
    }
    let mut context = Context { now, controllers: Controllers::default(), related: Related::default() };
    beside.settle(&mut context, arguments.controller.argo_version);

    let origin = Scope {
        kind: "files".to_owned(),
        namespace: arguments.kube.namespace.clone(),
        filtered: arguments.is_filtered(),
        files: arguments.from.files.iter().map(|path| path.display().to_string()).collect(),
        ..Scope::default()
    };
    let view = arguments.view(streams, now, origin);
    let Streams { out, input: stdin, .. } = streams;
    let mut run =
        Run::new(&mut **out as &mut dyn Write, view, arguments.format().writer(since), &arguments.fail_on);
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

/// Reads one input to its end, and returns the error that stopped it.
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
    let mut beside = FileContext::default();
    let mut late = 0;
    let mut failure = None;
    let read = files::read(input, stdin, &mut |object, _| {
        match object {
            Object::Workflow(workflow) if has_not_run(&workflow) => {
                *passed.others.entry("Workflow that has not run".to_owned()).or_default() += 1;
            }
            Object::Workflow(workflow) if passed.is_repeated(&workflow.metadata) => {}
            Object::Workflow(mut workflow) => {
                beside.settle(context, arguments.controller.argo_version);
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
            // The first pass has read it.
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

fn files_named(inputs: &[Input]) -> String {
    match inputs {
        [input] => input.to_string(),
        inputs => format!("{} files", inputs.len()),
    }
}
