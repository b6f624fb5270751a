//! Reads who needs what, and what Argo will collect, before an inspection that tells what is endangered. Both may be
//! anywhere, so everything is read.

use crate::cluster::client::Cluster;
use crate::cluster::gathering::Gathering;
use crate::cluster::unread::Unread;
use crate::error::Error;
use crate::files;
use crate::files::Input;
use crate::scan::cluster::everything;
use crate::scan::files::{LoadRequest, Loaded, load};
use crate::scan::gather::Scan;
use crate::scan::gathered::Gathered;
use crate::scan::request::ClusterRequest;
use crate::scan::terms::Terms;
use argo_gc_core::endangered::Endangered;
use argo_gc_core::model::context::Context;
use argo_gc_core::model::gap::Gap;
use jiff::Timestamp;
use std::sync::Arc;

const EFFECT: &str = "what needs an artifact there is unknown";

/// Who needs what, with what could not be read.
pub(crate) type Looked = (Arc<Endangered>, Vec<Gap>);

/// Reads a cluster.
///
/// # Errors
/// The workflows can't be read.
pub(crate) async fn of_cluster(
    cluster: &Cluster,
    request: &ClusterRequest,
    context: &Context,
) -> Result<Looked, Error> {
    let mut gathering = Gathering::default();
    let pins = cluster.beside(request.namespace.as_deref(), &mut gathering).await;
    let unread = pins.unread.clone();
    let terms = Arc::new(Terms { endangers: true, ..Terms::selecting_nothing(context.clone(), pins) });
    let scan = everything(cluster, request, &terms, Scan::new(Gathering::default(), unread)).await?;
    Ok(looked(scan, gathering))
}

/// Reads files. What can't be read twice, or not at all, is a gap.
pub(crate) fn of_files(request: &LoadRequest<'_>, now: Timestamp) -> Looked {
    let unread = |what: String, why: String| {
        let effect = EFFECT.to_owned();
        (Arc::default(), vec![Gap { what, why, effect }])
    };
    let inputs = files::inputs(request.paths, request.recursive).unwrap_or_default();
    if let Some(once) = inputs.iter().find(|input: &&Input| input.is_read_once()) {
        return unread(format!("{once} twice"), "it is read once; use a file".to_owned());
    }
    let read = || {
        let Loaded { context, gathering, pins, workflows, .. } = load(request, &mut std::io::empty(), now)?;
        let terms = Terms { endangers: true, ..Terms::selecting_nothing(context, pins) };
        let mut scan = Scan::new(Gathering::default(), Vec::new());
        workflows.iter().try_for_each(|text| scan.workflow(text, &terms))?;
        Ok::<_, Error>(looked(scan, gathering))
    };
    read().unwrap_or_else(|error| unread("all files".to_owned(), error.brief().to_owned()))
}

/// Puts together what the workflows showed and what was read beside them.
fn looked(scan: Scan, beside: Gathering) -> Looked {
    let Gathered { mut endangered, unread, .. } = scan.finish();
    endangered.beside(beside.references);
    (Arc::new(endangered.finish()), unread.into_iter().map(gap).collect())
}

fn gap(unread: Unread) -> Gap {
    Gap { what: unread.source.to_string(), why: unread.why, effect: EFFECT.to_owned() }
}
