//! Planning from a cluster: all workflows are read once, for what is selected and for what refers to it.

use super::{Arguments, apply, archive, signed};
use crate::argo::list::{Malformed, decode};
use crate::argo::{Meta, Workflow};
use crate::cli::Streams;
use crate::cluster::{Body, Cluster, Rows, Scope, Unread};
use crate::error::{Error, Kind};
use crate::gc::{
    Context, Kind as ObjectKind,
    plan::Rules,
    reference::{Gathering, References},
    retention::Retention,
};
use crate::purge::Plan;
use crate::purge::document::{ClusterIdentity, Since};
use crate::purge::execute::rerun;
use crate::purge::gather::{Gathered, Terms, Whole, pinned};
use futures::stream::{self, StreamExt};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Pages read at a time.
const DECODERS: usize = 2;

pub(super) async fn run(
    arguments: &Arguments,
    retention: Option<Arc<Retention>>,
    streams: &mut Streams,
    now: Timestamp,
) -> Result<u8, Error> {
    let cluster = Cluster::connect(&arguments.argo.beside(&arguments.kube)).await?;
    let store = arguments.storage.open()?;
    let identity = ClusterIdentity::of(&cluster).await;
    check_clock(&cluster, signed(arguments.margin), now)?;
    archive::warn(cluster.argo_server(), streams).await;
    let namespace = (!arguments.all_namespaces).then(|| cluster.namespace().to_owned());
    let labelled = labelled(&cluster, arguments, namespace.as_deref()).await?;

    let mut gathering = Gathering::default();
    let beside = cluster.beside(namespace.as_deref(), &mut gathering).await;
    let (mut controllers, related, gaps) = cluster.related(namespace.as_deref()).await;
    controllers.version = arguments.argo_version;
    for gap in gaps {
        streams.say(crate::output::escape(&format!(
            "Warning: cannot read {} ({}); {}",
            gap.what, gap.why, gap.effect
        )));
    }
    let mut allowed = cluster.repositories(&controllers).await;
    if let Some(root) = &arguments.storage.store_root {
        tracing::debug!(root = %root.display(), "every bucket below the directory is the user's own");
        allowed = crate::gc::plan::Allowed::everywhere();
    }
    let rules = Rules { retention, ..arguments.rules(allowed, now) };
    let mut unread = beside.unread.clone();
    unread.extend(archive::unread_without(cluster.argo_server(), &controllers));
    if !related.is_read(ObjectKind::GcPods, namespace.as_deref().unwrap_or_default()) {
        unread.push(Unread {
            source: "pods",
            why: "whether Argo's GC pods are at work can't be told".to_owned(),
        });
    }
    let context = Arc::new(Context { now, controllers, related });
    let selection = arguments.selection(namespace.clone(), now);
    let selects = move |workflow: &Workflow| {
        selection.takes(workflow)
            && labelled.as_ref().is_none_or(|labelled: &Labelled| labelled.has(workflow))
    };

    let shared = Arc::new((Arc::clone(&context), rules, beside, arguments.names.clone(), selects));
    let start = Whole::under(&shared.1, gathering, unread);
    let whole = everything(&cluster, arguments.kube.chunk_size, namespace.as_deref(), &shared, start).await?;
    let (_, rules, ..) = &*shared;
    if let Some(namespace) = namespace.as_deref().filter(|_| whole.taken == 0) {
        cluster.ensure_namespace(namespace).await?;
    }
    whole.ensure_found(&arguments.names)?;
    let plan = apply::make(arguments, whole, rules, &store, Some(identity), streams, now).await?;
    let target = apply::Target { cluster: Some(&cluster), store: &store, context: &context };
    apply::run(arguments, plan, &target, streams, now).await
}

/// Refuses to judge ages by a clock that is wrong (danger 26). The cluster must have answered something before.
pub(in crate::cli) fn check_clock(
    cluster: &Cluster,
    margin: SignedDuration,
    now: Timestamp,
) -> Result<(), Error> {
    let margin = margin.as_secs();
    let ahead = cluster.first_answer().map(|time| time.duration_since(now).as_secs());
    match ahead {
        Some(ahead) if ahead.abs() > margin => {
            let side = if ahead > 0 { "behind" } else { "ahead of" };
            Err(Error::refused(format!(
                "this machine's clock is {} seconds {side} the API server's, so ages can't be judged",
                ahead.abs()
            ))
            .hint("set it; purge allows more with --margin"))
        }
        _ => Ok(()),
    }
}

