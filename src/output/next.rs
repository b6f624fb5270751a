//! Suggests the next commands to a person who reads along.

use crate::output::escape::escape;
use crate::output::view::View;
use argo_gc_core::reason::Reason;
use argo_gc_core::verdict::Verdict;
use std::io;
use std::io::Write;

/// The rows that commands are suggested for.
#[derive(Default)]
pub(crate) struct Next {
    /// Namespace, name and verdict of the first row.
    pub first: Option<(String, String, Verdict)>,
    /// The namespace of the first row that fails.
    pub failing: Option<String>,
}

/// Writes the commands that explain the first reason and look into the first row, a line each.
pub(crate) fn write(out: &mut dyn Write, view: &View, next: &Next, reasons: &[Reason]) -> io::Result<()> {
    let Some(reason) = reasons.first().filter(|_| view.interactive) else { return Ok(()) };
    writeln!(out, "\nNext:\n  kubectl argo-gc explain {}", reason.code())?;
    if let Some((namespace, name, verdict)) = &next.first {
        let files: String = view.origin.files.iter().map(|file| format!(" -f {file}")).collect();
        let (same, storage) = (escape(&view.same), escape(&view.same_storage));
        let (namespace, name) = (escape(namespace), escape(name));
        writeln!(out, "  kubectl argo-gc inspect{files} -n {namespace} {name}{same}")?;
        if files.is_empty() && *verdict <= Verdict::Failing {
            writeln!(out, "  kubectl argo-gc purge -n {namespace} {name} --dry-run{same}{storage}")?;
        }
        if let Some(failing) = &next.failing {
            writeln!(out, "  kubectl argo-gc doctor{files} -n {}{same}", escape(failing))?;
        }
    }
    Ok(())
}
