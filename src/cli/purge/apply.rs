//! Makes a plan of the workflows that were read, and carries out a plan. Every purge takes this one path, whether its
//! plan is new, saved or resumed.

use crate::cli::purge::arguments::{Arguments, DryRun, Engine, Shard};
use crate::cli::purge::confirm::{
    Target, carry_out, check_caps, confirm, identities, preflight, print, watch,
};
use crate::cli::purge::engine;
use crate::cli::streams::Streams;
use crate::cli::warnings::warn_of_readers;
use crate::cluster::access::Access;
use crate::cluster::client::Cluster;
use crate::cluster::identity::ClusterIdentity;
use crate::duration::signed;
use crate::error::{Error, exit};
use crate::output::escape::escape;
use crate::output::text::plural;
use crate::purge::guard::Guard;
use crate::purge::journal::{Journal, JournalReplay};
use crate::purge::outcome::ObjectOutcome;
use crate::purge::plan_file::{Draft, Head, Plan};
use crate::purge::refresh::Refreshed;
use crate::purge::{refresh, resolve};
use crate::scan::gather::{Gathered, Scan};
use crate::scan::request::ClusterRequest;
use argo_gc_core::model::context::{Context, Controllers, Related};
use argo_gc_core::plan::planned::{KeptObject, PlannedWorkflow};
use argo_gc_core::plan::rules::Rules;
use argo_gc_store::store::Store;
use jiff::Timestamp;
use std::path::Path;

/// What a plan is made with.
pub(crate) struct Planner<'a> {
    pub arguments: &'a Arguments,
    pub rules: &'a Rules,
    pub store: &'a Store,
    /// Files are of no cluster.
    pub cluster: Option<ClusterIdentity>,
}

impl Planner<'_> {
    /// Looks up the selected objects in storage and seals the plan.
    pub async fn make(self, mut scan: Scan, streams: &mut Streams) -> Result<Plan, Error> {
        let Self { arguments, rules, store, cluster } = self;
        let taken = scan.taken;
        scan.retain()?;
        let Gathered { selected, released, references, unread, .. } = scan.finish();
        let unread = arguments.check_unread(&unread)?;
        for accepted in &unread {
            streams.say(escape(&format!("Warning: accepted as unread: {accepted}")));
        }
        warn_of_readers(&references, streams);
        tracing::debug!(references = references.len(), "gathered");
        if taken == 0 {
            streams.say("No workflows selected.");
        }
        let mut draft = Draft::new(Head::new(rules.now, cluster, arguments.storage.name(), unread))?;
        resolve::resolve(selected, &released, &references, rules, store, &mut draft).await?;
        let buckets = resolve::buckets(&draft, store).await?;
        draft.seal(buckets)
    }
}