/// Everything that refers to anything by now, and what became of the plan's workflows; nothing is selected.
pub(super) async fn references(
    cluster: &Cluster,
    arguments: &Arguments,
    context: &Context,
    plan: &Plan,
) -> Result<(References, Since), Error> {
    let mut gathering = Gathering::default();
    let beside = cluster.beside(Some(cluster.namespace()), &mut gathering).await;
    let mut unread = beside.unread.clone();
    let orphans = plan.has_orphans()?;
    if orphans {
        unread.extend(cluster.results(&mut gathering).await);
    }
    // The plan may have been made with an Argo server, or the archive was accepted as unread.
    let accepted = plan.head.unread.iter().any(|unread| unread.starts_with("archive: ")) && !orphans;
    unread.extend(archive::unread_without(cluster.argo_server(), &context.controllers).filter(|_| !accepted));
    let pinned_namespaces = beside.pinned_namespaces.clone();
    let start = Whole::new(gathering, unread);
    let rules = arguments.rules(crate::gc::plan::Allowed::default(), context.now);
    let (planned, made) = (plan.uids()?, plan.head.created_at);
    let since = Arc::new(Mutex::new(Since::default()));
    let (found, pins) = (Arc::clone(&since), beside.clone());
    let look = move |workflow: &Workflow| {
        let uid = &workflow.metadata.uid;
        if planned.contains(uid) {
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            if rerun(workflow, made).is_some() {
                found.altered.insert(uid.clone());
            }
            if let Some(place) = pinned(workflow, &pins) {
                found.altered.insert(uid.clone());
                found.pinned.insert(uid.clone(), place);
            }
        }
        false
    };
    let shared = Arc::new((Arc::new(context.clone()), rules, beside, Vec::new(), look));
    let namespace = Some(cluster.namespace());
    let mut whole = everything(cluster, arguments.kube.chunk_size, namespace, &shared, start).await?;
    let mut guarded = std::mem::take(&mut whole.guarded);
    pinned_namespaces.iter().for_each(|name| guarded.namespace(name));
    let (_, _, references, unread) = whole.finish();
    if let Some(first) = unread.first().filter(|_| orphans) {
        return Err(Error::refused(format!("whether these are orphans still can't be told: {first}")));
    }
    // What was accepted as unread when the plan was made is so still; what can't be read since then is not.
    let accepted = |unread: &Unread| plan.head.unread.contains(&unread.to_string());
    let news: Vec<Unread> = unread.into_iter().filter(|unread| !accepted(unread)).collect();
    arguments.check_unread(&news)?;
    let mut since = std::mem::take(&mut *since.lock().unwrap_or_else(PoisonError::into_inner));
    since.guarded = guarded;
    Ok((references, since))
}

/// Reads the workflows of all namespaces, or of one where all are forbidden and that is accepted; then the
/// archive, where an Argo server shows it.
pub(in crate::cli) async fn everything<S: Fn(&Workflow) -> bool + Send + Sync + 'static>(
    cluster: &Cluster,
    chunk_size: u32,
    namespace: Option<&str>,
    shared: &Arc<Shared<S>>,
    mut whole: Whole,
) -> Result<Whole, Error> {
    match read(cluster, chunk_size, None, shared, &mut whole).await {
        Err(error) if error.kind == Kind::Forbidden => {
            let why = "listing them in all namespaces is forbidden".to_owned();
            whole.unread.push(Unread { source: "workflows", why });
            let Some(namespace) = namespace else { return Err(error) };
            read(cluster, chunk_size, Some(namespace.to_owned()), shared, &mut whole).await?;
        }
        other => other?,
    }
    if let Some(server) = cluster.argo_server() {
        archive::read(server, chunk_size, shared, &mut whole).await?;
    }
    Ok(whole)
}

pub(in crate::cli) type Shared<S> =
    (Arc<Context>, crate::gc::plan::Rules, crate::cluster::Beside, Vec<String>, S);

