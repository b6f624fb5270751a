//! A diagnosis: the facts about the controller, then the causes with their repairs.

use crate::error::Error;
use crate::output::columns::table;
use crate::output::document;
use crate::output::escape::escape;
use crate::output::prose::Prose;
use crate::output::text::{or_none, plural};
use argo_gc_core::doctor::account::AccountFacts;
use argo_gc_core::doctor::facts::{ControllerFacts, RepositoryFacts};
use argo_gc_core::doctor::group::Group;
use argo_gc_core::doctor::members::Name;
use argo_gc_core::inspection::Inspection;
use argo_gc_core::model::API_VERSION;
use argo_gc_core::model::account::{Answer, Standing};
use argo_gc_core::model::scope::Scope;
use argo_gc_core::verdict::Verdict;
use jiff::Timestamp;
use serde_json::json;
use std::collections::BTreeSet;
use std::io;
use std::io::Write;

/// The largest number of workflow names shown for a cause.
const NAMES: usize = 3;

/// How a diagnosis is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    Text,
    Json,
    Yaml,
}

/// The content of a diagnosis.
pub struct Diagnosis<'a> {
    pub now: Timestamp,
    pub origin: Scope,
    /// The name of the cluster, namespace or files, for use in a sentence.
    pub place: String,
    pub controllers: Vec<ControllerFacts>,
    pub controllers_complete: bool,
    pub repositories: Vec<RepositoryFacts>,
    pub accounts: Vec<AccountFacts>,
    pub causes: Vec<Group>,
    pub inspection: &'a Inspection,
}

impl Diagnosis<'_> {
    fn is_of_files(&self) -> bool {
        self.origin.kind == "files"
    }
}

/// Prints a diagnosis.
///
/// # Errors
/// Writing failed.
pub fn write(
    out: &mut dyn Write,
    width: Option<usize>,
    diagnosis: &Diagnosis<'_>,
    format: Format,
) -> Result<(), Error> {
    match format {
        Format::Text => Ok(text(&mut Prose::new(out, width), width, diagnosis)?),
        format => {
            let summary = &diagnosis.inspection.summary;
            let head = json!({
                "apiVersion": API_VERSION,
                "kind": "Diagnosis",
                "generatedAt": diagnosis.now,
                "source": diagnosis.origin,
                "controllers": diagnosis.controllers,
                "controllersComplete": diagnosis.controllers_complete,
                "repositories": diagnosis.repositories,
                "serviceAccounts": diagnosis.accounts,
                "summary": {
                    "workflows": summary.workflows,
                    "affectedWorkflows": affected(&diagnosis.causes),
                    "stuckFinalizers": summary.stuck_finalizers,
                    "artifacts": summary.artifacts,
                },
                "gaps": diagnosis.inspection.gaps,
            });
            let causes = diagnosis.causes.iter().map(Ok);
            document::write(out, format == Format::Yaml, &head, "causes", causes)
        }
    }
}

/// Prints the objects that repairs apply, and nothing else.
///
/// # Errors
/// Writing failed.
pub fn write_yaml(out: &mut dyn Write, diagnosis: &Diagnosis<'_>) -> io::Result<()> {
    let repairs = diagnosis.causes.iter().flat_map(|group| &group.repairs);
    for repair in repairs.filter(|repair| repair.apply) {
        if let Some(yaml) = &repair.yaml {
            write!(out, "# {}\n---\n{yaml}", escape(repair.what.trim_end_matches(':')))?;
        }
    }
    Ok(())
}

