//! Suggests the next commands to a person who reads along.

use crate::output::escape::escape;
use crate::output::view::View;
use crate::output::writer::End;
use std::io;
use std::io::Write;

/// The first row of a table.
pub(crate) struct First {
    pub namespace: String,
    pub workflow: String,
    pub reason: String,
    /// Whether a purge takes it.
    pub is_for_purge: bool,
    /// Whether the workflow's finalizer is stuck.
    pub stuck: bool,
    /// The places of its artifacts that no repository covers.
    pub outside: Vec<String>,
}

/// The rows that commands are suggested for.
#[derive(Default)]
pub(crate) struct Next {
    /// The reason of the first total.
    pub reason: Option<String>,
    /// The namespace of the first total.
    pub namespace: Option<String>,
    pub first: Option<First>,
    /// The namespace of the first row that fails.
    pub failing: Option<String>,
}

/// Warns of places that a workflow names and no repository covers. Whoever may write a workflow may name any place in it.
pub(crate) fn uncovered(places: &[String]) -> Option<String> {
    let all = escape(&places.join(", ")).into_owned();
    let (covers, is) = if places.len() == 1 { ("it", "it is") } else { ("them", "they are") };
    let words =
        format!("no repository of the controllers covers {covers}: make sure that {is} yours to delete");
    (!places.is_empty()).then(|| format!("{all}: {words}"))
}

/// Writes the commands that explain the first row's reason and look into it, a line each; for totals what is first among
/// them, else the first reason.
pub(crate) fn write(out: &mut dyn Write, view: &View, next: &Next, end: &End<'_>) -> io::Result<()> {
    let Some(reason) = end.reasons.first().filter(|_| view.interactive) else { return Ok(()) };
    let shown = next.first.as_ref().map(|first| first.reason.as_str()).or(next.reason.as_deref());
    writeln!(out, "\nNext:\n  kubectl argo-gc explain {}", shown.unwrap_or(reason.code()))?;
    let files: String = view.origin.files.iter().map(|file| format!(" -f {file}")).collect();
    if let Some(namespace) = &next.namespace {
        writeln!(out, "  kubectl argo-gc inspect{files} -n {}{}", escape(namespace), escape(&view.same))?;
    }
    if let Some(First { namespace, workflow: name, is_for_purge, stuck, outside, .. }) = &next.first {
        let (same, storage) = (escape(&view.same), escape(&view.same_storage));
        let (namespace, name) = (escape(namespace), escape(name));
        writeln!(out, "  kubectl argo-gc inspect{files} -n {namespace} {name}{same}")?;
        if files.is_empty() && *is_for_purge {
            let release = if *stuck { " --release-finalizer" } else { "" };
            let places: String =
                outside.iter().map(|place| format!(" --repository={}", escape(place))).collect();
            let more = format!("{places}{}{same}{storage}", view.accepting(&end.inspection.unseen_names));
            writeln!(out, "  kubectl argo-gc purge -n {namespace} {name}{release} --dry-run{more}")?;
            if let Some(warning) = uncovered(outside) {
                writeln!(out, "  {warning}")?;
            }
        }
        if let Some(failing) = &next.failing {
            writeln!(out, "  kubectl argo-gc doctor{files} -n {}{same}", escape(failing))?;
        }
    }
    Ok(())
}
