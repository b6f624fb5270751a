//! Shows a plan, checks its limits, asks, and carries it out.

use crate::cli::purge::arguments::Arguments;
use crate::cli::purge::left::{Left, resume_command};
use crate::cli::streams::Streams;
use crate::cluster::client::Cluster;
use crate::disk_queue::DiskQueue;
use crate::error::{Error, exit};
use crate::output::escape::escape;
use crate::output::orphans::KEPT_ON_PURPOSE;
use crate::output::purge as show;
use crate::output::purge::PurgeFormat;
use crate::output::question::question;
use crate::output::summary::Ended;
use crate::output::text::plural;
use crate::progress::Doing;
use crate::purge::execute::Executor;
use crate::purge::guard::Guard;
use crate::purge::journal::{Journal, JournalReplay, Who};
use crate::purge::outcome::{Tally, WorkflowTally};
use crate::purge::plan_file::Plan;
use crate::purge::totals::Totals;
use argo_gc_core::model::bucket::Bucket;
use argo_gc_core::model::context::Context;
use argo_gc_store::store::Store;
use argo_gc_store::types::BucketFacts;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the user may take to answer. The references were read before the question, and are out of date later.
const PATIENCE: Duration = Duration::from_secs(600);

/// Above this number of objects, or [`MANY_BYTES`], the user types the name of the bucket instead of `y`.
const MANY_OBJECTS: u64 = 1_000;

const MANY_BYTES: u64 = 100 << 30;

/// The cluster and the storage that a plan is carried out on.
pub(crate) struct Target<'a> {
    /// A plan made from files has no cluster.
    pub cluster: Option<&'a Cluster>,
    pub store: &'a Store,
    pub context: &'a Context,
    /// Watches the cluster; none if there is none, or nothing is to be deleted.
    pub guard: Option<&'a Guard>,
}

/// Shows a plan. If the plan is carried out and `-o` asks for a document, the plan is a table on standard error:
/// the result is the document.
pub(crate) fn print(
    arguments: &Arguments,
    plan: &Plan,
    only_shown: bool,
    streams: &mut Streams,
    now: Timestamp,
) -> Result<(), Error> {
    match only_shown || !arguments.output.is_document() {
        true => show::plan(&mut streams.out, streams.width, plan, arguments.output, now)?,
        false => show::plan(&mut streams.err, streams.err_width, plan, PurgeFormat::Table, now)?,
    }
    streams.out.flush()?;
    Ok(())
}

/// A plan larger than expected is a mistake until the user says otherwise (`docs/dangers.md`, danger 27).
pub(crate) fn check_caps(arguments: &Arguments, plan: &Plan) -> Result<(), Error> {
    let (objects, bytes) = plan.tail.totals.touched();
    if objects > arguments.max_objects {
        return Err(Error::refused(format!(
            "the plan has {}, more than --max-objects {}",
            plural(objects, "object"),
            arguments.max_objects
        ))
        .hint("select less, or allow more"));
    }
    match arguments.max_bytes.filter(|max| bytes > *max) {
        Some(max) => Err(Error::refused(format!(
            "the plan has {}, more than --max-bytes {}",
            crate::output::text::size(bytes),
            crate::output::text::size(max)
        ))
        .hint("select less, or allow more")),
        None => Ok(()),
    }
}