fn text(out: &mut Prose<'_>, width: Option<usize>, diagnosis: &Diagnosis<'_>) -> io::Result<()> {
    controllers(out, diagnosis)?;
    repositories(out, &diagnosis.repositories)?;
    let known = |account: &&AccountFacts| {
        let Standing { exists, list, watch, patch_status, .. } = account.standing;
        // Files often say nothing about service accounts.
        !diagnosis.is_of_files()
            || [exists, list, watch, patch_status].iter().any(|answer| *answer != Answer::Unknown)
    };
    let accounts = diagnosis.accounts.iter().filter(known).map(|account| {
        let standing = &account.standing;
        let name = |text: &str| escape(text).into_owned();
        let answers = [standing.exists, standing.list, standing.watch, standing.patch_status];
        let mut row = vec![name(&account.namespace), name(&account.name)];
        row.extend(answers.map(|answer| answer.as_str().to_owned()));
        row.push(account.workflows.to_string());
        row
    });
    let columns = ["NAMESPACE", "SERVICE ACCOUNT", "EXISTS", "LIST", "WATCH", "PATCH STATUS", "WORKFLOWS"];
    table(out, width, &columns, &[], &accounts.collect::<Vec<_>>())?;
    if diagnosis.inspection.summary.workflows == 0 && diagnosis.causes.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", headline(diagnosis))?;
    diagnosis.causes.iter().try_for_each(|group| cause(out, group))?;
    elsewhere(out, diagnosis)
}

/// The one sentence that answers the question.
fn headline(diagnosis: &Diagnosis<'_>) -> String {
    let summary = &diagnosis.inspection.summary;
    let stuck = match summary.stuck_finalizers {
        0 => "no finalizer is stuck".to_owned(),
        1 => "1 finalizer is stuck".to_owned(),
        stuck => format!("{stuck} finalizers are stuck"),
    };
    let workflows = plural(summary.workflows, "workflow");
    if diagnosis.causes.is_empty() {
        if let Some(why) = doubt(diagnosis) {
            return format!(
                "Nothing is known to be stuck in {}: {workflows}, {stuck}; but {why}",
                escape(&diagnosis.place)
            );
        }
        let count = |verdict| diagnosis.inspection.artifacts(verdict);
        let whole = diagnosis.inspection.gaps.is_empty();
        let start = if whole { "Artifact GC is" } else { "As far as could be read, artifact GC is" };
        return format!(
            "{start} healthy in {}: {workflows}, {stuck}; {} collected, {} to come",
            escape(&diagnosis.place),
            plural(count(Verdict::Collected), "artifact"),
            count(Verdict::Covered)
        );
    }
    let causes = plural(diagnosis.causes.len() as u64, "cause");
    let some = affected(&diagnosis.causes);
    let verb = if some == 1 { "has" } else { "have" };
    format!("{some} of {workflows} {verb} a collection that is stuck or in doubt, for {causes}; {stuck}")
}

/// Why artifact GC is not healthy although no workflow shows a cause.
fn doubt(diagnosis: &Diagnosis<'_>) -> Option<String> {
    let hindrance = |controller: &ControllerFacts| {
        let what = match controller {
            ControllerFacts { replicas: 0, .. } => "is scaled to 0".to_owned(),
            ControllerFacts { artifact_gc_enabled: Some(false), .. } => {
                "has artifact GC switched off".to_owned()
            }
            ControllerFacts { lacks, .. } if !lacks.is_empty() => format!("may not {}", lacks.join(", ")),
            _ => return None,
        };
        Some(format!("controller {}/{} {what}", controller.namespace, controller.name))
    };
    let inspection = diagnosis.inspection;
    let (unknown, unseen) = (inspection.artifacts(Verdict::Unknown), inspection.unseen());
    let says = "kubectl argo-gc inspect says why";
    let artifacts = || format!("what becomes of {} is unknown: {says}", plural(unknown, "artifact"));
    let nodes = || format!("the nodes of {} can't be seen: {says}", plural(unseen, "workflow"));
    // One controller that works is enough.
    let hindered: Option<Vec<String>> = diagnosis.controllers.iter().map(hindrance).collect();
    let controller = hindered.and_then(|hindered| hindered.into_iter().next());
    let controller = controller.map(|what| escape(&what).into_owned());
    controller.or_else(|| (unknown > 0).then(artifacts)).or_else(|| (unseen > 0).then(nodes))
}

