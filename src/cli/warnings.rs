//! Warnings about what could not be read.

use crate::cli::hints::shown;
use crate::cli::streams::Streams;
use crate::cluster::argo_server::ArgoServer;
use crate::output::escape::escape;
use crate::output::text::plural;
use crate::scan::gather::Scan;
use argo_gc_core::inspection::Inspection;
use argo_gc_core::model::context::{Controller, Controllers, Distrust, Uncounted};
use argo_gc_core::model::gap::Gap;
use argo_gc_core::plan::references::References;
use argo_gc_core::plan::retention::Retention;
use argo_gc_core::plan::retention::hits::Idle;
use std::collections::BTreeSet;

/// Says on standard error what could not be read.
pub(crate) fn warn_of_gaps(gaps: &[Gap], streams: &mut Streams) {
    for Gap { what, why, effect } in gaps {
        // A line break within a name must not begin a line of its own.
        streams.say(escape(&format!("Warning: cannot read {what} ({why}); {effect}")));
    }
}

/// Says on standard error what could not be read, and whether no workflow was found.
pub(crate) fn report(streams: &mut Streams, inspection: &Inspection, place: &str) {
    warn_of_gaps(&inspection.gaps, streams);
    if inspection.summary.workflows == 0 {
        streams.say(format!("No workflows found in {place}."));
    }
}

/// Says how many workflows of files were left out because they came before.
pub(crate) fn warn_of_repeated(repeated: u64, streams: &mut Streams) {
    if repeated > 0 {
        streams.say(format!("Note: left out {} that came a second time", plural(repeated, "workflow")));
    }
}

/// Warns of templates that read keys made of parameters: which objects they read is unknown (`docs/dangers.md`, danger 8).
pub(crate) fn warn_of_readers(references: &References, streams: &mut Streams) {
    let anything: BTreeSet<&str> =
        references.readers_of_anything().map(|referrer| referrer.name.as_str()).collect();
    if let Some(first) = anything.first() {
        let more =
            if anything.len() > 1 { format!(" and {} more", anything.len() - 1) } else { String::new() };
        streams.say(escape(&format!(
            "Warning: {first}{more} reads keys made of parameters alone; pin what it needs with the label argo-gc/keep=true"
        )));
    }
}

/// How many parts of a policy are named that matched nothing.
const IDLE: usize = 10;

/// Warns of overrides and pins that matched no workflow of those that were read: all, or those of one namespace. A name that
/// is mistyped keeps nothing. It is no error, because a policy may be for several clusters.
pub(crate) fn warn_of_idle(scan: &Scan, policy: &Retention, read: Option<&str>, streams: &mut Streams) {
    let (idle, file) = (scan.idle(policy, read), &policy.places.file);
    for Idle { line, what } in idle.iter().take(IDLE) {
        streams.say(escape(&format!("Warning: {file}:{line}: {what} matches no workflow that was read")));
    }
    if let more @ 1.. = idle.len().saturating_sub(IDLE) {
        streams.say(escape(&format!("Warning: {file}: {more} more match no workflow that was read")));
    }
}

/// Warns if the Argo server does not answer as it should, and says what to do about it. Without this warning the user
/// would only learn later that the archive is unread.
pub(crate) async fn warn_of_argo_server(server: Option<&ArgoServer>, streams: &mut Streams) {
    let Some(server) = server else { return };
    if let Err(error) = server.greet().await {
        let text = shown(&error);
        streams.say(format!("Warning: {}", text.strip_prefix("error: ").unwrap_or(&text)));
    }
}

/// How many Deployments that don't count are named.
const NAMED: usize = 3;

/// Says which controllers count, unless there is just one and nothing that looks like another. What could not be reviewed is
/// a gap, and is told with those.
pub(crate) fn tell_controllers(controllers: &Controllers, streams: &mut Streams) {
    let Controllers { seen, uncounted, .. } = controllers;
    if seen.len() > 1 {
        let names: Vec<String> = seen.iter().map(counts).collect();
        streams.say(escape(&format!("Note: {} controllers count: {}", seen.len(), names.join(", "))));
    }
    let impostors = uncounted.iter().filter(|other| other.why == Distrust::MayNotManage);
    let impostors: Vec<&Uncounted> = impostors.collect();
    let Some(first) = impostors.first() else { return };
    let mut names: Vec<String> =
        impostors.iter().take(NAMED).map(|other| format!("{}/{}", other.namespace, other.name)).collect();
    if impostors.len() > NAMED {
        names.push(format!("and {} more", impostors.len() - NAMED));
    }
    let subject = if impostors.len() == 1 {
        "it looks like a controller, and its"
    } else {
        "they look like controllers, and their"
    };
    streams.say(escape(&format!(
        "Note: left out {}: {subject} service account may not manage workflows; --controller-namespace {} lets it count",
        names.join(", "),
        first.namespace
    )));
}

fn counts(controller: &Controller) -> String {
    let only = controller.within.as_ref().or(controller.managed_namespace.as_ref());
    let only = only.map(|namespace| format!(" (in namespace {namespace} only)")).unwrap_or_default();
    format!("{}/{}{only}", controller.namespace, controller.name)
}
