//! Makes a plan of the workflows that were read, and carries out a plan. Every purge takes this one path, whether its
//! plan is new, saved or resumed.

use crate::cli::follow_up::FollowUp;
use crate::cli::purge::arguments::{Arguments, DryRun, Engine, Shard};
use crate::cli::purge::confirm::{
    Target, carry_out, check_caps, confirm, is_idle, preflight, print, tell_absent, tell_buckets,
    tell_released, watch, who,
};
use crate::cli::purge::engine;
use crate::cli::purge::left::limits;
use crate::cli::streams::Streams;
use crate::cli::warnings;
use crate::cluster::access::Access;
use crate::cluster::client::Cluster;
use crate::cluster::controllers::{ControllerQuery, unreviewed};
use crate::cluster::identity::ClusterIdentity;
use crate::duration::signed;
use crate::error::{Error, Hint};
use crate::output::escape::escape;
use crate::output::purge::{changed_settings, not_asked_for};
use crate::output::summary::Ended;
use crate::output::text::plural;
use crate::progress::Doing;
use crate::purge::bucket_login::BucketLogin;
use crate::purge::guard::Guard;
use crate::purge::journal::{Journal, JournalReplay};
use crate::purge::keep::{Since, kept_object};
use crate::purge::outcome::ObjectOutcome;
use crate::purge::plan_file::{Draft, Head, Plan};
use crate::purge::refresh::Refreshed;
use crate::purge::totals::{QuarantineTotals, Totals};
use crate::purge::{quarantine, refresh, resolve, unanswered};
use crate::scan::cluster::check_clock;
use crate::scan::gather::Scan;
use crate::scan::gathered::Gathered;
use crate::scan::identities::WorkflowIdentities;
use crate::scan::other_cluster::OtherClusters;
use crate::scan::request::ClusterRequest;
use argo_gc_core::model::context::{Context, Controllers, Related};
use argo_gc_core::plan::named::{Named, Needs};
use argo_gc_core::plan::planned::PlannedWorkflow;
use argo_gc_core::plan::quarantine::Quarantine;
use argo_gc_core::plan::rules::{Allowed, Rules};
use argo_gc_core::plan::select::CLOCKS;
use argo_gc_store::store::Store;
use jiff::Timestamp;
use std::path::Path;

/// What a plan is made with.
pub(crate) struct Planner<'a> {
    pub arguments: &'a Arguments,
    pub rules: &'a Rules,
    pub store: &'a Store,
    /// The accounts that workflows name for their buckets, if these are to be used.
    pub identities: Option<&'a WorkflowIdentities>,
    /// Files are of no cluster.
    pub cluster: Option<ClusterIdentity>,
    /// Other clusters whose references count.
    pub also: Vec<ClusterIdentity>,
}

impl Planner<'_> {
    /// Looks up the selected objects in storage and makes the plan. Also returns how many finalizers hang that it does not
    /// release, although that was asked.
    pub async fn make(self, mut scan: Scan, streams: &mut Streams) -> Result<(Plan, u64), Error> {
        let Self { arguments, rules, store, identities, cluster, also } = self;
        let (taken, hanging) = (scan.taken, scan.hanging);
        scan.retain()?;
        let Gathered { selected, keys, released, references, texts, unwanted, unread, logins, .. } =
            scan.finish();
        let unread = arguments.what.check_unread(&unread)?;
        for accepted in &unread {
            streams.say(escape(&format!("Warning: accepted as unread: {accepted}")));
        }
        warnings::warn_of_readers(&references, streams);
        tracing::debug!(references = references.len(), "gathered");
        if taken == 0 {
            streams.say("No workflows selected.");
        }
        let namespace = arguments.kube.one_namespace().map(str::to_owned);
        let head =
            Head { also, namespace, ..Head::new(rules.now, cluster, arguments.storage.name(), unread) };
        let head =
            Head { identities: BucketLogin::all(&logins), ..head.allowing(&arguments.what.repository) };
        // Before the first bucket is used, because nothing may turn up for it later.
        identities.inspect(|identities| identities.tell(logins));
        let mut draft = Draft::new(head)?;
        let most = usize::try_from(arguments.max_objects).unwrap_or(usize::MAX);
        let named = texts.search(keys.finish())?;
        let needs = Needs { references: &references, released: &released, named: &named };
        let stage = streams.progress.begin(Doing::Looking, Some(selected.length()));
        resolve::resolve(selected, needs, rules, (store, most), (&mut draft, &stage)).await?;
        drop(stage);
        let buckets = resolve::buckets(&draft, store).await?;
        let plan = draft.seal(buckets)?;
        let by_rule = arguments.names.is_empty() && rules.retention.is_none();
        // One workflow is no series.
        if by_rule && plan.tail.totals.workflows > 1 && streams.out_is_terminal {
            streams.say(
                "Note: the newest run of a series is deleted like the others; --keep-last N keeps the newest N of each.",
            );
        }
        if plan.tail.totals.objects == 0 {
            not_asked_for(&unwanted).iter().for_each(|why| streams.say(format!("Note: {why}.")));
        }
        if !arguments.release_finalizer {
            return Ok((plan, 0));
        }
        let kept = hanging.saturating_sub(plan.tail.totals.finalizers);
        if hanging == 0 {
            streams.say("Note: no finalizer is to be released: no selected workflow is stuck.");
        } else if kept > 0 {
            let (finalizers, workflow) = (
                plural(kept, "stuck finalizer"),
                if kept == 1 { "its workflow is" } else { "their workflows are" },
            );
            streams.say(format!("Warning: {finalizers} will not be released, because {workflow} kept."));
        }
        Ok((plan, kept))
    }
}

