//! Inspecting a cluster: pages are decoded and assessed on other threads while the next ones arrive.

use super::archive::Archive;
use super::{Arguments, Run, report};
use crate::argo::Workflow;
use crate::argo::list::{Item, Malformed, decode, object};
use crate::check::check;
use crate::cli::Streams;
use crate::cli::select::{Seen, Selection};
use crate::cluster::{ArgoServer, Body, Cluster, Missing, Scope, WHOLE};
use crate::error::{Error, Kind};
use crate::gc::{Assessment, Context, Gap, assess};
use crate::output::{Origin, View};
use crate::store::Store;
use futures::stream::{self, StreamExt};
use indicatif::{ProgressBar, ProgressDrawTarget};
use jiff::Timestamp;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Workflows by which an Argo server is known to be the cluster's.
const KNOWN: usize = 3;
/// Pages decoded at a time: one while the other is printed.
const DECODERS: usize = 2;

/// What every workflow is looked at with.
#[derive(Clone)]
pub(super) struct Look {
    pub context: Arc<Context>,
    pub selection: Arc<Selection>,
    view: Arc<View>,
    store: Option<Store>,
}

impl Look {
    /// Assesses a workflow; what nobody wants to see is only counted.
    pub fn assess(&self, workflow: &mut Workflow) -> Assessment {
        let mut assessment = assess(workflow, &self.context);
        // What storage tells may make a problem of anything.
        if self.store.is_none() {
            assessment.set_aside(|artifact| self.view.needs(artifact));
        }
        assessment
    }

    /// Asks storage about assessments, with --check.
    pub async fn check(&self, mut found: Vec<&mut Assessment>) -> Vec<Gap> {
        let Some(store) = &self.store else { return Vec::new() };
        let gaps = check(&mut found, store).await;
        for assessment in found {
            assessment.set_aside(|artifact| self.view.needs(artifact));
        }
        gaps
    }
}

pub(super) async fn run(arguments: &Arguments, streams: &mut Streams, now: Timestamp) -> Result<u8, Error> {
    let store = arguments.store()?;
    let since = arguments.since(streams)?;
    let cluster = Cluster::connect(&arguments.argo.beside(&arguments.kube)).await?;
    let server = cluster.argo_server();
    let namespace = (!arguments.all_namespaces).then(|| cluster.namespace().to_owned());
    let missing = Missing::default();
    let mut bodies = cluster.workflows(Scope {
        namespace: namespace.clone(),
        names: arguments.names.clone(),
        label_selector: arguments.selector.clone(),
        field_selector: arguments.field_selector.clone(),
        chunk_size: arguments.kube.chunk_size,
        missing: server.map(|_| Arc::clone(&missing)),
    });
    // The first page tells whether there is a cluster to talk to; the rest waits for what stands beside it.
    let (first, (mut controllers, related, gaps), ()) = tokio::try_join!(
        async { bodies.recv().await.transpose() },
        async { Ok(cluster.related(namespace.as_deref()).await) },
        async {
            match server {
                // That something is forbidden is a gap, and told when it is wanted.
                Some(server) => server.greet().await.or_else(|error| match error.kind {
                    Kind::Forbidden => Ok(()),
                    _ => Err(error),
                }),
                None => Ok(()),
            }
        }
    )?;
    controllers.version = arguments.argo_version;
    let context = Arc::new(Context { now, controllers, related });

    let origin = Origin {
        kind: "cluster",
        context: cluster.context().map(str::to_owned),
        server: Some(cluster.host().to_owned()),
        namespace: namespace.clone(),
        filtered: arguments.is_filtered(),
        files: Vec::new(),
    };
    let progress = Progress::new(streams.err_is_terminal && !streams.out_is_terminal);
    let view = arguments.view(streams, now, origin);
    let look =
        Look { context, selection: Arc::new(arguments.selection(now)), view: Arc::new(view.clone()), store };
    let mut run = Run::new(&mut *streams.out as &mut dyn Write, view, since, &arguments.fail_on);
    run.inspection.gaps = gaps;
    let rest = stream::poll_fn(move |cx| bodies.poll_recv(cx));
    let mut pages = stream::iter(first.map(Ok))
        .chain(rest)
        .map(|body| {
            let look = look.clone();
            async move { assessed(body?, &look, server).await }
        })
        .buffered(DECODERS);
    // A list that expired starts over, and nothing may count twice.
    let (mut seen, mut passed_over) = (Seen::default(), Seen::default());
    let mut known = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page?;
        run.gaps(page.gaps);
        for item in page.items {
            match item {
                Ok(assessment) if seen.is_new(&assessment.uid) => {
                    if server.is_some() && known.len() < KNOWN {
                        let Assessment { namespace, name, uid, .. } = &assessment;
                        known.push((namespace.clone(), name.clone(), uid.clone()));
                    }
                    run.take(assessment)?;
                }
                Err(bad) if !seen.is_new(bad.known_name()) => {}
                Ok(_) => {}
                Err(Malformed { name, error }) => run.malformed(format!("workflow {name}"), error),
            }
        }
        if server.is_some() {
            page.passed_over.iter().for_each(|uid| {
                passed_over.is_new(uid);
            });
        }
        progress.show(run.inspection.summary.workflows);
    }
    drop(pages);
    if let Some(server) = server {
        let archive =
            Archive { arguments, cluster: &cluster, server, namespace: namespace.as_deref(), look: &look };
        let is_live = |uid: &str| !seen.is_new(uid) || !passed_over.is_new(uid);
        archive.run(&mut run, (&missing, &known), is_live, &progress).await?;
    }
    progress.clear();
    let empty = run.inspection.summary.workflows == 0 && run.malformed == 0;
    if let Some(namespace) = namespace.as_deref().filter(|_| empty) {
        cluster.ensure_namespace(namespace).await?;
    }
    let (inspection, code) = run.finish()?;
    let place = namespace.map_or_else(|| "the cluster".to_owned(), |name| format!("{name} namespace"));
    report(streams, &inspection, &place);
    Ok(code)
}

