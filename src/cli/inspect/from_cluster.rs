//! Inspects a cluster. Pages are decoded and assessed on other threads while the next pages arrive.

use crate::cli::inspect::archive::Archive;
use crate::cli::inspect::arguments::Arguments;
use crate::cli::inspect::run::Run;
use crate::cli::progress::Progress;
use crate::cli::streams::Streams;
use crate::cli::warnings::report;
use crate::cluster::argo_server::ArgoServer;
use crate::cluster::client::Cluster;
use crate::cluster::pages::{Missing, PageQuery};
use crate::error::{Error, ErrorKind};
use crate::scan::assess_pages::{Assessor, Page, assessed};
use crate::scan::selection::Seen;
use argo_gc_core::argo::list::Malformed;
use argo_gc_core::model::assessment::Assessment;
use argo_gc_core::model::context::Context;
use argo_gc_core::model::scope::Scope;
use futures::stream;
use futures::stream::StreamExt;
use jiff::Timestamp;
use std::io::Write;
use std::sync::Arc;

/// How many workflows are compared to make sure that the Argo server belongs to the cluster.
const KNOWN: usize = 3;

/// Pages decoded at a time: one is decoded while the other is printed.
const DECODERS: usize = 2;

pub(crate) async fn run(arguments: &Arguments, streams: &mut Streams, now: Timestamp) -> Result<u8, Error> {
    let store = arguments.store()?;
    let since = arguments.since(streams)?;
    let cluster = Cluster::connect(&arguments.argo.beside(&arguments.kube)).await?;
    let server = cluster.argo_server();
    let namespace = (!arguments.scope.all_namespaces).then(|| cluster.namespace().to_owned());
    let missing = Missing::default();
    let mut bodies = cluster.workflows(PageQuery {
        namespace: namespace.clone(),
        names: arguments.names.clone(),
        label_selector: arguments.selector.clone(),
        field_selector: arguments.field_selector.clone(),
        chunk_size: arguments.kube.chunk_size,
        missing: server.map(|_| Arc::clone(&missing)),
    });
    // The first page shows whether the cluster answers at all. The other pages wait until the related objects are read.
    let (first, (mut controllers, related, gaps), ()) = tokio::try_join!(
        async { bodies.recv().await.transpose() },
        async { Ok(cluster.related(namespace.as_deref()).await) },
        greet(server),
    )?;
    controllers.version = arguments.controller.argo_version;
    let context = Arc::new(Context { now, controllers, related });

    let progress = Progress::new(streams.err_is_terminal && !streams.out_is_terminal);
    let view = arguments.view(streams, now, origin(arguments, &cluster, namespace.clone()));
    let shown = Arc::new(view.clone());
    let look = Assessor {
        context,
        selection: Arc::new(arguments.selection(now)),
        needs: Arc::new(move |artifact| shown.needs(artifact)),
        store,
    };
    let mut run = Run::new(
        &mut *streams.out as &mut dyn Write,
        view,
        arguments.format().writer(since),
        &arguments.fail_on,
    );
    run.inspection.gaps = gaps;
    let rest = stream::poll_fn(move |cx| bodies.poll_recv(cx));
    let mut pages = stream::iter(first.map(Ok))
        .chain(rest)
        .map(|body| {
            let look = look.clone();
            async move { assessed(body?, &look, server).await }
        })
        .buffered(DECODERS);
    let mut live = Live { remembers: server.is_some(), ..Live::default() };
    while let Some(page) = pages.next().await {
        live.take(page?, &mut run)?;
        progress.show(run.inspection.summary.workflows);
    }
    drop(pages);
    if let Some(server) = server {
        let archive =
            Archive { arguments, cluster: &cluster, server, namespace: namespace.as_deref(), look: &look };
        let Live { mut seen, mut passed_over, known, .. } = live;
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

/// Asks the Argo server whether it answers. That it forbids something is a gap, and is said where that is needed.
async fn greet(server: Option<&ArgoServer>) -> Result<(), Error> {
    let Some(server) = server else { return Ok(()) };
    server.greet().await.or_else(|error| match error.kind {
        ErrorKind::Forbidden => Ok(()),
        _ => Err(error),
    })
}

fn origin(arguments: &Arguments, cluster: &Cluster, namespace: Option<String>) -> Scope {
    Scope {
        kind: "cluster".to_owned(),
        context: cluster.context().map(str::to_owned),
        server: Some(cluster.host().to_owned()),
        namespace,
        filtered: arguments.is_filtered(),
        files: Vec::new(),
    }
}

/// The live workflows read so far. A list that expired starts over, and no workflow may count twice.
#[derive(Default)]
struct Live {
    seen: Seen,
    /// Workflows that the selection does not take, so that the archive does not show them either.
    passed_over: Seen,
    /// Namespace, name and UID of some workflows, by which the Argo server is compared with the cluster.
    known: Vec<(String, String, String)>,
    /// Whether an archive is read afterwards.
    remembers: bool,
}

impl Live {
    fn take(&mut self, page: Page, run: &mut Run<'_>) -> Result<(), Error> {
        run.gaps(page.gaps);
        for item in page.items {
            match item {
                Ok(assessment) if self.seen.is_new(&assessment.uid) => {
                    if self.remembers && self.known.len() < KNOWN {
                        let Assessment { namespace, name, uid, .. } = &assessment;
                        self.known.push((namespace.clone(), name.clone(), uid.clone()));
                    }
                    run.take(assessment)?;
                }
                Err(bad) if !self.seen.is_new(bad.known_name()) => {}
                Ok(_) => {}
                Err(Malformed { name, error }) => run.malformed(format!("workflow {name}"), error),
            }
        }
        if self.remembers {
            for uid in &page.passed_over {
                self.passed_over.is_new(uid);
            }
        }
        Ok(())
    }
}
