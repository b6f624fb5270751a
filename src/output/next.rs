//! Suggests the next commands to a person who reads along.

use crate::output::escape::escape;
use crate::output::rows::Row;
use crate::output::view::View;
use argo_gc_core::reason::Reason;
use argo_gc_core::verdict::Verdict;
use std::io;
use std::io::Write;

/// Writes the commands that explain the first reason and look into the first row, a line each.
pub(crate) fn write(out: &mut dyn Write, view: &View, rows: &[Row], reasons: &[Reason]) -> io::Result<()> {
    let Some(reason) = reasons.first().filter(|_| view.interactive) else { return Ok(()) };
    writeln!(out, "\nNext:\n  kubectl argo-gc explain {}", reason.code())?;
    if let Some(row) = rows.first() {
        let files: String = view.origin.files.iter().map(|file| format!(" -f {file}")).collect();
        let (same, storage) = (escape(&view.same), escape(&view.same_storage));
        let (namespace, name) = (escape(&row.namespace), escape(&row.workflow));
        writeln!(out, "  kubectl argo-gc inspect{files} -n {namespace} {name}{same}")?;
        if files.is_empty() && row.verdict <= Verdict::Failing {
            writeln!(out, "  kubectl argo-gc purge -n {namespace} {name} --dry-run{same}{storage}")?;
        }
        if let Some(failing) = rows.iter().find(|row| row.verdict == Verdict::Failing) {
            writeln!(out, "  kubectl argo-gc doctor{files} -n {}{same}", escape(&failing.namespace))?;
        }
    }
    Ok(())
}