type Assessed = Result<Assessment, Malformed>;

/// What became of a page's workflows.
#[derive(Default)]
struct Page {
    items: Vec<Assessed>,
    /// UIDs of those the selection does not take.
    passed_over: Vec<String>,
    gaps: Vec<Gap>,
}

/// A workflow of a page; one whose nodes are yet to be asked for is the error.
type Found = Result<Assessed, Box<Workflow>>;

/// Decodes a body and assesses what the selection takes; nodes that aren't there are asked for.
async fn assessed(body: Body, look: &Look, server: Option<&ArgoServer>) -> Result<Page, Error> {
    let decoder = look.clone();
    let hydrates = server.is_some();
    let decoded = tokio::task::spawn_blocking(move || page(&body, &decoder, hydrates));
    let (found, passed_over) =
        decoded.await.map_err(|error| Error::new(format!("a decoder stopped: {error}")))??;
    let mut page = Page { passed_over, ..Page::default() };
    let mut items = stream::iter(found)
        .map(|found| async move {
            match (found, server) {
                (Err(workflow), Some(server)) => hydrated(workflow, look, server).await,
                (Err(mut workflow), None) => (Ok(look.assess(&mut workflow)), None),
                (Ok(assessed), _) => (assessed, None),
            }
        })
        .buffered(WHOLE);
    while let Some((item, gap)) = items.next().await {
        page.items.push(item);
        page.gaps.extend(gap);
    }
    drop(items);
    let found: Vec<_> = page.items.iter_mut().filter_map(|item| item.as_mut().ok()).collect();
    page.gaps.extend(look.check(found).await);
    Ok(page)
}

/// Assesses a workflow with the nodes the Argo server gives; without them it stays unknown.
async fn hydrated(mut workflow: Box<Workflow>, look: &Look, server: &ArgoServer) -> (Assessed, Option<Gap>) {
    let gap = match server.nodes(&workflow).await {
        Ok(nodes) => {
            workflow.status.nodes = nodes;
            None
        }
        Err(error) => Some(Gap {
            what: format!("the nodes of workflow {}/{}", workflow.metadata.namespace, workflow.metadata.name),
            why: error.brief().to_owned(),
            effect: "its artifacts are unknown".to_owned(),
        }),
    };
    let look = look.clone();
    let name = workflow.metadata.name.clone();
    let assessed = tokio::task::spawn_blocking(move || look.assess(&mut workflow)).await;
    (assessed.map_err(|error| Malformed { name, error: error.to_string() }), gap)
}

/// Decodes a body and assesses what the selection takes.
fn page(body: &Body, look: &Look, hydrates: bool) -> Result<(Vec<Found>, Vec<String>), Error> {
    let (mut found, mut passed_over) = (Vec::new(), Vec::new());
    let mut take = |item| match item {
        Item::Object(workflow) if !look.selection.takes(&workflow) => passed_over.push(workflow.metadata.uid),
        Item::Object(workflow) if hydrates && workflow.is_offloaded() => found.push(Err(workflow)),
        Item::Object(mut workflow) => found.push(Ok(Ok(look.assess(&mut workflow)))),
        Item::Malformed(malformed) => found.push(Ok(Err(malformed))),
    };
    match body {
        Body::Page(bytes) => decode(bytes, take)
            .map_err(|error| Error::new(format!("reading a page of workflows: {error}")))?,
        Body::One(bytes) => take(object::<Workflow>(&String::from_utf8_lossy(bytes))),
    }
    Ok((found, passed_over))
}

/// A line on standard error once a second has passed.
pub(in crate::cli) struct Progress {
    bar: Option<ProgressBar>,
    started: Instant,
}

impl Progress {
    fn new(wanted: bool) -> Self {
        let bar = wanted.then(|| ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()));
        Self { bar, started: Instant::now() }
    }

    pub fn show(&self, workflows: u64) {
        if let Some(bar) = self.bar.as_ref().filter(|_| self.started.elapsed() > Duration::from_secs(1)) {
            bar.set_style(indicatif::ProgressStyle::default_spinner());
            bar.set_message(format!("{workflows} workflows inspected"));
            bar.tick();
        }
    }

    fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
