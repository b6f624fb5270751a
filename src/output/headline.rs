//! The one sentence that answers the question.

use crate::output::prices::{Prices, dollars};
use crate::output::text::{plural, size};
use argo_gc_core::inspection::Inspection;
use argo_gc_core::verdict::Verdict;

/// Summarises everything that was inspected, shown or not.
pub(crate) fn headline(inspection: &Inspection, prices: &Prices) -> String {
    let summary = &inspection.summary;
    let count = |verdict| inspection.artifacts(verdict);
    let (uncovered, failing, unknown) =
        (count(Verdict::Uncovered), count(Verdict::Failing), count(Verdict::Unknown));
    let unseen = inspection.unseen();
    let mut parts = Vec::new();
    if uncovered > 0 {
        parts.push(format!("{} nobody will delete", plural(uncovered, "artifact")));
    }
    if failing > 0 {
        let noun = if uncovered > 0 { failing.to_string() } else { plural(failing, "artifact") };
        parts.push(format!("{noun} that Argo fails to delete"));
    }
    let mut text = if summary.leaking_workflows > 0 {
        let verb = if summary.leaking_workflows == 1 { "leaves" } else { "leave" };
        let of = format!("{} of {}", summary.leaking_workflows, plural(summary.workflows, "workflow"));
        match parts.is_empty() {
            false => format!("{of} {verb} artifacts behind: {}", parts.join(", ")),
            true => format!("{of} can't be released, though no artifact is left behind"),
        }
    } else {
        // Of the others nobody can say that they leave nothing.
        let found = match summary.workflows.saturating_sub(unseen) {
            0 if unseen > 0 => "no artifact is left behind".to_owned(),
            1 => "1 workflow leaves no artifact behind".to_owned(),
            seen => format!("{seen} workflows leave no artifact behind"),
        };
        let fates: Vec<String> = [
            (Verdict::Collected, "collected"),
            (Verdict::Covered, "will be"),
            (Verdict::Kept, "kept on purpose"),
        ]
        .iter()
        .filter(|(verdict, _)| count(*verdict) > 0)
        .map(|(verdict, word)| format!("{} {word}", count(*verdict)))
        .collect();
        let is_whole = unknown + unseen == 0 && inspection.gaps.is_empty();
        let found = if is_whole { found } else { format!("As far as could be read, {found}") };
        if fates.is_empty() { found } else { format!("{found}: {}", fates.join(", ")) }
    };
    let endangered = count(Verdict::Endangered);
    if endangered > 0 {
        let artifacts = plural(endangered, "artifact");
        text += &format!("; {artifacts} that Argo will delete although something needs the object");
    }
    if unknown > 0 {
        text += &format!(", {unknown} unknown");
    }
    if unseen > 0 {
        text += &format!("; the nodes of {} can't be seen", plural(unseen, "workflow"));
    }
    if let Some(stored) = &summary.stored {
        let month = dollars(prices.month(&stored.classes));
        text += &format!("; {}, {}, {month} a month", plural(stored.objects, "object"), size(stored.bytes));
        if let Some(copies) = stored.copies.as_ref().filter(|copies| copies.objects > 0) {
            let month = dollars(prices.month(&copies.classes));
            text += &format!(
                "; {} of deleted objects still billed, {}, {month} a month",
                if copies.objects == 1 { "1 copy".to_owned() } else { format!("{} copies", copies.objects) },
                size(copies.bytes)
            );
        }
    }
    match summary.stuck_finalizers {
        0 => {}
        1 => text += "; 1 finalizer is stuck",
        stuck => text += &format!("; {stuck} finalizers are stuck"),
    }
    if !inspection.gaps.is_empty() {
        text += &format!(" ({})", plural(inspection.gaps.len() as u64, "gap"));
    }
    text
}
