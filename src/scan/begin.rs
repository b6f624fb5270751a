//! Begins to read a cluster for verbs that show what they find: the first page shows whether the cluster answers at all, and
//! the related objects arrive meanwhile.

use crate::cluster::argo_server::ArgoServer;
use crate::cluster::client::Cluster;
use crate::cluster::pages::{Body, Missing};
use crate::error::{Error, ErrorKind};
use crate::scan::request::ClusterRequest;
use argo_gc_core::model::context::Context;
use argo_gc_core::model::gap::Gap;
use futures::stream;
use futures::stream::{Stream, StreamExt};
use jiff::Timestamp;
use tokio::sync::mpsc::Receiver;

/// A reading that has begun.
pub(crate) struct Begun {
    pub context: Context,
    /// What could not be read of the related objects.
    pub gaps: Vec<Gap>,
    pub bodies: Bodies,
}

/// The pages of workflows: the first, and those that follow.
pub(crate) struct Bodies {
    first: Option<Body>,
    rest: Receiver<Result<Body, Error>>,
}

impl Bodies {
    pub fn into_stream(self) -> impl Stream<Item = Result<Body, Error>> {
        let Self { first, mut rest } = self;
        stream::iter(first.map(Ok)).chain(stream::poll_fn(move |cx| rest.poll_recv(cx)))
    }
}

/// Reads the first page and the related objects, and asks the Argo server whether it answers. The other pages wait until
/// they are asked for. Names that don't exist go into `missing`, if there is one.
///
/// # Errors
/// The cluster can't be read, or the Argo server does not answer.
pub(crate) async fn begin(
    cluster: &Cluster,
    request: &ClusterRequest,
    missing: Option<Missing>,
    now: Timestamp,
) -> Result<Begun, Error> {
    let mut rest = cluster.workflows(request.pages(missing));
    let (first, (mut controllers, related, gaps), ()) = tokio::try_join!(
        async { rest.recv().await.transpose() },
        async { Ok(cluster.related(request.namespace.as_deref(), request.controllers()).await) },
        greet(cluster.argo_server()),
    )?;
    controllers.version = request.argo_version;
    cluster.review_controllers(&mut controllers, request.namespace.as_deref()).await;
    let context = Context { now, controllers, related };
    Ok(Begun { context, gaps, bodies: Bodies { first, rest } })
}

/// Asks the Argo server whether it answers. That it forbids something is a gap, and is said where that is needed.
async fn greet(server: Option<&ArgoServer>) -> Result<(), Error> {
    let Some(server) = server else { return Ok(()) };
    server.greet().await.or_else(|error| match error.kind {
        ErrorKind::Forbidden => Ok(()),
        _ => Err(error),
    })
}