/// Shows a plan and, unless it is only to be shown or saved, asks and carries it out.
pub(crate) async fn run(
    arguments: &Arguments,
    plan: Plan,
    target: &Target<'_>,
    streams: &mut Streams,
    now: Timestamp,
) -> Result<Ended, Error> {
    let plan = in_quarantine(arguments, plan, target, streams, now).await?;
    let Totals { objects, quarantine: QuarantineTotals { quarantined, .. }, .. } = plan.tail.totals;
    let shown = Ended { quarantined, ..Ended::shown(objects) };
    let only_shown = arguments.plan_out.is_some()
        || arguments.dry_run != DryRun::None
        || target.cluster.is_none() && arguments.storage.store_root.is_none();
    print(arguments, &plan, only_shown, streams, now)?;
    tell_absent(arguments, &plan, target, streams);
    tell_released(arguments, &plan, streams)?;
    if let Some(path) = &arguments.plan_out {
        save(&plan, path, &arguments.follow_up_plan()?.and(limits(arguments)), streams)?;
        return Ok(shown);
    }
    if is_idle(arguments, &plan, target) {
        return Ok(shown);
    }
    check_caps(arguments, &plan)?;
    if arguments.dry_run != DryRun::None {
        tell_buckets(&plan, streams);
    }
    if target.cluster.is_none() && arguments.storage.store_root.is_none() {
        streams.say("With -f only a plan is made for real buckets.");
        return Ok(shown);
    }
    if arguments.dry_run != DryRun::Client {
        preflight(arguments, &plan, target).await?;
    }
    if arguments.dry_run != DryRun::None {
        streams.say("This was a dry run; nothing was deleted.");
        return Ok(shown);
    }
    watch(&plan, target, streams).await?;
    confirm(arguments, &plan, target, streams).await?;
    let path = arguments.state.journal(&plan.hash, now)?;
    let journal = Journal::begin(&path, &who(&plan, target).await, &plan)?;
    carry_out(arguments, plan, target, (&journal, None), streams).await
}

/// With --quarantine: the plan with its objects parted into those that are deleted now, those that are only marked, and
/// those that wait.
async fn in_quarantine(
    arguments: &Arguments,
    plan: Plan,
    target: &Target<'_>,
    streams: &mut Streams,
    now: Timestamp,
) -> Result<Plan, Error> {
    let Some(lasts) = arguments.quarantine else { return Ok(plan) };
    check_quarantine_clock(target.cluster, now)?;
    let quarantine = Quarantine { lasts: signed(lasts), now };
    let stage = streams.progress.begin(Doing::ReadingMarks, Some(plan.tail.totals.objects));
    let parted = quarantine::part(&plan, &quarantine, target.store, &stage).await?;
    drop(stage);
    let stay = plan.tail.totals.finalizers - parted.tail.totals.finalizers;
    if stay > 0 {
        let stay = if stay == 1 { "1 finalizer stays" } else { &format!("{stay} finalizers stay") };
        streams.say(format!("Note: {stay} until all of the workflow is deleted."));
    }
    Ok(parted)
}

