//! Warnings about what could not be read.

use crate::cli::hints::shown;
use crate::cli::streams::Streams;
use crate::cluster::argo_server::ArgoServer;
use crate::output::escape::escape;
use crate::output::text::plural;
use argo_gc_core::inspection::Inspection;
use argo_gc_core::model::gap::Gap;
use argo_gc_core::plan::references::References;
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

/// Warns if the Argo server does not answer as it should, and says what to do about it. Without this warning the user
/// would only learn later that the archive is unread.
pub(crate) async fn warn_of_argo_server(server: Option<&ArgoServer>, streams: &mut Streams) {
    let Some(server) = server else { return };
    if let Err(error) = server.greet().await {
        let text = shown(&error);
        streams.say(format!("Warning: {}", text.strip_prefix("error: ").unwrap_or(&text)));
    }
}
