//! From gathered workflows to a plan, from a plan to deleted objects: the one way, whatever the plan came from.

use super::{Arguments, DryRun, Format, signed};
use crate::cli::Streams;
use crate::cluster::Cluster;
use crate::error::{Error, exit};
use crate::gc::plan::Rules;
use crate::gc::{Context, Controllers, Related};
use crate::output::{document, plan as show};
use crate::purge::document::{API_VERSION, ClusterIdentity, Totals};
use crate::purge::execute::{Executor, Fate, Stop, Tally};
use crate::purge::journal::{Journal, Line, Record};
use crate::purge::settle::{Settlement, Wishes, announce, settle};
use crate::purge::{Gathered, Plan, resolve};
use crate::store::Store;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

/// Above these a name is typed rather than a letter.
const MANY_OBJECTS: u64 = 1_000;
const MANY_BYTES: u64 = 100 << 30;

/// What a plan is carried out on.
pub(super) struct Target<'a> {
    /// None for files.
    pub cluster: Option<&'a Cluster>,
    pub store: &'a Store,
    pub context: &'a Context,
}

/// Asks storage about everything gathered and seals the plan.
pub(super) async fn make(
    arguments: &Arguments,
    whole: Gathered,
    rules: &Rules,
    store: &Store,
    cluster: Option<ClusterIdentity>,
    streams: &mut Streams,
    now: Timestamp,
) -> Result<Plan, Error> {
    let taken = whole.taken;
    let (selected, references, unread) = whole.finish();
    let unread = arguments.check_unread(&unread)?;
    for accepted in &unread {
        streams.say(crate::output::escape(&format!("Warning: accepted as unread: {accepted}")));
    }
    let anything: BTreeSet<&str> =
        references.readers_of_anything().map(|referrer| referrer.name.as_str()).collect();
    if let Some(first) = anything.first() {
        let more =
            if anything.len() > 1 { format!(" and {} more", anything.len() - 1) } else { String::new() };
        streams.say(crate::output::escape(&format!(
            "Warning: {first}{more} reads keys made of parameters alone; pin what it needs with the label argo-gc/keep=true"
        )));
    }
    tracing::debug!(references = references.len(), "gathered");
    let workflows = resolve::resolve(selected, &references, rules, store).await?;
    let buckets = resolve::buckets(&workflows, store).await?;
    if taken == 0 {
        streams.say("No workflows selected.");
    }
    let plan = Plan {
        api_version: API_VERSION.to_owned(),
        kind: "PurgePlan".to_owned(),
        created_at: now,
        cluster,
        storage: arguments.storage.name(),
        buckets,
        unread,
        workflows,
        totals: Totals::default(),
        hash: String::new(),
    };
    Ok(plan.sealed())
}

/// Shows a plan and, unless it is only to be shown or saved, asks and carries it out.
pub(super) async fn run(
    arguments: &Arguments,
    plan: Plan,
    target: &Target<'_>,
    streams: &mut Streams,
    now: Timestamp,
) -> Result<u8, Error> {
    let only_shown = arguments.plan_out.is_some()
        || arguments.dry_run != DryRun::None
        || target.cluster.is_none() && arguments.storage.store_root.is_none();
    print(arguments, &plan, only_shown, streams, now)?;
    if let Some(path) = &arguments.plan_out {
        let text = serde_json::to_string_pretty(&plan).map_err(Error::new)?;
        std::fs::write(path, text + "\n")
            .map_err(|error| Error::new(format!("{}: {error}", path.display())))?;
        streams.say(format!("Saved; carry it out with: kubectl argo-gc purge --plan {}", path.display()));
        return Ok(exit::DONE);
    }
    let idle = plan.totals.objects == 0 && !plan.workflows.iter().any(|workflow| workflow.release_finalizer);
    if idle {
        return Ok(exit::DONE);
    }
    check_caps(arguments, &plan)?;
    if target.cluster.is_none() && arguments.storage.store_root.is_none() {
        streams.say("Files are no cluster: from them real buckets are only planned for.");
        return Ok(exit::DONE);
    }
    if arguments.dry_run != DryRun::Client {
        preflight(arguments, &plan, target).await?;
    }
    if arguments.dry_run != DryRun::None {
        streams.say("This was a dry run; nothing was deleted.");
        return Ok(exit::DONE);
    }
    confirm(arguments, &plan, target, streams)?;
    let path = arguments.state.journal(&plan.hash, now)?;
    let journal = Journal::begin(&path, &target.store.identity(), &plan, now)?;
    carry_out(arguments, plan, target, &journal, streams, now).await
}