/// Checks the clock by which a time in quarantine is judged: --margin allows more for other times, not for this one.
fn check_quarantine_clock(cluster: Option<&Cluster>, now: Timestamp) -> Result<(), Error> {
    cluster.map_or(Ok(()), |cluster| check_clock(cluster, CLOCKS, now))
}

/// Begins to watch the cluster, if something may be deleted in the end. This comes before anything is read that a plan
/// rests on.
async fn guard(arguments: &Arguments, cluster: Option<&Cluster>) -> Result<Option<Guard>, Error> {
    match cluster.filter(|_| arguments.may_delete()) {
        Some(cluster) => Guard::start(cluster, Some(cluster.namespace())).await.map(Some),
        None => Ok(None),
    }
}

/// Saves a plan, and says how to carry it out.
pub(crate) fn save(plan: &Plan, path: &Path, next: &FollowUp, streams: &mut Streams) -> Result<(), Error> {
    let failed = |error: std::io::Error| Error::new(format!("{}: {error}", path.display()));
    let mut file = std::fs::File::create(path).map_err(failed)?;
    std::io::copy(&mut plan.text()?, &mut file).map_err(failed)?;
    let path = path.display().to_string();
    let secrets = (!plan.head.identities.is_empty()).then_some("--use-workflow-secrets");
    let words = ["purge", "--plan", &path].into_iter().chain(secrets);
    streams.say(format!("Saved; carry it out with: {}", next.command(words)));
    Ok(())
}

/// Carries out a saved plan.
pub(crate) async fn saved(
    arguments: &Arguments,
    path: &Path,
    streams: &mut Streams,
    now: Timestamp,
) -> Result<Ended, Error> {
    let failed = |error: std::io::Error| Error::new(format!("{}: {error}", path.display()));
    let file = std::fs::File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?;
    let opened = arguments.storage.open_with(&arguments.secrets)?;
    let plan = Plan::open(file)?;
    if length.is_file() && length.len() > plan.length() {
        return Err(
            Error::refused(format!("{} is the journal of a run", path.display())).hint(Hint::IsJournal)
        );
    }
    // A plan made from files names no cluster, so no cluster is asked.
    let (cluster, context) = connect(arguments, &plan, streams, now).await?;
    let store = opened.for_plan(&plan.head, &arguments.storage, cluster.as_ref())?;
    let guard = guard(arguments, cluster.as_ref()).await?;
    plan.check_age(signed(arguments.plan_max_age), now)?;
    plan.check_place(identity(cluster.as_ref()).await.as_ref(), &arguments.storage.name())?;
    // References are checked for the whole plan. For a shard alone, a workflow of another shard would seem to need the
    // objects that both share.
    let target =
        Target { cluster: cluster.as_ref(), store: &store, context: &context, guard: guard.as_ref() };
    let shard = |plan: Plan| match arguments.shard {
        Some(Shard { number, of }) => plan.shard(number, of),
        None => Ok(plan),
    };
    let now_allowed = as_of_now(arguments, &plan, &target, streams).await?;
    if arguments.engine != Engine::Local {
        engine::hand_over(arguments, (&plan, &now_allowed), streams)?;
        return Ok(Ended::shown(now_allowed.tail.totals.objects));
    }
    let (planned, plan) = (shard(plan)?, shard(now_allowed)?);
    let stay = planned.tail.totals.objects.saturating_sub(plan.tail.totals.objects);
    let ended = run(arguments, plan, &target, streams, now).await?;
    Ok(if arguments.dry_run == DryRun::None { ended.leaving(stay) } else { ended })
}

