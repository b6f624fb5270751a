//! Visits pages of live workflows: several pages at a time, in their order. Nodes that the controller keeps in its database
//! come from the Argo server.

use crate::cluster::argo_server::{ArgoServer, WHOLE, Whole};
use crate::cluster::pages::Body;
use crate::error::Error;
use crate::scan::visitor::{Found, Visitor, on_thread};
use argo_gc_core::argo::list::{Item, decode, object};
use argo_gc_core::argo::workflow::Workflow;
use futures::stream;
use futures::stream::{Stream, StreamExt, TryStreamExt};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::sync::Arc;

/// Pages decoded at a time: one is decoded while the results of the other are used.
pub(crate) const DECODERS: usize = 2;

/// A run of workflows of a page, in its order.
enum Piece<P> {
    Visited(P),
    /// A workflow whose nodes are yet to be asked for, and its text if that is needed.
    Offloaded(Box<Workflow>, Option<String>),
}

/// Visits the workflows of all bodies. Gives the parts of each body, in order.
pub(crate) fn parts<'a, V: Visitor>(
    bodies: impl Stream<Item = Result<Body, Error>> + 'a,
    visitor: &'a Arc<V>,
    server: Option<&'a ArgoServer>,
) -> impl Stream<Item = Result<Vec<V::Part>, Error>> + 'a {
    bodies.map(move |body| async move { page(body?, visitor, server).await }).buffered(DECODERS)
}

/// Visits the workflows of one body, in parts.
pub(crate) async fn page<V: Visitor>(
    body: Body,
    visitor: &Arc<V>,
    server: Option<&ArgoServer>,
) -> Result<Vec<V::Part>, Error> {
    let asks = server.is_some();
    let pieces = on_thread(visitor, move |visitor| visited(&body, visitor, asks)).await??;
    let parts = stream::iter(pieces).map(|piece| async move {
        match piece {
            Piece::Visited(part) => Ok(part),
            Piece::Offloaded(workflow, text) => hydrated(workflow, text, visitor, server).await,
        }
    });
    parts.buffered(WHOLE).try_collect().await
}

/// Decodes a body and visits its workflows, except those whose nodes the Argo server has to give.
fn visited<V: Visitor>(body: &Body, visitor: &V, asks: bool) -> Result<Vec<Piece<V::Part>>, Error> {
    #[derive(Deserialize)]
    struct List<'a> {
        #[serde(borrow)]
        items: Vec<&'a RawValue>,
    }
    let mut pieces = Vec::new();
    let mut part: Option<V::Part> = None;
    let mut take = |item: Item<Workflow>, text: Option<&str>| match item {
        Item::Object(workflow) if asks && workflow.is_offloaded() && visitor.needs_nodes(&workflow) => {
            pieces.extend(part.take().map(Piece::Visited));
            pieces.push(Piece::Offloaded(workflow, text.map(str::to_owned)));
        }
        Item::Object(workflow) => {
            let texts: &[&str] = text.as_slice();
            visitor.workflow(Found::new(workflow, texts), part.get_or_insert_default());
        }
        Item::Malformed(malformed) => visitor.malformed(malformed, part.get_or_insert_default()),
    };
    let unreadable = |error: serde_json::Error| Error::new(format!("reading a page of workflows: {error}"));
    match body {
        Body::Page(bytes) if V::NEEDS_TEXT => {
            let list: List<'_> = serde_json::from_slice(bytes).map_err(unreadable)?;
            list.items.iter().for_each(|item| take(object(item.get()), Some(item.get())));
        }
        Body::Page(bytes) => decode(bytes, |item| take(item, None)).map_err(unreadable)?,
        Body::One(bytes) => {
            let text = String::from_utf8_lossy(bytes);
            take(object(&text), V::NEEDS_TEXT.then_some(&*text));
        }
    }
    pieces.extend(part.map(Piece::Visited));
    Ok(pieces)
}

/// Visits a workflow with the nodes that the Argo server gives.
async fn hydrated<V: Visitor>(
    mut workflow: Box<Workflow>,
    text: Option<String>,
    visitor: &Arc<V>,
    server: Option<&ArgoServer>,
) -> Result<V::Part, Error> {
    let mut answer = None;
    let mut no_nodes = None;
    if let Some(server) = server {
        match server.hydrated(&workflow).await {
            Ok(Whole { workflow: with_nodes, text }) => {
                workflow.status.nodes = with_nodes.status.nodes;
                answer = V::NEEDS_TEXT.then_some(text);
            }
            Err(error) => no_nodes = Some(error.brief().to_owned()),
        }
    }
    on_thread(visitor, move |visitor| {
        let answer = answer.as_deref().map(String::from_utf8_lossy);
        let texts: Vec<&str> = text.as_deref().into_iter().chain(answer.as_deref()).collect();
        let mut part = V::Part::default();
        visitor.workflow(Found { no_nodes: no_nodes.as_deref(), ..Found::new(workflow, &texts) }, &mut part);
        part
    })
    .await
}
