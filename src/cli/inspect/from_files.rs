//! Inspects files.

use crate::cli::inspect::arguments::Arguments;
use crate::cli::inspect::run::Run;
use crate::cli::inventory::report as report_of;
use crate::cli::streams::Streams;
use crate::cli::warnings::{report, tell_controllers, warn_of_repeated};
use crate::error::Error;
use crate::files;
use crate::files::Input;
use crate::output::beside::Kept;
use crate::output::escape::escape;
use crate::scan::assess_files;
use crate::scan::endangered;
use crate::scan::files::LoadRequest;
use crate::scan::request::FilesRequest;
use crate::scan::selection::not_found;
use argo_gc_core::model::account::Account;
use argo_gc_core::model::scope::Scope;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::io::Write;

pub(crate) async fn run(
    arguments: &Arguments,
    metrics: &Kept,
    streams: &mut Streams,
    now: Timestamp,
) -> Result<u8, Error> {
    arguments.secrets.refuse_with_files()?;
    let looks = arguments.looks(streams).await?;
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
        namespace: arguments.kube.one_namespace().map(str::to_owned),
        filtered: arguments.is_filtered(),
        files: arguments.from.files.iter().map(|path| path.display().to_string()).collect(),
        inventory: looks.as_ref().and_then(|looks| looks.inventory.as_ref()).map(report_of),
        ..Scope::default()
    };
    let view = arguments.view(streams, now, origin)?;
    let Streams { out, input: stdin, .. } = streams;
    let mut run =
        Run::new(&mut **out as &mut dyn Write, view, arguments.writer(since, metrics), &arguments.fail_on);
    run.add_gaps(unread);
    run.held = looks.is_some().then(Vec::new);
    run.of_files = true;
    run.missing = arguments.names.iter().cloned().collect();
    let read = assess_files::read(&request, &mut **stdin, now, &mut run)?;
    if let Some(looks) = &looks {
        run.look_up(looks).await?;
    }
    let unsettled = std::mem::take(&mut run.unsettled);
    let missing = std::mem::take(&mut run.missing);
    let (inspection, code) = run.finish()?;
    for (kind, count) in read.others {
        streams
            .say(format!("Note: left out {count} of kind {kind}; inspect looks at workflows that have run"));
    }
    tell_unsettled(&unsettled, streams);
    warn_of_repeated(read.repeated, streams);
    tell_controllers(&read.context.controllers, streams);
    report(streams, &inspection, &files_named(&request.inputs));
    if !missing.is_empty() {
        let names: Vec<_> = missing.iter().collect();
        return Err(Error::new(format!("{} in {}", not_found(&names), files_named(&request.inputs))));
    }
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
        "Note: whether GC pods may do their work was not evaluated for service account {first}{more}: no \
         role among the files determines it"
    )));
}

fn files_named(inputs: &[Input]) -> String {
    match inputs {
        [input] => input.to_string(),
        inputs => format!("{} files", inputs.len()),
    }
}