/// Carries out a saved plan.
pub(super) async fn saved(
    arguments: &Arguments,
    path: &Path,
    streams: &mut Streams,
    now: Timestamp,
) -> Result<u8, Error> {
    let text =
        std::fs::read_to_string(path).map_err(|error| Error::new(format!("{}: {error}", path.display())))?;
    let max_age = signed(arguments.plan_max_age);
    let storage = arguments.storage.name();
    let store = arguments.storage.open()?;
    // A plan of files names no cluster, and then none is asked.
    let of_files = serde_json::from_str::<Plan>(&text).is_ok_and(|plan| plan.cluster.is_none());
    let (cluster, context) = connect(arguments, of_files, now).await?;
    let identity = match &cluster {
        Some(cluster) => Some(ClusterIdentity {
            uid: cluster.uid().await,
            server: cluster.host().to_owned(),
            context: cluster.context().map(str::to_owned),
        }),
        None => None,
    };
    let plan = Plan::read(&text, identity.as_ref(), &storage, max_age, now)?;
    let plan = refresh(arguments, plan, cluster.as_ref(), &context, streams).await?;
    let target = Target { cluster: cluster.as_ref(), store: &store, context: &context };
    run(arguments, plan, &target, streams, now).await
}

/// Finishes an interrupted run: the same plan, without what the journal says is settled.
pub(super) async fn resume(
    arguments: &Arguments,
    path: &Path,
    streams: &mut Streams,
    now: Timestamp,
) -> Result<u8, Error> {
    let record = Record::read(path)?;
    let mut plan = record.plan.clone();
    let store = arguments.storage.open()?;
    if plan.storage != arguments.storage.name() {
        return Err(Error::refused(format!("the journal is of other storage: {}", plan.storage)));
    }
    let (cluster, context) = connect(arguments, plan.cluster.is_none(), now).await?;
    if let (Some(cluster), Some(then)) = (&cluster, &plan.cluster) {
        let same = match (&then.uid, cluster.uid().await) {
            (Some(then), Some(now)) => *then == now,
            _ => then.server == cluster.host(),
        };
        if !same {
            return Err(Error::refused(format!("the journal is of another cluster: {}", then.server))
                .hint("choose it with --context"));
        }
    }
    let planned = plan.totals.objects;
    for workflow in &mut plan.workflows {
        workflow.delete.retain(|object| !record.is_settled(object));
    }
    let plan = plan.sealed();
    let settled = planned - plan.totals.objects;
    streams.say(format!("{settled} of {planned} objects are settled already."));
    if record.ended && plan.totals.objects == 0 {
        return Ok(exit::DONE);
    }
    let plan = refresh(arguments, plan, cluster.as_ref(), &context, streams).await?;
    print(arguments, &plan, arguments.dry_run != DryRun::None, streams, now)?;
    let target = Target { cluster: cluster.as_ref(), store: &store, context: &context };
    if arguments.dry_run != DryRun::None {
        return Ok(exit::DONE);
    }
    preflight(arguments, &plan, &target).await?;
    confirm(arguments, &plan, &target, streams)?;
    let journal = Journal::reopen(path)?;
    carry_out(arguments, plan, &target, &journal, streams, now).await
}

/// Looks again who refers to what: a plan may be hours old.
async fn refresh(
    arguments: &Arguments,
    mut plan: Plan,
    cluster: Option<&Cluster>,
    context: &Context,
    streams: &mut Streams,
) -> Result<Plan, Error> {
    let Some(cluster) = cluster else { return Ok(plan) };
    let kept = super::from_cluster::keep_referenced(cluster, arguments, context, &mut plan).await?;
    if kept > 0 {
        streams.say(format!("Note: {kept} objects of the plan are referred to by now, and stay."));
        plan = plan.sealed();
    }
    Ok(plan)
}

/// The cluster of a plan, with what verdicts need; nothing for files.
async fn connect(
    arguments: &Arguments,
    of_files: bool,
    now: Timestamp,
) -> Result<(Option<Cluster>, Context), Error> {
    if of_files {
        let context = Context { now, controllers: Controllers::default(), related: Related::default() };
        return Ok((None, context));
    }
    let cluster = Cluster::connect(&arguments.kube.access()).await?;
    let (mut controllers, related, _) = cluster.related(None).await;
    controllers.version = arguments.argo_version;
    Ok((Some(cluster), Context { now, controllers, related }))
}

