//! From gathered workflows to a plan, from a plan to deleted objects: the one way, whatever the plan came from.

use super::engine::{self, Engine};
use super::{Arguments, DryRun, Format, signed};
use crate::cli::Streams;
use crate::cluster::Cluster;
use crate::error::{Error, exit};
use crate::gc::plan::Rules;
use crate::gc::reference::References;
use crate::gc::{Context, Controllers, Kept, PlannedWorkflow, Related};
use crate::output::{document, escape, plan as show};
use crate::purge::document::{ClusterIdentity, Head};
use crate::purge::execute::{Executor, Fate, WorkflowTally};
use crate::purge::gather::Whole;
use crate::purge::journal::{Journal, Line, Record};
use crate::purge::spill::Spill;
use crate::purge::{Draft, Plan, resolve};
use crate::store::Store;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a shown plan may wait for its answer: what refers to its objects was looked up before.
const PATIENCE: Duration = Duration::from_secs(600);
/// Above these a name is typed rather than a letter.
const MANY_OBJECTS: u64 = 1_000;
const MANY_BYTES: u64 = 100 << 30;
/// Objects that are still there are named up to this number.
const TOLD: u64 = 20;

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
    mut whole: Whole,
    rules: &Rules,
    store: &Store,
    cluster: Option<ClusterIdentity>,
    streams: &mut Streams,
    now: Timestamp,
) -> Result<Plan, Error> {
    let taken = whole.taken;
    whole.retain()?;
    let (selected, released, references, unread) = whole.finish();
    let unread = arguments.check_unread(&unread)?;
    for accepted in &unread {
        streams.say(escape(&format!("Warning: accepted as unread: {accepted}")));
    }
    warn_of_readers(&references, streams);
    tracing::debug!(references = references.len(), "gathered");
    if taken == 0 {
        streams.say("No workflows selected.");
    }
    let mut draft = Draft::new(Head::new(now, cluster, arguments.storage.name(), unread))?;
    resolve::resolve(selected, &released, &references, rules, store, &mut draft).await?;
    let buckets = resolve::buckets(&draft, store).await?;
    draft.seal(buckets)
}

/// Names those whose reads can't be told (danger 8).
pub(in crate::cli) fn warn_of_readers(references: &References, streams: &mut Streams) {
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
        save(&plan, path, streams)?;
        return Ok(exit::DONE);
    }
    if plan.is_idle() {
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
    confirm(arguments, &plan, target, streams).await?;
    let path = arguments.state.journal(&plan.hash, now)?;
    let journal = Journal::begin(&path, &identities(&plan, target).await, &plan, now)?;
    carry_out(arguments, plan, target, &journal, streams, now).await
}

/// Saves a plan, and says how to go on.
pub(in crate::cli) fn save(plan: &Plan, path: &Path, streams: &mut Streams) -> Result<(), Error> {
    let failed = |error: std::io::Error| Error::new(format!("{}: {error}", path.display()));
    let mut file = std::fs::File::create(path).map_err(failed)?;
    std::io::copy(&mut plan.text()?, &mut file).map_err(failed)?;
    streams.say(format!("Saved; carry it out with: kubectl argo-gc purge --plan {}", path.display()));
    Ok(())
}