/// Checks every permission before the first delete, so that no run stops halfway because one is missing.
pub(crate) async fn preflight(arguments: &Arguments, plan: &Plan, target: &Target<'_>) -> Result<(), Error> {
    let mut namespaces: BTreeSet<String> = BTreeSet::new();
    let mut keys: BTreeMap<Bucket, Box<str>> = BTreeMap::new();
    for workflow in plan.workflows()? {
        let workflow = workflow?;
        for object in workflow.touched() {
            if !keys.contains_key(&object.bucket) {
                keys.insert(object.bucket.clone(), object.key.clone());
            }
        }
        let absent = arguments.accept_absent && !workflow.absent.is_empty();
        let recorded = !workflow.archived && (!workflow.delete.is_empty() || absent);
        if recorded && !arguments.no_record || workflow.release_finalizer {
            namespaces.insert(workflow.namespace);
        }
    }
    let marks = plan.head.quarantine_seconds.is_some();
    for (bucket, key) in &keys {
        let missing = target.store.missing_permissions(bucket, key, marks).await?;
        if !missing.is_empty() {
            let identity = target.store.identity(bucket).await;
            let lacks = format!("{identity} lacks {} on {bucket}", missing.join(", "));
            return Err(Error::refused(lacks).hint("docs/rbac.md says what a purge needs"));
        }
    }
    let Some(cluster) = target.cluster else { return Ok(()) };
    for namespace in namespaces {
        if cluster.may_i("patch", &namespace).await == Some(false) {
            return Err(Error::refused(format!("you may not patch workflows in \"{namespace}\"")).hint(
                "--no-record deletes without marking the artifacts as deleted; releasing finalizers needs the permission",
            ));
        }
    }
    Ok(())
}

/// Hands the plan to the guard, and says what can't be watched, before the question.
pub(crate) async fn watch(plan: &Plan, target: &Target<'_>, streams: &mut Streams) -> Result<(), Error> {
    let Some(guard) = target.guard else { return Ok(()) };
    guard.begin(plan, target.context).await?;
    if let Some(warning) = warn_of_unwatched(guard) {
        streams.say(warning);
    }
    Ok(())
}

/// What can't be watched, in words, if there is something new to say.
fn warn_of_unwatched(guard: &Guard) -> Option<String> {
    let unwatched = guard.unwatched();
    let first = unwatched.first()?;
    let kinds: Vec<&str> = unwatched.iter().map(|kind| kind.resource).collect();
    Some(format!(
        "Warning: cannot watch {} ({}); a list is read again at least every 15 seconds instead, while deletes run",
        kinds.join(", "),
        first.why
    ))
}

/// Whether carrying out the plan would change nothing.
pub(crate) fn is_idle(arguments: &Arguments, plan: &Plan, target: &Target<'_>) -> bool {
    plan.is_idle() && !records_absent(arguments, plan, target)
}

/// Whether artifacts that have no objects are recorded as deleted.
fn records_absent(arguments: &Arguments, plan: &Plan, target: &Target<'_>) -> bool {
    let records = arguments.accept_absent && !arguments.no_record && target.cluster.is_some();
    records && plan.tail.totals.absent > 0
}

/// Says how many artifacts have no object, and what is made of that. An empty server of the same name shows them
/// absent, too.
pub(crate) fn tell_absent(arguments: &Arguments, plan: &Plan, target: &Target<'_>, streams: &mut Streams) {
    let absent = plan.tail.totals.absent;
    if absent == 0 || target.cluster.is_none() {
        return;
    }
    let (verb, they) = if absent == 1 { ("has", "it") } else { ("have", "they") };
    let fate = match arguments.accept_absent {
        true => format!("{they} will count as deleted (--accept-absent)"),
        false => format!(
            "{they} will not be recorded as deleted, and no finalizer that waits for {} is released; \
             --accept-absent does both",
            if absent == 1 { "it" } else { "them" }
        ),
    };
    streams.say(format!(
        "Note: {} {verb} no object in storage, and nothing records a deletion: {fate}.",
        plural(absent, "artifact")
    ));
}

/// Says what becomes of a workflow whose finalizer is released, and how to keep a copy of what is deleted for that.
pub(crate) fn tell_released(arguments: &Arguments, plan: &Plan, streams: &mut Streams) -> Result<(), Error> {
    let mut released = plan.workflows()?.filter(|workflow| {
        workflow.as_ref().map_or(true, |workflow| workflow.release_finalizer && !workflow.delete.is_empty())
    });
    if let Some(workflow) = released.next().transpose()? {
        streams.say(escape(&show::released(&workflow, arguments.storage.store_root.is_none())));
    }
    Ok(())
}

