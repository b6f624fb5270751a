//! Inspecting a cluster: pages are decoded and assessed on other threads while the next ones arrive.

use super::{Arguments, Run, report};
use crate::argo::Workflow;
use crate::argo::list::{Item, Malformed, decode, object};
use crate::check::check;
use crate::cli::Streams;
use crate::cli::select::{Seen, Selection};
use crate::cluster::{Body, Cluster, Scope};
use crate::error::Error;
use crate::gc::{Assessment, Context, assess};
use crate::output::{Origin, View};
use futures::stream::{self, StreamExt};
use indicatif::{ProgressBar, ProgressDrawTarget};
use jiff::Timestamp;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Workflows looked up in storage at a time; the throttle bounds the requests.
const CHECKS: usize = 64;
/// Pages decoded at a time: one while the other is printed.
const DECODERS: usize = 2;

pub(super) async fn run(arguments: &Arguments, streams: &mut Streams, now: Timestamp) -> Result<u8, Error> {
    let store = arguments.store()?;
    let cluster = Cluster::connect(&arguments.kube.access()).await?;
    let namespace = (!arguments.all_namespaces).then(|| cluster.namespace().to_owned());
    let mut bodies = cluster.workflows(Scope {
        namespace: namespace.clone(),
        names: arguments.names.clone(),
        label_selector: arguments.selector.clone(),
        field_selector: arguments.field_selector.clone(),
        chunk_size: arguments.kube.chunk_size,
    });
    // The first page tells whether there is a cluster to talk to; the rest waits for what stands beside it.
    let (first, (mut controllers, related, gaps)) =
        tokio::try_join!(async { bodies.recv().await.transpose() }, async {
            Ok(cluster.related(namespace.as_deref()).await)
        })?;
    controllers.version = arguments.argo_version;
    let context = Arc::new(Context { now, controllers, related });
    let selection = Arc::new(arguments.selection(now));

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
    let shown = Arc::new(view.clone());
    let mut run = Run::new(&mut *streams.out as &mut dyn Write, view, &arguments.fail_on);
    run.inspection.gaps = gaps;
    let rest = stream::poll_fn(move |cx| bodies.poll_recv(cx));
    let mut pages = stream::iter(first.map(Ok))
        .chain(rest)
        .map(|body| {
            let (context, selection, view) =
                (Arc::clone(&context), Arc::clone(&selection), Arc::clone(&shown));
            let store = store.clone();
            async move {
                let body = body?;
                let shown = Arc::clone(&view);
                // What storage tells may make a problem of anything.
                let all = store.is_some();
                let page = tokio::task::spawn_blocking(move || page(&body, &context, &selection, &view, all));
                let mut page =
                    page.await.map_err(|error| Error::new(format!("a decoder stopped: {error}")))??;
                let mut gaps = Vec::new();
                if let Some(store) = &store {
                    let found: Vec<_> = page.iter_mut().filter_map(|item| item.as_mut().ok()).collect();
                    let mut checks = stream::iter(found)
                        .map(|assessment| async move {
                            let gaps = check(assessment, store).await;
                            (assessment, gaps)
                        })
                        .buffer_unordered(CHECKS);
                    while let Some((assessment, more)) = checks.next().await {
                        assessment.set_aside(|artifact| shown.shows(artifact));
                        gaps.extend(more);
                    }
                }
                Ok::<_, Error>((page, gaps))
            }
        })
        .buffered(DECODERS);
    // A list that expired starts over, and nothing may count twice.
    let mut seen = Seen::default();
    while let Some(page) = pages.next().await {
        let (page, gaps) = page?;
        run.gaps(gaps);
        for item in page {
            match item {
                Ok(assessment) if seen.is_new(&assessment.uid) => run.take(assessment)?,
                Err(bad) if !seen.is_new(bad.known_name()) => {}
                Ok(_) => {}
                Err(Malformed { name, error }) => run.malformed(format!("workflow {name}"), error),
            }
        }
        progress.show(run.inspection.summary.workflows);
    }
    progress.clear();
    drop(pages);
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

/// Decodes a body and assesses what the selection takes.
fn page(
    body: &Body,
    context: &Context,
    selection: &Selection,
    view: &View,
    all: bool,
) -> Result<Vec<Assessed>, Error> {
    let mut assessed = Vec::new();
    let mut take = |item| match item {
        Item::Object(mut workflow) if selection.takes(&workflow) => {
            let mut assessment = assess(&mut workflow, context);
            if !all {
                assessment.set_aside(|artifact| view.shows(artifact));
            }
            assessed.push(Ok(assessment));
        }
        Item::Object(_) => {}
        Item::Malformed(malformed) => assessed.push(Err(malformed)),
    };
    match body {
        Body::Page(bytes) => decode(bytes, take)
            .map_err(|error| Error::new(format!("reading a page of workflows: {error}")))?,
        Body::One(bytes) => take(object::<Workflow>(&String::from_utf8_lossy(bytes))),
    }
    Ok(assessed)
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

    fn show(&self, workflows: u64) {
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