/// Carries out a saved plan.
pub(super) async fn saved(
    arguments: &Arguments,
    path: &Path,
    streams: &mut Streams,
    now: Timestamp,
) -> Result<u8, Error> {
    let file =
        std::fs::File::open(path).map_err(|error| Error::new(format!("{}: {error}", path.display())))?;
    let store = arguments.storage.open()?;
    let plan = Plan::open(file)?;
    // A plan of files names no cluster, and then none is asked.
    let (cluster, context) = connect(arguments, plan.head.cluster.is_none(), now).await?;
    plan.check_age(signed(arguments.plan_max_age), now)?;
    plan.check_place(identity(cluster.as_ref()).await.as_ref(), &arguments.storage.name())?;
    // All of it, for what shards share is nobody else's.
    let plan = refresh(arguments, plan, cluster.as_ref(), &context, streams).await?;
    if arguments.engine != Engine::Local {
        return engine::hand_over(arguments, &plan, streams);
    }
    let plan = match arguments.shard {
        Some((which, of)) => plan.shard(which, of)?,
        None => plan,
    };
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
    let store = arguments.storage.open()?;
    let (cluster, context) = connect(arguments, record.plan.head.cluster.is_none(), now).await?;
    record.plan.check_place(identity(cluster.as_ref()).await.as_ref(), &arguments.storage.name())?;
    let planned = record.plan.tail.totals.objects;
    let mut left = 0_u64;
    let plan = record.plan.map(|PlannedWorkflow { delete, keep, absent, .. }| {
        delete.retain(|object| {
            let location = object.bucket.uri(&object.key);
            match record.settled(object) {
                None => return true,
                Some(Fate::Kept(protection, detail)) => {
                    left += 1;
                    keep.push(Kept { location, artifact: object.artifact.to_string(), protection, detail });
                }
                Some(_) => absent.push(location),
            }
            false
        });
    })?;
    let settled = planned - plan.tail.totals.objects;
    streams.say(format!("{settled} of {planned} objects are settled already."));
    if left > 0 {
        streams.say(format!("Warning: {left} of them were left alone, and are still there."));
    }
    let ended = |code| if code == exit::DONE && left > 0 { exit::PARTIAL } else { code };
    if plan.is_idle() && (record.ended || arguments.dry_run != DryRun::None) {
        return Ok(ended(exit::DONE));
    }
    let target = Target { cluster: cluster.as_ref(), store: &store, context: &context };
    if plan.is_idle() {
        // Nothing more is deleted, so there is nothing to ask; only the workflows have not been told.
        let journal = Journal::reopen(path)?;
        return carry_out(arguments, plan, &target, &journal, streams, now).await.map(ended);
    }
    let plan = refresh(arguments, plan, cluster.as_ref(), &context, streams).await?;
    print(arguments, &plan, arguments.dry_run != DryRun::None, streams, now)?;
    if arguments.dry_run != DryRun::None {
        return Ok(exit::DONE);
    }
    preflight(arguments, &plan, &target).await?;
    confirm(arguments, &plan, &target, streams).await?;
    let journal = Journal::reopen(path)?;
    carry_out(arguments, plan, &target, &journal, streams, now).await.map(ended)
}

/// Looks again who refers to what: a plan may be hours old.
async fn refresh(
    arguments: &Arguments,
    plan: Plan,
    cluster: Option<&Cluster>,
    context: &Context,
    streams: &mut Streams,
) -> Result<Plan, Error> {
    let Some(cluster) = cluster else { return Ok(plan) };
    let (references, since) = super::from_cluster::references(cluster, arguments, context, &plan).await?;
    let (plan, kept) = plan.keep_needed(&references, &since)?;
    if kept > 0 {
        streams.say(format!("Note: {kept} objects of the plan are referred to by now, or pinned, and stay."));
    }
    Ok(plan)
}

async fn identity(cluster: Option<&Cluster>) -> Option<ClusterIdentity> {
    Some(ClusterIdentity::of(cluster?).await)
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
    let cluster = Cluster::connect(&arguments.argo.beside(&arguments.kube)).await?;
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
        format if only_shown => {
            let mut head = serde_json::to_value(&plan.head).map_err(Error::new)?;
            let tail = serde_json::to_value(&plan.tail).map_err(Error::new)?;
            if let (Some(head), serde_json::Value::Object(tail)) = (head.as_object_mut(), tail) {
                head.extend(tail);
                head.insert("hash".to_owned(), plan.hash.as_str().into());
            }
            document::write(out, format == Format::Yaml, &head, "workflows", plan.workflows()?)?;
        }
        _ => show::plan(&mut streams.err, plan, false, now)?,
    }
    streams.out.flush()?;
    Ok(())
}

/// A plan larger than expected is a mistake until the user says otherwise (danger 27).
fn check_caps(arguments: &Arguments, plan: &Plan) -> Result<(), Error> {
    let totals = &plan.tail.totals;
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
    for bucket in &plan.tail.buckets {
        let missing = target.store.missing_rights(&bucket.bucket).await.map_err(Error::new)?;
        if !missing.is_empty() {
            return Err(Error::refused(format!(
                "{} lacks {} on {}",
                target.store.identity(&bucket.bucket).await,
                missing.join(", "),
                bucket.bucket
            ))
            .hint("roles/storage.objectUser on the bucket has what a purge needs"));
        }
    }
    let Some(cluster) = target.cluster else { return Ok(()) };
    let mut namespaces: BTreeSet<String> = BTreeSet::new();
    for workflow in plan.workflows()? {
        let workflow = workflow?;
        if !workflow.delete.is_empty() && !arguments.no_record || workflow.release_finalizer {
            namespaces.insert(workflow.namespace);
        }
    }
    for namespace in namespaces {
        if cluster.may_i("patch", &namespace).await == Some(false) {
            return Err(Error::refused(format!("you may not patch workflows in \"{namespace}\"")).hint(
                "--no-record deletes without marking the artifacts as deleted; releasing finalizers needs the right",
            ));
        }
    }
    Ok(())
}

/// Who deletes: storages differ in it.
async fn identities(plan: &Plan, target: &Target<'_>) -> String {
    let mut identities: Vec<String> = Vec::new();
    for facts in &plan.tail.buckets {
        let identity = target.store.identity(&facts.bucket).await;
        if !identities.contains(&identity) {
            identities.push(identity);
        }
    }
    identities.join(" and ")
}