/// Counts the workflows that at least one cause concerns.
fn affected(causes: &[Group]) -> u64 {
    let named: BTreeSet<&Name> = causes.iter().flat_map(|group| &group.names).collect();
    // Of the workflows without a name it is unknown which causes share them, so they count once.
    let more =
        causes.iter().map(|group| group.workflows - group.names.len() as u64).max().unwrap_or_default();
    named.len() as u64 + more
}

/// What a controller's account lacks for artifact GC.
fn permissions(
    out: &mut dyn Write,
    controller: &ControllerFacts,
    diagnosis: &Diagnosis<'_>,
) -> io::Result<()> {
    let line = |out: &mut dyn Write, text: &str| writeln!(out, "  {:<18}{}", "permissions", escape(text));
    if !controller.lacks.is_empty() {
        line(out, &format!("lacks: {}", controller.lacks.join(", ")))?;
    }
    // For all namespaces at once a review says no also where a role grants it in each.
    let everywhere = diagnosis.origin.kind == "cluster" && diagnosis.origin.namespace.is_none();
    match controller.owns_gc_pods {
        Answer::No => line(
            out,
            "lacks: update workflowartifactgctasks/finalizers; without it GC pods are refused where \
             OwnerReferencesPermissionEnforcement is on, as on OpenShift",
        ),
        Answer::Unknown if everywhere => line(
            out,
            "<unknown> whether it may update workflowartifactgctasks/finalizers: a role may grant that in each \
             namespace; kubectl argo-gc doctor -n NAMESPACE asks",
        ),
        _ => Ok(()),
    }
}

fn controllers(out: &mut dyn Write, diagnosis: &Diagnosis<'_>) -> io::Result<()> {
    if diagnosis.controllers.is_empty() {
        let found = match (diagnosis.is_of_files(), diagnosis.controllers_complete) {
            (true, _) => "none among the files",
            (_, true) => "none: no Deployment of the cluster runs a workflow-controller",
            (_, false) => "could not be read: not every Deployment may be listed",
        };
        return writeln!(out, "Controller  {found}");
    }
    for controller in &diagnosis.controllers {
        let unread = || match diagnosis.is_of_files() {
            true => "<unknown>: its ConfigMap is not among the files".to_owned(),
            false => "<unknown>: its ConfigMap could not be read".to_owned(),
        };
        writeln!(out, "Controller  {}/{}", escape(&controller.namespace), escape(&controller.name))?;
        let line =
            |out: &mut dyn Write, key: &str, value: &str| writeln!(out, "  {key:<18}{}", escape(value));
        line(out, "version", controller.version.as_deref().unwrap_or("<unknown>: the image's tag is none"))?;
        let id = controller.instance_id.clone().unwrap_or_else(unread);
        line(out, "instance ID", if id.is_empty() { "<none>" } else { &id })?;
        line(
            out,
            "artifact GC",
            match controller.artifact_gc_enabled {
                Some(true) => "on",
                Some(false) => "off: ARGO_ARTIFACT_GC_ENABLED is false",
                None => "<unknown>: ARGO_ARTIFACT_GC_ENABLED comes from elsewhere",
            },
        )?;
        if let Some(managed) = &controller.managed_namespace {
            line(out, "manages", &format!("namespace {managed} only"))?;
        }
        if controller.replicas == 0 {
            line(out, "replicas", "0: it does not run")?;
        }
        permissions(out, controller, diagnosis)?;
        let Some(config) = &controller.config else {
            line(out, "workflowDefaults", &unread())?;
            continue;
        };
        let defaults = match &config.workflow_defaults {
            None => "no artifactGC".to_owned(),
            Some(gc) => {
                let force = if gc.force_finalizer_removal { ", forceFinalizerRemoval" } else { "" };
                let (strategy, account) = (or_none(&gc.strategy), or_none(&gc.service_account_name));
                format!("artifactGC strategy {strategy}, service account {account}{force}")
            }
        };
        line(out, "workflowDefaults", &defaults)?;
        let limits: Vec<String> =
            [(config.parallelism, "in all"), (config.namespace_parallelism, "a namespace")]
                .into_iter()
                .filter_map(|(limit, of)| Some(format!("{} {of}", limit?)))
                .collect();
        if !limits.is_empty() {
            line(out, "parallelism", &limits.join(", "))?;
        }
        let archive = match config.archive {
            Some(true) => "on",
            Some(false) => "off",
            None => "<unknown>",
        };
        line(out, "archive", archive)?;
    }
    Ok(())
}