/// Shows a plan. A plan that is carried out shows as a table where its result is to be the document.
fn print(
    arguments: &Arguments,
    plan: &Plan,
    only_shown: bool,
    streams: &mut Streams,
    now: Timestamp,
) -> Result<(), Error> {
    let out = &mut streams.out;
    match arguments.output {
        Format::Table => show::plan(out, plan, false, now)?,
        Format::Wide => show::plan(out, plan, true, now)?,
        format if only_shown => document::write(out, format == Format::Yaml, plan)?,
        _ => show::plan(&mut streams.err, plan, false, now)?,
    }
    streams.out.flush()?;
    Ok(())
}

/// A plan larger than expected is a mistake until the user says otherwise (danger 27).
fn check_caps(arguments: &Arguments, plan: &Plan) -> Result<(), Error> {
    let totals = &plan.totals;
    if totals.objects > arguments.max_objects {
        return Err(Error::refused(format!(
            "the plan has {} objects, more than --max-objects {}",
            totals.objects, arguments.max_objects
        ))
        .hint("select less, or allow more"));
    }
    match arguments.max_bytes.filter(|max| totals.bytes > *max) {
        Some(max) => Err(Error::refused(format!(
            "the plan has {}, more than --max-bytes {}",
            show::size(totals.bytes),
            show::size(max)
        ))
        .hint("select less, or allow more")),
        None => Ok(()),
    }
}

/// Asks for every right before the first delete, so that nothing is left half done for want of one.
async fn preflight(arguments: &Arguments, plan: &Plan, target: &Target<'_>) -> Result<(), Error> {
    for bucket in &plan.buckets {
        let missing = target.store.missing_rights(&bucket.name).await.map_err(Error::new)?;
        if !missing.is_empty() {
            return Err(Error::refused(format!(
                "{} lacks {} on bucket {}",
                target.store.identity(),
                missing.join(", "),
                bucket.name
            ))
            .hint("roles/storage.objectUser on the bucket has what a purge needs"));
        }
    }
    let Some(cluster) = target.cluster else { return Ok(()) };
    let namespaces: BTreeSet<&str> = plan
        .workflows
        .iter()
        .filter(|workflow| !workflow.delete.is_empty() && !arguments.no_record || workflow.release_finalizer)
        .map(|workflow| workflow.namespace.as_str())
        .collect();
    for namespace in namespaces {
        if cluster.may_i("patch", namespace).await == Some(false) {
            return Err(Error::refused(format!("you may not patch workflows in \"{namespace}\"")).hint(
                "--no-record deletes without marking the artifacts as deleted; releasing finalizers needs the right",
            ));
        }
    }
    Ok(())
}

/// Says what there is to know, and asks.
fn confirm(
    arguments: &Arguments,
    plan: &Plan,
    target: &Target<'_>,
    streams: &mut Streams,
) -> Result<(), Error> {
    streams.say("");
    for bucket in &plan.buckets {
        streams.say(show::bucket(bucket));
    }
    let place = match &plan.cluster {
        Some(cluster) => format!("cluster {}", cluster.context.as_deref().unwrap_or(&cluster.server)),
        None => "files".to_owned(),
    };
    streams.say(crate::output::escape(&format!(
        "Workflows of {place}; deleting as {}.",
        target.store.identity()
    )));
    if arguments.yes {
        return Ok(());
    }
    if !streams.in_is_terminal {
        return Err(Error::refused("not confirmed: there is no terminal to ask on")
            .hint("--yes goes on without asking"));
    }
    let totals = &plan.totals;
    let no_way_back = plan.buckets.iter().any(|bucket| !bucket.has_undo());
    let large = totals.objects > MANY_OBJECTS || totals.bytes > MANY_BYTES;
    let first = plan.buckets.first().filter(|_| large || no_way_back);
    let (question, wanted) = match first {
        Some(bucket) => {
            (format!("Type the name of the bucket ({}) to delete", bucket.name), bucket.name.as_str())
        }
        None => ("Go on? [y/N]".to_owned(), "y"),
    };
    let _ = write!(streams.err, "{}: ", crate::output::escape(&question));
    let _ = streams.err.flush();
    let mut answer = String::new();
    // One byte at a time would be needed to leave the rest alone; nothing reads it after us.
    BufReader::new(&mut *streams.input).read_line(&mut answer).map_err(Error::new)?;
    let answer = answer.trim();
    let agreed = if wanted == "y" { matches!(answer, "y" | "Y" | "yes") } else { answer == wanted };
    if agreed { Ok(()) } else { Err(Error::refused("not confirmed: nothing was deleted")) }
}

