//! Inspects a cluster. Pages are decoded and assessed on other threads while the next pages arrive.

use crate::cli::inspect::arguments::Arguments;
use crate::cli::inspect::run::Run;
use crate::cli::inventory::report as report_of;
use crate::cli::streams::Streams;
use crate::cli::warnings::{report, tell_controllers};
use crate::cluster::accounts::Accounts;
use crate::cluster::client::Cluster;
use crate::cluster::pages::Missing;
use crate::error::Error;
use crate::output::Format;
use crate::output::beside::Kept;
use crate::output::view::View;
use crate::output::writer::FormatWriter;
use crate::progress::Doing;
use crate::scan::assess::{Assessor, live};
use crate::scan::assess_archive::ArchiveAssessment;
use crate::scan::begin::{Begun, begin};
use crate::scan::{endangered, foreseen};
use argo_gc_core::inspection::Inspection;
use argo_gc_core::model::context::{Context, Controllers};
use argo_gc_core::model::scope::Scope;
use jiff::Timestamp;
use std::io::Write;
use std::sync::Arc;

/// An inspection that was made and written.
pub(crate) struct Inspected {
    pub inspection: Inspection,
    controllers: Controllers,
    /// Where its workflows are, in words.
    place: String,
    code: u8,
}

impl Inspected {
    /// Says on standard error what could not be read.
    pub fn report(&self, streams: &mut Streams) {
        tell_controllers(&self.controllers, streams);
        report(streams, &self.inspection, &self.place);
    }
}

pub(crate) async fn run(
    arguments: &Arguments,
    metrics: &Kept,
    streams: &mut Streams,
    now: Timestamp,
) -> Result<u8, Error> {
    let since = arguments.since(streams)?;
    let inspected = inspect(arguments, arguments.writer(since, metrics), streams, now).await?;
    inspected.report(streams);
    Ok(inspected.code)
}

/// Inspects once, and writes it in a format.
pub(crate) async fn inspect(
    arguments: &Arguments,
    format: Box<dyn FormatWriter>,
    streams: &mut Streams,
    now: Timestamp,
) -> Result<Inspected, Error> {
    let looks = arguments.looks(streams).await?;
    let inventory = looks.as_ref().and_then(|looks| looks.inventory.as_ref());
    let identities = looks.as_ref().and_then(|looks| looks.identities.clone());
    let cluster =
        Cluster::connect(&arguments.argo.beside(&arguments.kube)?).await?.telling(&streams.progress);
    cluster.ensure_namespaces(&arguments.kube.several_namespaces()).await?;
    identities.iter().for_each(|identities| identities.connect(&cluster));
    let server = cluster.argo_server();
    let request = arguments.request(&cluster, now)?;
    // With an archive a name that is not there may be in the archive.
    let missing = Missing::default();
    let collected = server.map(|_| Arc::clone(&missing));
    let Begun { context, gaps, bodies } = begin(&cluster, &request, collected, now).await?;

    let endangered = match arguments.looks_for_endangered() {
        true => Some(endangered::of_cluster(&cluster, &request, &context).await?),
        false => None,
    };
    let (endangered, unread) = endangered.unzip();
    let progress = streams.progress.clone();
    let origin = Scope {
        inventory: inventory.map(report_of),
        ..origin(arguments, &cluster, request.namespace.clone())
    };
    let mut view = arguments.view(streams, now, origin)?;
    foresee(&mut view, arguments.format(), (&cluster, &context), request.namespace.as_deref()).await;
    let shown = view.clone();
    let assessor = Arc::new(Assessor {
        context: Arc::new(context),
        selection: request.selection.clone(),
        needs: Box::new(move |artifact| shown.needs(artifact)),
        // By an inventory all are looked up together, once they were read.
        store: looks.as_ref().filter(|_| inventory.is_none()).map(|looks| looks.store.clone()),
        sets_aside: inventory.is_none(),
        identities,
        endangered,
        accounts: Some(Accounts::new(&cluster)),
        keeps_workflows: false,
    });
    let mut run = Run::new(&mut *streams.out as &mut dyn Write, view, format, &arguments.fail_on);
    run.looking = looks.as_ref().map(|_| progress.begin(Doing::Looking, None));
    run.held = inventory.map(|_| Vec::new());
    run.inspection.gaps = gaps;
    run.add_gaps(unread.unwrap_or_default());
    let live = live(bodies.into_stream(), &assessor, server, &mut run).await?;
    if let Some(server) = server {
        let archive = ArchiveAssessment {
            request: &request,
            cluster: &cluster,
            server,
            assessor: &assessor,
            missing: &missing,
        };
        archive.read(live, &mut run).await?;
    }
    if let Some(looks) = &looks {
        run.look_up(looks).await?;
    }
    run.looking = None;
    let empty = run.inspection.summary.workflows == 0 && run.malformed == 0;
    if let Some(namespace) = request.namespace.as_deref().filter(|_| empty) {
        cluster.ensure_namespace(namespace).await?;
    }
    let (inspection, code) = run.finish()?;
    let controllers = assessor.context.controllers.clone();
    let place = match request.namespace {
        Some(name) => format!("{name} namespace"),
        None => "the cluster".to_owned(),
    };
    Ok(Inspected { inspection, controllers, place, code })
}

/// Finds out what the commands need that are printed for the user to run next.
async fn foresee(
    view: &mut View,
    format: Format,
    (cluster, context): (&Cluster, &Context),
    namespace: Option<&str>,
) {
    if format == Format::Tree || view.interactive {
        view.allowed = Some(cluster.repositories(&context.controllers, namespace).await);
        let unread = foreseen::of_cluster(cluster, context, namespace).await;
        view.unread = unread.iter().map(|unread| unread.source.to_string()).collect();
    }
}

fn origin(arguments: &Arguments, cluster: &Cluster, namespace: Option<String>) -> Scope {
    Scope {
        kind: "cluster".to_owned(),
        context: cluster.context().map(str::to_owned),
        server: Some(cluster.host().to_owned()),
        namespace,
        filtered: arguments.is_filtered(),
        ..Scope::default()
    }
}
