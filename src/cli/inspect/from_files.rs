//! Inspects files.

use crate::cli::inspect::arguments::Arguments;
use crate::cli::inspect::run::Run;
use crate::cli::streams::Streams;
use crate::cli::warnings::{report, tell_controllers, warn_of_repeated};
use crate::error::Error;
use crate::files;
use crate::files::Input;
use crate::output::escape::escape;
use crate::scan::assess_files;
use crate::scan::check::check;
use crate::scan::endangered;
use crate::scan::files::LoadRequest;
use crate::scan::request::FilesRequest;
use argo_gc_core::model::account::Account;
use argo_gc_core::model::assessment::Assessment;
use argo_gc_core::model::scope::Scope;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::io::Write;

/// Workflows looked up in storage at a time.
const TOGETHER: usize = 100;

pub(crate) async fn run(arguments: &Arguments, streams: &mut Streams, now: Timestamp) -> Result<u8, Error> {
    if arguments.secrets.use_workflow_secrets {
        return Err(Error::usage(
            "--use-workflow-secrets can't be used with -f: Secrets are read from the cluster",
        ));
    }
    let store = arguments.store()?.map(|opened| opened.store);
    let since = arguments.since(streams)?;
    let (endangered, unread) = match arguments.looks_for_endangered() {
        true => {
            let everything = LoadRequest {
                paths: &arguments.from.files,
                recursive: arguments.from.recursive,
                version: arguments.controller.argo_version,
                controller_namespace: arguments.controllers.controller_namespace.as_deref(),
                namespace: None,
            };
            let (endangered, unread) = endangered::of_files(&everything, now);
            (Some(endangered), unread)
        }
        false => (None, Vec::new()),
    };
    let request = FilesRequest {
        inputs: files::inputs(&arguments.from.files, arguments.from.recursive)?,
        selection: arguments.selection(now),
        argo_version: arguments.controller.argo_version,
        controller_namespace: arguments.controllers.controller_namespace.clone(),
        endangered,
        holds_pipes: false,
    };
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
    run.add_gaps(unread);
    run.held = store.is_some().then(Vec::new);
    run.of_files = true;
    let read = assess_files::read(&request, &mut **stdin, now, &mut run)?;
    if let (Some(store), Some(held)) = (&store, run.held.take()) {
        let mut held = held.into_iter().peekable();
        while held.peek().is_some() {
            let mut some: Vec<Assessment> = held.by_ref().take(TOGETHER).collect();
            run.add_gaps(check(&mut some.iter_mut().collect::<Vec<_>>(), store, None).await);
            some.into_iter().try_for_each(|assessment| run.take(assessment))?;
        }
    }
    let unsettled = std::mem::take(&mut run.unsettled);
    let (inspection, code) = run.finish()?;
    for (kind, count) in read.others {
        streams
            .say(format!("Note: left out {count} of kind {kind}; inspect looks at workflows that have run"));
    }
    tell_unsettled(&unsettled, streams);
    warn_of_repeated(read.repeated, streams);
    tell_controllers(&read.context.controllers, streams);
    report(streams, &inspection, &files_named(&request.inputs));
    Ok(code)
}

/// Says that the roles among the files don't tell whether GC pods may do their work.
fn tell_unsettled(unsettled: &BTreeSet<Account>, streams: &mut Streams) {
    let Some(first) = unsettled.first() else { return };
    let more = match unsettled.len() {
        1 => String::new(),
        accounts => format!(" and {} more", accounts - 1),
    };
    streams.say(escape(&format!(
        "Note: whether GC pods may do their work was not evaluated for service account {first}{more}: no role among the \
         files settles it"
    )));
}

fn files_named(inputs: &[Input]) -> String {
    match inputs {
        [input] => input.to_string(),
        inputs => format!("{} files", inputs.len()),
    }
}
