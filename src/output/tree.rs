//! One workflow in full: nodes, artifacts, the broken link of the chain, and the fix.

use crate::output::age::age;
use crate::output::escape::escape;
use crate::output::explain::RELEASE_COMMAND;
use crate::output::headline::headline;
use crate::output::next::{self, Next};
use crate::output::prose::Prose;
use crate::output::table::style;
use crate::output::text::{plural, size};
use crate::output::view::View;
use crate::output::writer::{End, FormatWriter};
use argo_gc_core::doctor::folders::Folders;
use argo_gc_core::model::assessment::{ArtifactReport, Assessment, Evidence, Note};
use argo_gc_core::reason::Reason;
use argo_gc_core::verdict::{Finalizer, Verdict, When};
use std::io;
use std::io::Write;
use tabled::grid::util::string::get_text_width;

/// The number of workflows written so far.
#[derive(Default)]
pub(crate) struct Tree {
    written: usize,
}

impl FormatWriter for Tree {
    fn workflow(&mut self, out: &mut dyn Write, view: &View, shown: &Assessment) -> io::Result<()> {
        if self.written > 0 {
            writeln!(out)?;
        }
        self.written += 1;
        workflow(&mut Prose::new(out, view.width), view, shown)
    }

    fn finish(self: Box<Self>, out: &mut dyn Write, view: &View, end: &End<'_>) -> io::Result<()> {
        let out = &mut Prose::new(out, view.width);
        if self.written > 1 && !view.no_headers {
            writeln!(out, "\n{}", headline(end.inspection, &view.prices))?;
        }
        next::write(out, view, &Next::default(), end)
    }
}

/// Writes one workflow.
fn workflow(out: &mut dyn Write, view: &View, wf: &Assessment) -> io::Result<()> {
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
    if let Some(due) = wf.expires_at {
        writeln!(out, "  ttl        {due}")?;
    }
    notes(out, "  ", &wf.notes)?;
    let whys = whys(wf);
    let mut node = "";
    for (at, artifact) in wf.artifacts.iter().enumerate() {
        if artifact.node_id != node {
            node = &artifact.node_id;
            head(out, artifact)?;
        }
        let more = wf.artifacts.get(at + 1).is_some_and(|next| next.node_id == node);
        one(out, view, wf, artifact, more, &whys)?;
    }
    whys.iter().try_for_each(|why| why.write(out, view, wf))
}

/// A reason, with the evidence that all its artifacts have in common.
struct Why<'a> {
    reason: Reason,
    verdict: Verdict,
    common: Vec<&'a Evidence>,
}

fn whys(wf: &Assessment) -> Vec<Why<'_>> {
    let mut whys: Vec<Why<'_>> = Vec::new();
    let artifacts = wf.artifacts.iter().filter_map(|a| Some((a.reason?, a.verdict, &a.evidence)));
    for (reason, verdict, evidence) in
        artifacts.chain(wf.findings.iter().map(|f| (f.reason, f.verdict, &f.evidence)))
    {
        match whys.iter_mut().find(|why| why.reason == reason) {
            Some(why) => why.common.retain(|fact| evidence.contains(fact)),
            None => whys.push(Why { reason, verdict, common: evidence.iter().collect() }),
        }
    }
    whys.sort_by_key(|why| why.verdict);
    whys
}

impl Why<'_> {
    fn write(&self, out: &mut dyn Write, view: &View, wf: &Assessment) -> io::Result<()> {
        let entry = self.reason.entry();
        let color = if view.color { style(self.verdict) } else { Default::default() };
        writeln!(
            out,
            "\n  {color}{}{color:#} {} — {}",
            self.verdict.as_str(),
            self.reason.code(),
            entry.title
        )?;
        evidence(out, "    because  ", self.common.iter().copied())?;
        if self.verdict.is_problem() {
            writeln!(out, "    fix      {}", entry.remedy)?;
            // A name from a file may be any text. Only a valid one is put into a command that users copy.
            let real = [&wf.namespace, &wf.name].into_iter().all(|name| is_name(name));
            if entry.release && real && wf.finalizer == Finalizer::Stuck {
                let command = RELEASE_COMMAND.replace("NAMESPACE", &wf.namespace).replace("NAME", &wf.name);
                let outside = view.allowed.as_ref().map(|allowed| Folders::of(wf).outside(allowed));
                let places: String =
                    outside.iter().flatten().map(|place| format!(" --repository={place}")).collect();
                // Objects from files are not purged there.
                let flags = match view.origin.files.is_empty() {
                    true => format!("{places}{}{}{}", view.accepting(&[]), view.same, view.same_storage),
                    false => String::new(),
                };
                writeln!(out, "    release  {}{}", escape(&command), escape(&flags))?;
                if let Some(warning) = next::uncovered(&outside.unwrap_or_default()) {
                    writeln!(out, "             {warning}")?;
                }
            }
        }
        writeln!(out, "    more     kubectl argo-gc explain {}", self.reason.code())
    }
}