/// Deletes, verifies, settles the workflows, and tells.
async fn carry_out(
    arguments: &Arguments,
    plan: Plan,
    target: &Target<'_>,
    journal: &Journal,
    streams: &mut Streams,
    now: Timestamp,
) -> Result<u8, Error> {
    let stop: &Stop = &streams.stop.clone();
    stop.guard();
    let bar = match streams.err_is_terminal {
        true => ProgressBar::with_draw_target(Some(plan.totals.objects), ProgressDrawTarget::stderr())
            .with_style(ProgressStyle::default_bar()),
        false => ProgressBar::hidden(),
    };
    let progress = |settled: u64| bar.set_position(settled);
    let executor = Executor {
        store: target.store,
        cluster: target.cluster,
        journal,
        concurrency: arguments.storage.concurrency(),
        stop,
        progress: &progress,
    };
    let buckets = plan.buckets;
    let outcome = executor.run(plan.workflows).await;
    bar.finish_and_clear();
    let tally = outcome.map_err(|error| {
        error.hint(format!("go on with: kubectl argo-gc purge --resume {}", journal.path().display()))
    })?;
    let mut settlements = Vec::new();
    if let Some(cluster) = target.cluster {
        settlements = settle_all(arguments, &tally, cluster, target, journal, streams, now).await?;
    }
    if !stop.is_asked() {
        journal.write(&Line::End { time: now })?;
    }
    journal.sync()?;
    finish(&tally, &settlements, &buckets, arguments, journal, streams, stop)
}

async fn settle_all(
    arguments: &Arguments,
    tally: &Tally,
    cluster: &Cluster,
    target: &Target<'_>,
    journal: &Journal,
    streams: &mut Streams,
    now: Timestamp,
) -> Result<Vec<(String, Settlement)>, Error> {
    let mut settlements = Vec::new();
    let wishes = Wishes { record: !arguments.no_record };
    for workflow in &tally.workflows {
        let name = format!("{}/{}", workflow.plan.namespace, workflow.plan.name);
        let touched = workflow.objects.iter().any(|settled| settled.fate.is_gone());
        let due = touched && wishes.record || workflow.plan.release_finalizer;
        if !due || streams.stop.is_asked() {
            continue;
        }
        match settle(workflow, wishes, cluster, target.store, target.context, journal).await {
            Ok(settlement) => {
                for note in &settlement.notes {
                    streams.say(crate::output::escape(&format!("Note: {name}: {note}")));
                }
                announce(workflow, &settlement, cluster, now).await;
                settlements.push((name, settlement));
            }
            Err(error) => streams.say(crate::output::escape(&format!(
                "Warning: workflow {name}: its objects are deleted, but that could not be recorded: {}",
                error.brief()
            ))),
        }
    }
    Ok(settlements)
}

fn finish(
    tally: &Tally,
    settlements: &[(String, Settlement)],
    buckets: &[crate::store::BucketFacts],
    arguments: &Arguments,
    journal: &Journal,
    streams: &mut Streams,
    stop: &Stop,
) -> Result<u8, Error> {
    match arguments.output {
        Format::Table | Format::Wide => show::tally(&mut streams.out, tally, settlements, buckets)?,
        format => {
            let journal = journal.path().display().to_string();
            let result = show::result(tally, settlements, journal);
            document::write(&mut streams.out, format == Format::Yaml, &result)?;
        }
    }
    let left = show::leftovers(tally);
    const SHOWN: usize = 20;
    for line in left.iter().take(SHOWN) {
        streams.say(format!("Warning: {line}"));
    }
    if left.len() > SHOWN {
        streams.say(format!("Warning: and {} more", left.len() - SHOWN));
    }
    streams.say(format!("Journal: {}", journal.path().display()));
    if stop.is_asked() {
        let reached = tally.count(|fate| *fate != Fate::NotReached);
        streams.say(format!(
            "Interrupted after {reached} objects; go on with: kubectl argo-gc purge --resume {}",
            journal.path().display()
        ));
        return Ok(exit::INTERRUPTED);
    }
    Ok(if tally.is_complete() { exit::DONE } else { exit::PARTIAL })
}