/// Who carries the plan out, for the journal.
pub(crate) async fn who(plan: &Plan, target: &Target<'_>) -> Who {
    let user = match target.cluster {
        Some(cluster) => cluster.user().await.unwrap_or_default(),
        None => String::new(),
    };
    Who { identity: identities(plan, target).await, user }
}

/// Names the identities that delete. Each kind of storage has its own.
pub(crate) async fn identities(plan: &Plan, target: &Target<'_>) -> String {
    let mut identities: Vec<String> = Vec::new();
    for facts in &plan.tail.buckets {
        let identity = target.store.identity(&facts.bucket).await;
        if !identities.contains(&identity) {
            identities.push(identity);
        }
    }
    identities.join(" and ")
}

/// Says of each bucket what a delete does to it, and whether there is a way back.
pub(crate) fn tell_buckets(plan: &Plan, streams: &mut Streams) {
    streams.say("\n");
    for bucket in &plan.tail.buckets {
        streams.say(show::bucket(bucket));
    }
}

/// Shows the buckets, the cluster and the identities, and asks the user to confirm.
pub(crate) async fn confirm(
    arguments: &Arguments,
    plan: &Plan,
    target: &Target<'_>,
    streams: &mut Streams,
) -> Result<(), Error> {
    arguments.state.ensure_room()?;
    tell_buckets(plan, streams);
    // A plan that only releases finalizers deletes nothing.
    let doing = if plan.tail.totals.objects > 0 { "deleting" } else { "marking" };
    let deleting = match identities(plan, target).await {
        identities if identities.is_empty() => String::new(),
        identities => format!("; {doing} as {identities}"),
    };
    let orphans = plan.has_orphans()?;
    let what = if orphans { "Objects that nothing refers to in" } else { "Workflows of" };
    streams.say(escape(&format!("{what} {}{deleting}.", show::place(plan))));
    if orphans {
        streams.say(KEPT_ON_PURPOSE);
    }
    if arguments.yes {
        return Ok(());
    }
    if !streams.in_is_terminal {
        return Err(Error::refused("not confirmed: there is no terminal to ask on")
            .hint("--yes skips the confirmation"));
    }
    let totals = &plan.tail.totals;
    let large = totals.objects > MANY_OBJECTS || totals.bytes > MANY_BYTES;
    let buckets = &plan.tail.buckets;
    let no_way_back = buckets.iter().find(|bucket| !bucket.has_undo());
    let named = no_way_back.or(buckets.first().filter(|_| large)).map(|facts| facts.bucket.name());
    // A mark is always lifted as easily as it was set.
    let (prompt, wanted) = match named.filter(|_| totals.objects > 0) {
        Some(name) => (format!("Type the name of the bucket ({name}) to delete"), name),
        None => ("Go on? [y/N]".to_owned(), "y"),
    };
    streams.say(escape(&question(plan, orphans, records_absent(arguments, plan, target))));
    let _ = write!(streams.err, "{}: ", escape(&prompt));
    let _ = streams.err.flush();
    let asked = Instant::now();
    let mut answer = String::new();
    // The reader may take more than the line from standard input. Nothing else reads it afterwards.
    BufReader::new(&mut *streams.input).read_line(&mut answer).map_err(Error::new)?;
    if asked.elapsed() > PATIENCE {
        return Err(Error::refused("the answer took so long that the plan may be out of date")
            .hint("run it again, or save a plan with --plan-out and carry that out"));
    }
    let answer = answer.trim();
    let agreed = if wanted == "y" { matches!(answer, "y" | "Y" | "yes") } else { answer == wanted };
    if agreed { Ok(()) } else { Err(Error::refused("not confirmed: nothing was deleted")) }
}