/// Whether Kubernetes accepts the text as a name.
fn is_name(text: &str) -> bool {
    let ordinary = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    !text.is_empty() && text.bytes().all(ordinary) && !text.starts_with('-')
}

fn head(out: &mut dyn Write, artifact: &ArtifactReport) -> io::Result<()> {
    let template = match artifact.template.as_str() {
        "" => "inline template".to_owned(),
        name => format!("template {}", escape(name)),
    };
    let name = if artifact.node_name.is_empty() { &artifact.node_id } else { &artifact.node_name };
    writeln!(out, "  {}  {}, {template}", escape(name), escape(&artifact.node_type))
}

fn one(
    out: &mut dyn Write,
    view: &View,
    wf: &Assessment,
    artifact: &ArtifactReport,
    more: bool,
    whys: &[Why<'_>],
) -> io::Result<()> {
    let (branch, bar) = if more { ("├─", "│ ") } else { ("└─", "  ") };
    let color = if view.color { style(artifact.verdict) } else { Default::default() };
    let why = match (artifact.reason, artifact.when) {
        (Some(reason), _) => format!(" {}", reason.code()),
        (None, Some(When::OnCompletion)) => " when the workflow completes".to_owned(),
        (None, Some(When::OnDeletion)) => match wf.expires_at {
            Some(due) => format!(" when the workflow is deleted, by its TTL at {due}"),
            None => " when the workflow is deleted".to_owned(),
        },
        (None, Some(When::Now)) => " any moment now".to_owned(),
        (None, None) => String::new(),
    };
    let place = artifact.location.as_ref().map(ToString::to_string);
    let place = place.unwrap_or_else(|| format!("<unknown>: {}", artifact.location_problem));
    let (name, verdict) = (escape(&artifact.name), artifact.verdict.as_str());
    let place = format!("{}{}", escape(&place), stored(artifact));
    let pad = format!("  {bar}   ");
    let plain = format!("  {branch} {name}   {verdict}{why}   {place}");
    // A location is never cut. Where there is no room for it, it is in a line of its own.
    let gap = match view.width.is_some_and(|width| get_text_width(&plain) > width) {
        true => format!("\n{pad}"),
        false => "   ".to_owned(),
    };
    writeln!(out, "  {branch} {name}   {color}{verdict}{color:#}{why}{gap}{place}")?;
    let strategy = artifact.strategy.as_str();
    if artifact.strategy != wf.strategy {
        let account = if artifact.service_account.is_empty() { "default" } else { &artifact.service_account };
        let source = artifact.strategy_source.as_str();
        writeln!(out, "{pad}strategy {} ({source}), service account {}", escape(strategy), escape(account))?;
    }
    let common = whys.iter().find(|why| Some(why.reason) == artifact.reason);
    let own = artifact.evidence.iter().filter(|fact| common.is_some_and(|why| !why.common.contains(fact)));
    evidence(out, &format!("{pad}because  "), own)?;
    notes(out, &pad, &artifact.notes)
}

/// What is in storage; empty if that was not looked at.
fn stored(artifact: &ArtifactReport) -> String {
    match &artifact.stored {
        None => String::new(),
        Some(stored) => format!("   {}, {}", size(stored.bytes), plural(stored.objects, "object")),
    }
}

fn evidence<'a>(
    out: &mut dyn Write,
    lead: &str,
    mut evidence: impl Iterator<Item = &'a Evidence>,
) -> io::Result<()> {
    evidence.try_for_each(|fact| writeln!(out, "{lead}{} = {}", escape(&fact.field), escape(&fact.value)))
}

fn notes(out: &mut dyn Write, pad: &str, notes: &[Note]) -> io::Result<()> {
    for Note { reason, detail } in notes {
        let detail = if detail.is_empty() { String::new() } else { format!(" ({})", escape(detail)) };
        writeln!(out, "{pad}note     {} — {}{detail}", reason.code(), reason.entry().title)?;
    }
    Ok(())
}