fn repositories(out: &mut dyn Write, repositories: &[RepositoryFacts]) -> io::Result<()> {
    for repository in repositories {
        let bucket = if repository.bucket.is_empty() { "<none>" } else { &repository.bucket };
        writeln!(
            out,
            "Repository  {} {}, of {}\n  {:<18}{}",
            repository.engine,
            escape(bucket),
            escape(&repository.source),
            "key format",
            escape(&repository.key_format)
        )?;
        if repository.archive_logs {
            writeln!(out, "  {:<18}archives logs: those of every pod are kept there", "logs")?;
        }
        for hazard in &repository.hazards {
            writeln!(out, "  {:<18}{hazard}", "can collide")?;
        }
    }
    Ok(())
}

fn cause(out: &mut Prose<'_>, group: &Group) -> io::Result<()> {
    let subject = match group.subject.as_str() {
        "" => String::new(),
        subject => format!(" ({})", escape(subject)),
    };
    writeln!(out, "\n{}{subject} — {}", group.cause.code(), group.title)?;
    writeln!(out, "  {}", group.why)?;
    let names: Vec<String> = group
        .names
        .iter()
        .take(NAMES)
        .map(|Name { namespace, name }| escape(&format!("{namespace}/{name}")).into_owned())
        .collect();
    let more = group.workflows - names.len() as u64;
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let stuck = match (group.stuck, group.workflows) {
        (stuck, all) if stuck == all => String::new(),
        (0, _) => ", none stuck yet".to_owned(),
        (stuck, _) => format!(", {stuck} stuck"),
    };
    writeln!(out, "  {}{stuck}: {}{more}", plural(group.workflows, "workflow"), names.join(", "))?;
    for evidence in &group.evidence {
        writeln!(out, "    because  {} = {}", escape(&evidence.field), escape(&evidence.value))?;
    }
    for repair in &group.repairs {
        writeln!(out, "    repair   {}", escape(&repair.what))?;
        for command in &repair.commands {
            writeln!(out, "             {}", escape(command))?;
        }
        for line in repair.yaml.iter().flat_map(|yaml| yaml.lines()) {
            out.whole(&format!("               {}", escape(line)))?;
        }
    }
    if !group.reasons.is_empty() {
        let codes: Vec<&str> = group.reasons.iter().map(|reason| reason.code()).collect();
        writeln!(out, "    more     kubectl argo-gc explain {}", codes.join(" "))?;
    }
    Ok(())
}

/// Points to `inspect` for artifacts that GC was never asked to collect.
fn elsewhere(out: &mut dyn Write, diagnosis: &Diagnosis<'_>) -> io::Result<()> {
    let uncovered = diagnosis.inspection.artifacts(Verdict::Uncovered);
    if uncovered == 0 {
        return Ok(());
    }
    let (verb, them) = if uncovered == 1 { ("is", "it") } else { ("are", "them") };
    writeln!(
        out,
        "\n{} {verb} uncovered: nobody will delete {them}, though GC has not failed: kubectl argo-gc inspect says why",
        plural(uncovered, "artifact")
    )
}
