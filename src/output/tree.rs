//! One workflow in full: nodes, artifacts, the broken link of the chain, and the fix.

use super::{View, age, escape, table::style};
use crate::gc::report::Finalizer;
use crate::gc::{ArtifactReport, Assessment, Evidence, Note, Reason, When};
use std::io::{self, Write};

/// Writes one workflow.
pub(super) fn workflow(out: &mut impl Write, view: &View, before: usize, wf: &Assessment) -> io::Result<()> {
    if before > 0 {
        writeln!(out)?;
    }
    let phase = if wf.phase.is_empty() { "no phase yet" } else { &wf.phase };
    let since = age(wf.finished_at.or(wf.created_at), view.now);
    writeln!(out, "{}/{}  {} {since} ago", escape(&wf.namespace), escape(&wf.name), escape(phase))?;
    let strategy = match wf.strategy.as_str() {
        "" => "<none>".to_owned(),
        strategy => format!("{} ({})", escape(strategy), wf.strategy_source.as_str()),
    };
    let finalizer = match (wf.finalizer, wf.deletion_timestamp) {
        (Finalizer::Absent, _) => "absent",
        (Finalizer::Present, _) => "present",
        (Finalizer::Stuck, None) => "present, and stuck",
        (Finalizer::Stuck, Some(_)) => "present, and stuck: the workflow can't be deleted",
    };
    writeln!(out, "  strategy   {strategy}\n  finalizer  {finalizer}")?;
    notes(out, "  ", &wf.notes)?;
    for finding in &wf.findings {
        let color = if view.color { style(finding.verdict) } else { Default::default() };
        let title = finding.reason.entry().title;
        writeln!(out, "  {color}{}{color:#}  {} — {title}", finding.verdict.as_str(), finding.reason.code())?;
        evidence(out, "    ", &finding.evidence)?;
    }
    let mut node = "";
    for (at, artifact) in wf.artifacts.iter().enumerate() {
        if artifact.node_id != node {
            node = &artifact.node_id;
            head(out, artifact)?;
        }
        let more = wf.artifacts.get(at + 1).is_some_and(|next| next.node_id == node);
        one(out, view, artifact, more)?;
    }
    fixes(out, wf)
}

fn head(out: &mut impl Write, artifact: &ArtifactReport) -> io::Result<()> {
    let template = match artifact.template.as_str() {
        "" => "inline template".to_owned(),
        name => format!("template {}", escape(name)),
    };
    let name = if artifact.node_name.is_empty() { &artifact.node_id } else { &artifact.node_name };
    writeln!(out, "  {}  {}, {template}", escape(name), escape(&artifact.node_type))
}

fn one(out: &mut impl Write, view: &View, artifact: &ArtifactReport, more: bool) -> io::Result<()> {
    let (branch, bar) = if more { ("├─", "│ ") } else { ("└─", "  ") };
    let color = if view.color { style(artifact.verdict) } else { Default::default() };
    let verdict = artifact.verdict.as_str();
    let why = match (artifact.reason, artifact.when) {
        (Some(reason), _) => format!("  {} — {}", reason.code(), reason.entry().title),
        (None, Some(When::OnCompletion)) => "  when the workflow completes".to_owned(),
        (None, Some(When::OnDeletion)) => "  when the workflow is deleted".to_owned(),
        (None, Some(When::Now)) => "  any moment now".to_owned(),
        (None, None) => String::new(),
    };
    writeln!(out, "  {branch} {}  {color}{verdict}{color:#}{why}", escape(&artifact.name))?;
    let pad = format!("  {bar}   ");
    let place = artifact.location.as_ref().map(ToString::to_string);
    let place = place.unwrap_or_else(|| format!("<unknown>: {}", artifact.location_problem));
    writeln!(out, "{pad}at        {}", escape(&place))?;
    let account = match artifact.service_account.as_str() {
        "" => "default",
        account => account,
    };
    match artifact.strategy.as_str() {
        "" => writeln!(out, "{pad}strategy  <none>")?,
        strategy => writeln!(
            out,
            "{pad}strategy  {} ({}), deleted as service account {}",
            escape(strategy),
            artifact.strategy_source.as_str(),
            escape(account)
        )?,
    }
    evidence(out, &format!("{pad}because   "), &artifact.evidence)?;
    notes(out, &pad, &artifact.notes)
}

fn evidence(out: &mut impl Write, lead: &str, evidence: &[Evidence]) -> io::Result<()> {
    evidence
        .iter()
        .try_for_each(|fact| writeln!(out, "{lead}{} = {}", escape(&fact.field), escape(&fact.value)))
}

fn notes(out: &mut impl Write, pad: &str, notes: &[Note]) -> io::Result<()> {
    for Note { reason, detail } in notes {
        let detail = if detail.is_empty() { String::new() } else { format!(" ({})", escape(detail)) };
        writeln!(out, "{pad}note      {} — {}{detail}", reason.code(), reason.entry().title)?;
    }
    Ok(())
}

/// What mends each reason met.
fn fixes(out: &mut impl Write, wf: &Assessment) -> io::Result<()> {
    let artifacts = wf.artifacts.iter().filter(|artifact| artifact.verdict.is_problem());
    let mut reasons: Vec<Reason> = artifacts.filter_map(|artifact| artifact.reason).collect();
    reasons.extend(wf.findings.iter().map(|finding| finding.reason));
    reasons.sort_unstable();
    reasons.dedup();
    for reason in reasons {
        writeln!(out, "  fix for {}: {}", reason.code(), reason.entry().remedy)?;
        writeln!(out, "    more: kubectl argo-gc explain {}", reason.code())?;
    }
    Ok(())
}