/// Shows a plan and, unless it is only to be shown or saved, asks and carries it out.
pub(crate) async fn run(
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
    watch(&plan, target, streams).await?;
    confirm(arguments, &plan, target, streams).await?;
    let path = arguments.state.journal(&plan.hash, now)?;
    let journal = Journal::begin(&path, &identities(&plan, target).await, &plan, now)?;
    carry_out(arguments, plan, target, &journal, streams, now).await
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
pub(crate) fn save(plan: &Plan, path: &Path, streams: &mut Streams) -> Result<(), Error> {
    let failed = |error: std::io::Error| Error::new(format!("{}: {error}", path.display()));
    let mut file = std::fs::File::create(path).map_err(failed)?;
    std::io::copy(&mut plan.text()?, &mut file).map_err(failed)?;
    streams.say(format!("Saved; carry it out with: kubectl argo-gc purge --plan {}", path.display()));
    Ok(())
}

/// Carries out a saved plan.
pub(crate) async fn saved(
    arguments: &Arguments,
    path: &Path,
    streams: &mut Streams,
    now: Timestamp,
) -> Result<u8, Error> {
    let file =
        std::fs::File::open(path).map_err(|error| Error::new(format!("{}: {error}", path.display())))?;
    let store = arguments.storage.open()?;
    let plan = Plan::open(file)?;
    // A plan made from files names no cluster, so no cluster is asked.
    let (cluster, context) = connect(arguments, &plan, now).await?;
    let guard = guard(arguments, cluster.as_ref()).await?;
    plan.check_age(signed(arguments.plan_max_age), now)?;
    plan.check_place(identity(cluster.as_ref()).await.as_ref(), &arguments.storage.name())?;
    // References are checked for the whole plan. For a shard alone, a workflow of another shard would seem to need the
    // objects that both share.
    let plan = without_needed(arguments, plan, cluster.as_ref(), &context, streams).await?;
    if arguments.engine != Engine::Local {
        return engine::hand_over(arguments, &plan, streams);
    }
    let plan = match arguments.shard {
        Some(Shard { number, of }) => plan.shard(number, of)?,
        None => plan,
    };
    let target =
        Target { cluster: cluster.as_ref(), store: &store, context: &context, guard: guard.as_ref() };
    run(arguments, plan, &target, streams, now).await
}

/// Finishes an interrupted run. Its plan is carried out without the objects that the journal records as settled.
pub(crate) async fn resume(
    arguments: &Arguments,
    path: &Path,
    streams: &mut Streams,
    now: Timestamp,
) -> Result<u8, Error> {
    let record = JournalReplay::read(path)?;
    let store = arguments.storage.open()?;
    let (cluster, context) = connect(arguments, &record.plan, now).await?;
    let guard = guard(arguments, cluster.as_ref()).await?;
    record.plan.check_place(identity(cluster.as_ref()).await.as_ref(), &arguments.storage.name())?;
    let planned = record.plan.tail.totals.objects;
    let mut left = 0_u64;
    let plan = record.plan.map(|PlannedWorkflow { delete, keep, absent, .. }| {
        delete.retain(|object| {
            let location = object.bucket.uri(&object.key);
            match record.settled(object) {
                None => return true,
                Some(ObjectOutcome::Kept(protection, detail)) => {
                    left += 1;
                    keep.push(KeptObject {
                        location,
                        artifact: object.artifact.to_string(),
                        protection,
                        detail,
                    });
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
    let target =
        Target { cluster: cluster.as_ref(), store: &store, context: &context, guard: guard.as_ref() };
    if plan.is_idle() {
        // Nothing more is deleted, so there is nothing to confirm. Only the workflows still have to be updated.
        let journal = Journal::reopen(path)?;
        return carry_out(arguments, plan, &target, &journal, streams, now).await.map(ended);
    }
    let plan = without_needed(arguments, plan, cluster.as_ref(), &context, streams).await?;
    print(arguments, &plan, arguments.dry_run != DryRun::None, streams, now)?;
    if arguments.dry_run != DryRun::None {
        return Ok(exit::DONE);
    }
    preflight(arguments, &plan, &target).await?;
    watch(&plan, &target, streams).await?;
    confirm(arguments, &plan, &target, streams).await?;
    let journal = Journal::reopen(path)?;
    carry_out(arguments, plan, &target, &journal, streams, now).await.map(ended)
}

/// Reads the references again, because a plan may be hours old, and keeps what is needed by now.
async fn without_needed(
    arguments: &Arguments,
    plan: Plan,
    cluster: Option<&Cluster>,
    context: &Context,
    streams: &mut Streams,
) -> Result<Plan, Error> {
    let Some(cluster) = cluster else { return Ok(plan) };
    // What is forbidden in all namespaces was read in that of the plan.
    let namespace = Some(cluster.namespace().to_owned());
    let request =
        ClusterRequest { namespace, chunk_size: arguments.kube.chunk_size, ..ClusterRequest::default() };
    let Refreshed { references, since, unread } =
        refresh::references(cluster, &request, context, &plan).await?;
    arguments.check_unread(&unread)?;
    let (plan, kept) = plan.keep_needed(&references, &since)?;
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
    now: Timestamp,
) -> Result<(Option<Cluster>, Context), Error> {
    if plan.head.cluster.is_none() {
        let context = Context { now, controllers: Controllers::default(), related: Related::default() };
        return Ok((None, context));
    }
    // -n is refused here: what may be read in one namespace only was read in that of the plan.
    let access = Access { namespace: only_namespace(plan)?, ..arguments.argo.beside(&arguments.kube)? };
    let cluster = Cluster::connect(&access).await?;
    let (mut controllers, related, _) = cluster.related(None).await;
    controllers.version = arguments.controller.argo_version;
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