/// Finishes an interrupted run. Its plan is carried out without the objects that the journal records as settled.
pub(crate) async fn resume(
    arguments: &Arguments,
    path: &Path,
    streams: &mut Streams,
    now: Timestamp,
) -> Result<Ended, Error> {
    let mut record = JournalReplay::read(path)?;
    if record.plan.head.cluster.is_none() && arguments.storage.store_root.is_none() {
        return Err(Error::refused(
            "the journal's plan was made from files, with which no real bucket is purged",
        ));
    }
    let opened = arguments.storage.open_with(&arguments.secrets)?;
    let (cluster, context) = connect(arguments, &record.plan, streams, now).await?;
    if record.plan.head.quarantine_seconds.is_some() {
        check_quarantine_clock(cluster.as_ref(), now)?;
    }
    let store = opened.for_plan(&record.plan.head, &arguments.storage, cluster.as_ref())?;
    let guard = guard(arguments, cluster.as_ref()).await?;
    record.plan.check_place(identity(cluster.as_ref()).await.as_ref(), &arguments.storage.name())?;
    unanswered::settle(&mut record, &store).await?;
    let planned = record.plan.tail.totals.objects;
    let (mut left, mut marked) = (0_u64, 0_u64);
    let plan = record.plan.map(|PlannedWorkflow { delete, keep, mark, gone, .. }| {
        let all = mark.len();
        mark.retain(|object| !record.is_marked(object));
        marked += (all - mark.len()) as u64;
        delete.retain(|object| {
            match record.settled(object) {
                None => return true,
                Some(ObjectOutcome::Kept(protection, detail)) => {
                    left += 1;
                    keep.push(kept_object(object, protection, detail));
                }
                Some(_) => gone.push(object.clone()),
            }
            false
        });
    })?;
    let ((all, _), (rest, _)) = (record.plan.tail.totals.touched(), plan.tail.totals.touched());
    streams.say(format!("{} of {all} objects are settled already.", all - rest));
    if left > 0 {
        let were = if left == 1 { "was left alone, and is" } else { "were left alone, and are" };
        streams.say(format!("Warning: {left} of them {were} still there."));
    }
    // What is settled already is of the plan, too.
    let ended = |rest: Ended| {
        let ended = rest.leaving(left);
        Ended { planned, quarantined: ended.quarantined + marked, ..ended }
    };
    let quarantined = plan.tail.totals.quarantine.quarantined;
    let target =
        Target { cluster: cluster.as_ref(), store: &store, context: &context, guard: guard.as_ref() };
    let idle = is_idle(arguments, &plan, &target);
    if idle && (record.ended || arguments.dry_run != DryRun::None) {
        return Ok(ended(Ended { quarantined, ..Ended::shown(0) }));
    }
    if idle {
        // Nothing more is deleted, so there is nothing to confirm. What was deleted is still to be looked for, and the
        // workflows to be told.
        let journal = Journal::go_on(path, &who(&record.plan, &target).await)?;
        return carry_out(arguments, plan, &target, (&journal, Some(&record)), streams).await.map(ended);
    }
    let rest = as_of_now(arguments, &plan, &target, streams).await?;
    let stay = plan.tail.totals.objects.saturating_sub(rest.tail.totals.objects);
    print(arguments, &rest, arguments.dry_run != DryRun::None, streams, now)?;
    tell_absent(arguments, &rest, &target, streams);
    if arguments.dry_run != DryRun::None {
        tell_buckets(&plan, streams);
        return Ok(Ended { quarantined: quarantined + marked, ..Ended::shown(planned) });
    }
    check_caps(arguments, &rest)?;
    preflight(arguments, &rest, &target).await?;
    watch(&rest, &target, streams).await?;
    confirm(arguments, &rest, &target, streams).await?;
    let journal = Journal::go_on(path, &who(&rest, &target).await)?;
    let rest = carry_out(arguments, rest, &target, (&journal, Some(&record)), streams).await?;
    Ok(ended(rest.leaving(stay)))
}

/// The plan as far as it may be carried out now: a saved plan, and that of an interrupted run, may be hours old.
/// References and pins, the places where deletes are allowed, and the settings of the buckets are looked at again.
async fn as_of_now(
    arguments: &Arguments,
    plan: &Plan,
    target: &Target<'_>,
    streams: &mut Streams,
) -> Result<Plan, Error> {
    let others = arguments.what.also.read(identity(target.cluster).await.as_ref(), target.context.now)?;
    others.ensure(&plan.head.also)?;
    let plan = match target.cluster {
        Some(cluster) => {
            let allowed = allowed(plan, cluster, target.context).await;
            let plan = only_allowed(plan, &allowed, streams)?;
            without_needed(arguments, plan, (cluster, target.context), (&allowed, others), streams).await?
        }
        None => {
            let OtherClusters { references, guarded, names, .. } = others;
            let since =
                Since { elsewhere: guarded, workflows: names.into_iter().collect(), ..Since::default() };
            plan.keep_needed(&references.finish(), &Named::default(), &since)?.0
        }
    };
    let buckets = plan.tail.buckets.iter().map(|facts| &facts.bucket);
    let settings = resolve::settings(buckets, target.store).await?;
    for (then, now) in plan.tail.buckets.iter().zip(&settings) {
        let changes = changed_settings(then, now);
        changes.iter().for_each(|change| streams.say(format!("Warning: {change}")));
        if then.has_undo() && !now.has_undo() && arguments.yes && arguments.dry_run == DryRun::None {
            let bucket = &now.bucket;
            return Err(Error::refused(format!(
                "deletes from {bucket} can't be undone any more, as they could when the plan was made"
            ))
            .hint("leave --yes out to be asked, or make a new plan"));
        }
    }
    plan.with_buckets(settings)
}