/// Reads the pages of one scope into the gathering.
async fn read<S: Fn(&Workflow) -> bool + Send + Sync + 'static>(
    cluster: &Cluster,
    chunk_size: u32,
    namespace: Option<String>,
    shared: &Arc<Shared<S>>,
    whole: &mut Whole,
) -> Result<(), Error> {
    let mut bodies = cluster.workflows(Scope { namespace, chunk_size, ..Scope::default() });
    let mut pages = stream::poll_fn(move |cx| bodies.poll_recv(cx))
        .map(|body| {
            let (terms, server) = (Arc::clone(shared), cluster.argo_server());
            async move {
                let body = body?;
                let hydrates = server.is_some();
                let page = tokio::task::spawn_blocking(move || page(&body, &terms, hydrates));
                let (part, offloaded) =
                    page.await.map_err(|error| Error::new(format!("a decoder stopped: {error}")))??;
                let mut parts = vec![part];
                if let Some(server) = server {
                    parts.extend(archive::hydrate(server, offloaded, shared).await?);
                }
                Ok::<_, Error>(parts)
            }
        })
        .buffered(DECODERS);
    while let Some(parts) = pages.next().await {
        parts?.into_iter().try_for_each(|part| whole.absorb(part))?;
    }
    Ok(())
}

/// What applies to every workflow.
pub(super) fn terms<S: Fn(&Workflow) -> bool + Sync>(shared: &Shared<S>) -> Terms<'_> {
    let (context, rules, beside, named, selects) = shared;
    Terms { context, rules, beside, named, selects }
}

/// Takes a page in, but for workflows whose nodes an Argo server may have to fill in.
fn page<S: Fn(&Workflow) -> bool + Sync>(
    body: &Body,
    shared: &Shared<S>,
    hydrates: bool,
) -> Result<(Gathered, Vec<String>), Error> {
    #[derive(Deserialize)]
    struct List<'a> {
        #[serde(borrow)]
        items: Vec<&'a RawValue>,
    }
    let (Body::Page(bytes) | Body::One(bytes)) = body;
    let list: List<'_> = serde_json::from_slice(bytes)
        .map_err(|error| Error::new(format!("reading a page of workflows: {error}")))?;
    let terms = terms(shared);
    let mut gathered = Gathered::default();
    let mut offloaded = Vec::new();
    for item in list.items {
        match hydrates && archive::may_be_offloaded(item.get()) {
            true => offloaded.push(item.get().to_owned()),
            false => gathered.workflow(item.get(), &terms),
        }
    }
    Ok((gathered, offloaded))
}

/// UIDs that a label selector takes. Labels may have changed since a workflow was archived.
struct Labelled {
    live: HashSet<String>,
    archived: HashSet<String>,
}

impl Labelled {
    fn has(&self, workflow: &Workflow) -> bool {
        let uids = if workflow.is_archived_record() { &self.archived } else { &self.live };
        uids.contains(&workflow.metadata.uid)
    }
}

/// What the label selector takes: only the servers know how to read one.
async fn labelled(
    cluster: &Cluster,
    arguments: &Arguments,
    namespace: Option<&str>,
) -> Result<Option<Labelled>, Error> {
    let Some(selector) = &arguments.selector else { return Ok(None) };
    #[derive(Deserialize)]
    struct Object {
        metadata: Meta,
    }
    let mut bodies = cluster.workflows(Scope {
        namespace: namespace.map(str::to_owned),
        label_selector: Some(selector.clone()),
        chunk_size: arguments.kube.chunk_size,
        ..Scope::default()
    });
    let (mut live, mut archived) = (HashSet::new(), HashSet::new());
    while let Some(body) = bodies.recv().await {
        let (Body::Page(bytes) | Body::One(bytes)) = body?;
        let mut take = |item| match item {
            crate::argo::list::Item::Object(object) => {
                let Object { metadata } = *object;
                live.insert(metadata.uid);
            }
            crate::argo::list::Item::Malformed(Malformed { .. }) => {}
        };
        decode::<Object>(&bytes, &mut take)
            .map_err(|error| Error::new(format!("reading a page of workflows: {error}")))?;
    }
    if let Some(server) = cluster.argo_server() {
        let mut rows = server.rows(Rows {
            namespace: namespace.map(str::to_owned),
            label_selector: Some(selector.clone()),
            chunk_size: arguments.kube.chunk_size,
            ..Rows::default()
        });
        // An archive that can't be read is told of when all of it is; nothing of it is ever deleted.
        while let Some(Ok(page)) = rows.recv().await {
            archived.extend(page.into_iter().map(|row| row.metadata.uid));
        }
    }
    Ok(Some(Labelled { live, archived }))
}
