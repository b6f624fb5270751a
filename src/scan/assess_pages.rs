//! Decodes and assesses pages of workflows on other threads.

use crate::cluster::argo_server::{ArgoServer, WHOLE};
use crate::cluster::pages::Body;
use crate::error::Error;
use crate::scan::check::check;
use crate::scan::selection::Selection;
use argo_gc_core::argo::list::{Item, Malformed, decode, object};
use argo_gc_core::argo::workflow::Workflow;
use argo_gc_core::assess::assess;
use argo_gc_core::model::assessment::{ArtifactReport, Assessment};
use argo_gc_core::model::context::Context;
use argo_gc_core::model::gap::Gap;
use argo_gc_store::store::Store;
use futures::stream;
use futures::stream::StreamExt;
use std::sync::Arc;

/// What every workflow is looked at with.
#[derive(Clone)]
pub(crate) struct Assessor {
    pub context: Arc<Context>,
    pub selection: Arc<Selection>,
    /// Whether an artifact is needed by itself; the others are only counted.
    pub(crate) needs: Arc<dyn Fn(&ArtifactReport) -> bool + Send + Sync>,
    pub(crate) store: Option<Store>,
}

impl Assessor {
    /// Assesses a workflow; what nobody wants to see is only counted.
    pub fn assess(&self, workflow: &mut Workflow) -> Assessment {
        let mut assessment = assess(workflow, &self.context);
        // What storage tells may make a problem of anything.
        if self.store.is_none() {
            assessment.set_aside(|artifact| (self.needs)(artifact));
        }
        assessment
    }

    /// Asks storage about assessments, with --check.
    pub async fn check(&self, mut found: Vec<&mut Assessment>) -> Vec<Gap> {
        let Some(store) = &self.store else { return Vec::new() };
        let gaps = check(&mut found, store).await;
        for assessment in found {
            assessment.set_aside(|artifact| (self.needs)(artifact));
        }
        gaps
    }
}

pub(crate) type Assessed = Result<Assessment, Malformed>;

/// What became of a page's workflows.
#[derive(Default)]
pub(crate) struct Page {
    pub(crate) items: Vec<Assessed>,
    /// UIDs of those the selection does not take.
    pub(crate) passed_over: Vec<String>,
    pub(crate) gaps: Vec<Gap>,
}

/// A workflow of a page; one whose nodes are yet to be asked for is the error.
pub(crate) type Found = Result<Assessed, Box<Workflow>>;

/// Decodes a body and assesses what the selection takes; nodes that aren't there are asked for.
pub(crate) async fn assessed(
    body: Body,
    look: &Assessor,
    server: Option<&ArgoServer>,
) -> Result<Page, Error> {
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
async fn hydrated(
    mut workflow: Box<Workflow>,
    look: &Assessor,
    server: &ArgoServer,
) -> (Assessed, Option<Gap>) {
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
pub(crate) fn page(body: &Body, look: &Assessor, hydrates: bool) -> Result<(Vec<Found>, Vec<String>), Error> {
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
