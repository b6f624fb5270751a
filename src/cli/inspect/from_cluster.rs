//! Inspecting a cluster: pages are decoded and assessed on other threads while the next ones arrive.

use crate::cli::inspect::archive::Archive;
use crate::cli::inspect::{Arguments, Run};
use crate::cli::progress::Progress;
use crate::cli::streams::Streams;
use crate::cli::warnings::report;
use crate::cluster::client::Cluster;
use crate::cluster::pages::{Missing, PageQuery};
use crate::error::{Error, ErrorKind};
use crate::scan::assess_pages::{Assessor, assessed};
use crate::scan::selection::Seen;
use argo_gc_core::argo::list::Malformed;
use argo_gc_core::model::assessment::Assessment;
use argo_gc_core::model::context::Context;
use argo_gc_core::model::scope::Origin;
use futures::stream;
use futures::stream::StreamExt;
use jiff::Timestamp;
use std::io::Write;
use std::sync::Arc;

/// Workflows by which an Argo server is known to be the cluster's.
const KNOWN: usize = 3;

/// Pages decoded at a time: one while the other is printed.
const DECODERS: usize = 2;

pub(crate) async fn run(arguments: &Arguments, streams: &mut Streams, now: Timestamp) -> Result<u8, Error> {
    let store = arguments.store()?;
    let since = arguments.since(streams)?;
    let cluster = Cluster::connect(&arguments.argo.beside(&arguments.kube)).await?;
    let server = cluster.argo_server();
    let namespace = (!arguments.all_namespaces).then(|| cluster.namespace().to_owned());
    let missing = Missing::default();
    let mut bodies = cluster.workflows(PageQuery {
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
                    ErrorKind::Forbidden => Ok(()),
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
    let look = Assessor {
        context,
        selection: Arc::new(arguments.selection(now)),
        view: Arc::new(view.clone()),
        store,
    };
    let mut run = Run::new(&mut *streams.out as &mut dyn Write, view, arguments.format().writer(since), &arguments.fail_on);
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