/// Where deletes are allowed now: the repositories of the cluster as they are, and what the plan's own flags allowed.
async fn allowed(plan: &Plan, cluster: &Cluster, context: &Context) -> Allowed {
    let mut allowed = cluster.repositories(&context.controllers, plan.head.namespace.as_deref()).await;
    plan.head.allow(&mut allowed);
    allowed
}

/// Keeps what is outside the places where deletes are allowed now.
fn only_allowed(plan: &Plan, allowed: &Allowed, streams: &mut Streams) -> Result<Plan, Error> {
    let (plan, kept) = plan.keep_outside(allowed)?;
    if kept > 0 {
        streams.say(format!(
            "Note: {} of the plan will be kept, because they are outside the repositories of the cluster as it is now.",
            plural(kept, "object")
        ));
    }
    Ok(plan)
}

/// Reads the references again, because a plan may be hours old, and keeps what is needed by now.
async fn without_needed(
    arguments: &Arguments,
    plan: Plan,
    (cluster, context): (&Cluster, &Context),
    (allowed, others): (&Allowed, OtherClusters),
    streams: &mut Streams,
) -> Result<Plan, Error> {
    // What is forbidden in all namespaces was read in that of the plan.
    let namespace = Some(cluster.namespace().to_owned());
    let request =
        ClusterRequest { namespace, chunk_size: arguments.kube.chunk_size, ..ClusterRequest::default() };
    let Refreshed { references, named, since, unread } =
        refresh::references(cluster, &request, context, allowed, &plan, others).await?;
    arguments.what.check_unread(&unread)?;
    let (plan, kept) = plan.keep_needed(&references, &named, &since)?;
    if kept > 0 {
        let objects = plural(kept as u64, "object");
        streams.say(format!("Note: {objects} of the plan will be kept, because of new references or pins."));
    }
    Ok(plan)
}

pub(crate) async fn identity(cluster: Option<&Cluster>) -> Option<ClusterIdentity> {
    Some(ClusterIdentity::of(cluster?).await)
}

/// Connects to the cluster of a plan, and reads what verdicts need. A plan of files has no cluster.
async fn connect(
    arguments: &Arguments,
    plan: &Plan,
    streams: &mut Streams,
    now: Timestamp,
) -> Result<(Option<Cluster>, Context), Error> {
    if plan.head.cluster.is_none() {
        let context = Context { now, controllers: Controllers::default(), related: Related::default() };
        return Ok((None, context));
    }
    // -n is refused here: what may be read in one namespace only was read in that of the plan.
    let namespace = only_namespace(plan)?;
    let access = Access { namespace: namespace.clone(), ..arguments.argo.beside(&arguments.kube)? };
    let cluster = Cluster::connect(&access).await?.telling(&streams.progress);
    let query = ControllerQuery {
        namespace: namespace.as_deref(),
        named: arguments.what.controllers.controller_namespace.as_deref(),
    };
    let (mut controllers, related, _) = cluster.related(None, query).await;
    warnings::warn_of_gaps(unreviewed(&controllers).as_slice(), streams);
    warnings::tell_controllers(&controllers, streams);
    controllers.version = arguments.what.controller.argo_version;
    Ok((Some(cluster), Context { now, controllers, related }))
}

/// The namespace of a plan's workflows if all are in one. Orphans have none.
fn only_namespace(plan: &Plan) -> Result<Option<String>, Error> {
    let mut only: Option<String> = None;
    for workflow in plan.workflows()? {
        let PlannedWorkflow { namespace, .. } = workflow?;
        match &only {
            None => only = Some(namespace),
            Some(known) if *known == namespace => {}
            Some(_) => return Ok(None),
        }
    }
    Ok(only.filter(|namespace| !namespace.is_empty()))
}