/// Deletes the objects, verifies that they are gone, updates the workflows, and prints the result.
pub(crate) async fn carry_out(
    arguments: &Arguments,
    plan: Plan,
    target: &Target<'_>,
    (journal, earlier): (&Journal, Option<&JournalReplay>),
    streams: &mut Streams,
) -> Result<Ended, Error> {
    // Whatever happens to this process, its user knows where to look.
    streams.say(format!("Journal: {}", journal.path().display()));
    let stop = Arc::clone(&streams.stop);
    watch(&plan, target, streams).await?;
    // The question may have waited for long.
    target.guard.inspect(|guard| guard.renew());
    stop.guard();
    let doing = if plan.tail.totals.objects > 0 { Doing::Deleting } else { Doing::Marking };
    let (objects, bytes) = plan.tail.totals.touched();
    let stage = streams.progress.begin(doing, Some(objects));
    stage.weigh(bytes);
    let executor = Executor {
        store: target.store,
        cluster: target.cluster,
        guard: target.guard,
        journal,
        concurrency: arguments.storage.concurrency(),
        stop: &stop,
        context: target.context,
        record: !arguments.no_record,
        accept_absent: arguments.accept_absent,
        earlier,
        stage: &stage,
    };
    let as_document = arguments.output.is_document();
    let mut items = DiskQueue::default();
    let mut left = Left::default();
    let err = &mut streams.err;
    let mut each = |workflow: &WorkflowTally| {
        if let Some(warning) = target.guard.and_then(warn_of_unwatched) {
            let _ = writeln!(err, "{}", escape(&warning));
        }
        for note in &workflow.settlement.notes {
            let name = format!("{}/{}", workflow.plan.namespace, workflow.plan.name);
            let _ = writeln!(err, "{}", escape(&format!("Note: {name}: {note}")));
        }
        left.take(workflow, &mut **err);
        if as_document { items.push(&show::result_item(workflow)) } else { Ok(()) }
    };
    let outcome = executor.run(&plan, &mut each).await;
    drop(stage);
    let go_on = resume_command(arguments, journal)?;
    let tally = outcome.map_err(|error| error.hint(format!("go on with: {go_on}")))?;
    match stop.is_asked() {
        true => journal.sync()?,
        false => journal.end()?,
    }
    let path = journal.path().display().to_string();
    show::outcome(&mut streams.out, &plan, arguments.output, &tally, items.into_values()?, path)?;
    streams.out.flush()?;
    left.tell(&tally, streams);
    tell_undo(arguments, &plan, &tally, journal, streams)?;
    let code = match stop.is_asked() {
        true => {
            left.tell_interrupted(&tally, streams);
            streams.say(format!("Go on with: {go_on}"));
            exit::INTERRUPTED
        }
        false if tally.is_complete() && tally.unreleased == 0 => exit::DONE,
        false => exit::PARTIAL,
    };
    let Totals { objects, quarantine, .. } = plan.tail.totals;
    Ok(Ended {
        code,
        planned: objects,
        left: tally.left,
        quarantined: quarantine.quarantined + tally.marked,
        unmarked: tally.unmarked,
        unlifted: tally.unlifted,
    })
}

/// Says how to take back what was done, if something can be.
fn tell_undo(
    arguments: &Arguments,
    plan: &Plan,
    tally: &Tally,
    journal: &Journal,
    streams: &mut Streams,
) -> Result<(), Error> {
    let comes_back = tally.deleted > 0 && plan.tail.buckets.iter().any(BucketFacts::has_undo);
    if comes_back || tally.marked > 0 {
        let what = match (comes_back, tally.marked > 0) {
            (true, true) => "To lift the marks, and bring the rest back while the bucket keeps it",
            (true, false) => "To bring it back, while the bucket keeps it",
            (false, _) => "To lift the marks",
        };
        let undo = arguments.follow_up()?.command(["undo", &journal.path().display().to_string()]);
        streams.say(format!("{what}: {undo}"));
    }
    Ok(())
}