/// Says what there is to know, and asks.
async fn confirm(
    arguments: &Arguments,
    plan: &Plan,
    target: &Target<'_>,
    streams: &mut Streams,
) -> Result<(), Error> {
    streams.say("");
    for bucket in &plan.tail.buckets {
        streams.say(show::bucket(bucket));
    }
    let place = match &plan.head.cluster {
        Some(cluster) => format!("cluster {}", cluster.context.as_deref().unwrap_or(&cluster.server)),
        None => "files".to_owned(),
    };
    // A plan that only releases finalizers deletes nothing.
    let deleting = match identities(plan, target).await {
        identities if identities.is_empty() => String::new(),
        identities => format!("; deleting as {identities}"),
    };
    streams.say(escape(&format!("Workflows of {place}{deleting}.")));
    if arguments.yes {
        return Ok(());
    }
    if !streams.in_is_terminal {
        return Err(Error::refused("not confirmed: there is no terminal to ask on")
            .hint("--yes goes on without asking"));
    }
    let totals = &plan.tail.totals;
    let no_way_back = plan.tail.buckets.iter().any(|bucket| !bucket.has_undo());
    let large = totals.objects > MANY_OBJECTS || totals.bytes > MANY_BYTES;
    let first = plan.tail.buckets.first().filter(|_| large || no_way_back);
    let (question, wanted) = match first {
        Some(bucket) => (
            format!("Type the name of the bucket ({}) to delete", bucket.bucket.name()),
            bucket.bucket.name(),
        ),
        None => ("Go on? [y/N]".to_owned(), "y"),
    };
    let _ = write!(streams.err, "{}: ", escape(&question));
    let _ = streams.err.flush();
    let asked = Instant::now();
    let mut answer = String::new();
    // One byte at a time would be needed to leave the rest alone; nothing reads it after us.
    BufReader::new(&mut *streams.input).read_line(&mut answer).map_err(Error::new)?;
    if asked.elapsed() > PATIENCE {
        return Err(Error::refused("the answer took so long that the plan may be out of date")
            .hint("run it again, or save a plan with --plan-out and carry that out"));
    }
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
    let stop = Arc::clone(&streams.stop);
    stop.guard();
    let bar = match streams.err_is_terminal {
        true => ProgressBar::with_draw_target(Some(plan.tail.totals.objects), ProgressDrawTarget::stderr())
            .with_style(ProgressStyle::default_bar()),
        false => ProgressBar::hidden(),
    };
    let progress = |settled: u64| bar.set_position(settled);
    let executor = Executor {
        store: target.store,
        cluster: target.cluster,
        journal,
        concurrency: arguments.storage.concurrency(),
        stop: &stop,
        context: target.context,
        record: !arguments.no_record,
        progress: &progress,
    };
    let as_document = matches!(arguments.output, Format::Json | Format::Yaml);
    let mut items = Spill::default();
    let mut told = 0_u64;
    let err = &mut streams.err;
    let mut each = |workflow: &WorkflowTally| {
        for note in &workflow.settlement.notes {
            let name = format!("{}/{}", workflow.plan.namespace, workflow.plan.name);
            let _ = bar.suspend(|| writeln!(err, "{}", escape(&format!("Note: {name}: {note}"))));
        }
        for line in workflow.objects.iter().filter_map(show::leftover) {
            told += 1;
            if told <= TOLD {
                let _ = bar.suspend(|| writeln!(err, "Warning: {line}"));
            }
        }
        if as_document { items.push(&show::result_item(workflow)) } else { Ok(()) }
    };
    let outcome = executor.run(&plan, &mut each).await;
    bar.finish_and_clear();
    let go_on = format!("kubectl argo-gc purge --resume {}", journal.path().display());
    let tally = outcome.map_err(|error| error.hint(format!("go on with: {go_on}")))?;
    if !stop.is_asked() {
        journal.write(&Line::End { time: now })?;
    }
    journal.sync()?;
    if told > TOLD {
        streams.say(format!("Warning: and {} more", told - TOLD));
    }
    if as_document {
        let result = show::result(&tally, &plan.hash, journal.path().display().to_string());
        let as_yaml = arguments.output == Format::Yaml;
        document::write(&mut streams.out, as_yaml, &result, "workflows", items.into_values()?)?;
    } else {
        show::tally(&mut streams.out, &tally, &plan.tail.buckets)?;
    }
    streams.out.flush()?;
    streams.say(format!("Journal: {}", journal.path().display()));
    if stop.is_asked() {
        streams.say(format!("Interrupted after {} objects; go on with: {go_on}", tally.reached));
        return Ok(exit::INTERRUPTED);
    }
    Ok(if tally.left == 0 { exit::DONE } else { exit::PARTIAL })
}
