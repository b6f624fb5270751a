//! Assesses live workflows page by page, and hands each on once, in order.

use crate::cluster::accounts::{Accounts, unreviewed};
use crate::cluster::argo_server::{ArgoServer, KnownWorkflow};
use crate::cluster::pages::Body;
use crate::error::Error;
use crate::scan::check::check;
use crate::scan::identities::WorkflowIdentities;
use crate::scan::pages::{DECODERS, parts};
use crate::scan::selection::{Seen, Selection};
use crate::scan::visitor::{Found, Visitor};
use argo_gc_core::argo::list::Malformed;
use argo_gc_core::argo::related::ConfigMap;
use argo_gc_core::argo::workflow::{Workflow, WorkflowSpec};
use argo_gc_core::assess::assess;
use argo_gc_core::endangered::Endangered;
use argo_gc_core::model::assessment::{ArtifactReport, Assessment};
use argo_gc_core::model::context::Context;
use argo_gc_core::model::gap::Gap;
use argo_gc_store::store::Store;
use futures::stream::{Stream, StreamExt};
use std::sync::Arc;

/// How many workflows are compared to make sure that the Argo server belongs to the cluster.
const KNOWN: usize = 3;

/// A workflow with its assessment.
pub(crate) struct Assessed {
    pub assessment: Assessment,
    /// The workflow without its nodes and its spec, if the reader asked for it.
    pub workflow: Option<Box<Workflow>>,
}

/// Takes what was read, in order.
pub(crate) trait Sink {
    /// Takes a workflow. It is not handed on again, even if the list started over.
    ///
    /// # Errors
    /// The output can't be written.
    fn assessed(&mut self, assessed: Assessed, context: &Context) -> Result<(), Error>;

    /// Takes a record that can't be read.
    fn malformed(&mut self, what: String, why: String);

    /// Takes what else could not be read.
    fn gaps(&mut self, gaps: Vec<Gap>);

    /// Takes a ConfigMap of a file, whatever it is for.
    fn config_map(&mut self, _config: &ConfigMap) {}

    /// Hears how many workflows a page had.
    fn looked_at(&mut self, _workflows: u64) {}
}

/// Assesses workflows.
pub(crate) struct Assessor {
    pub context: Arc<Context>,
    pub selection: Selection,
    /// Whether an artifact is needed by itself; the others are only counted.
    pub needs: Box<dyn Fn(&ArtifactReport) -> bool + Send + Sync>,
    /// The storage that is asked for the artifacts, with `--check`.
    pub store: Option<Store>,
    /// Whether artifacts that nobody needs are only counted. What storage shows later may make a problem of anything.
    pub sets_aside: bool,
    /// The accounts that workflows name for their buckets, if these are to be used.
    pub identities: Option<Arc<WorkflowIdentities>>,
    /// By what artifacts are endangered, if that is asked.
    pub endangered: Option<Arc<Endangered>>,
    /// Tells of the service accounts of GC pods that are still to come, if the verdicts are to consider them.
    pub accounts: Option<Accounts>,
    /// Whether [`Assessed::workflow`] is needed.
    pub keeps_workflows: bool,
}

/// What became of a page's workflows.
#[derive(Default)]
pub(crate) struct AssessedPage {
    pub items: Vec<Result<Assessed, Malformed>>,
    /// UIDs of those the selection does not take.
    pub passed_over: Vec<String>,
    pub gaps: Vec<Gap>,
}

impl Visitor for Assessor {
    type Part = AssessedPage;

    const NEEDS_TEXT: bool = false;

    fn needs_nodes(&self, workflow: &Workflow) -> bool {
        self.selection.takes(workflow)
    }

    fn workflow(&self, found: Found<'_>, page: &mut AssessedPage) {
        let Found { mut workflow, no_nodes, .. } = found;
        if !self.selection.takes(&workflow) {
            page.passed_over.push(workflow.metadata.uid);
            return;
        }
        page.gaps.extend(no_nodes.map(|why| Gap {
            what: format!("the nodes of workflow {}/{}", workflow.metadata.namespace, workflow.metadata.name),
            why: why.to_owned(),
            effect: "its artifacts are unknown".to_owned(),
        }));
        let mut assessment = assess(&mut workflow, &self.context);
        if let Some(endangered) = &self.endangered {
            endangered.mark(&mut assessment);
        }
        // What storage or an account shows may make a problem of anything.
        if self.sets_aside && self.store.is_none() && self.accounts.is_none() {
            assessment.set_aside(|artifact| (self.needs)(artifact));
        }
        let workflow = self.keeps_workflows.then(|| without_contents(workflow));
        page.items.push(Ok(Assessed { assessment, workflow }));
    }

    fn malformed(&self, malformed: Malformed, page: &mut AssessedPage) {
        page.items.push(Err(malformed));
    }
}

/// Drops what makes a workflow large.
pub(crate) fn without_contents(mut workflow: Box<Workflow>) -> Box<Workflow> {
    workflow.spec = WorkflowSpec::default();
    let status = &mut workflow.status;
    status.nodes.clear();
    status.stored_templates.clear();
    status.stored_workflow_template_spec = None;
    workflow
}

impl Assessor {
    /// Joins the parts of a page, and asks about accounts and, with `--check`, storage.
    pub async fn checked(&self, parts: Vec<AssessedPage>) -> AssessedPage {
        let mut page = AssessedPage::default();
        for part in parts {
            page.items.extend(part.items);
            page.passed_over.extend(part.passed_over);
            page.gaps.extend(part.gaps);
        }
        if self.store.is_none() && self.accounts.is_none() {
            return page;
        }
        let items = page.items.iter_mut().filter_map(|item| item.as_mut().ok());
        let mut found: Vec<&mut Assessment> = items.map(|assessed| &mut assessed.assessment).collect();
        if let Some(accounts) = &self.accounts {
            let awaited = found.iter().flat_map(|assessment| assessment.awaited_accounts()).collect();
            let standings = accounts.standings(&awaited).await;
            for assessment in &mut found {
                assessment.foresee(|account| standings.get(account).cloned());
            }
            page.gaps.extend(unreviewed(&standings));
        }
        if let Some(store) = &self.store {
            page.gaps.extend(check(&mut found, store, self.identities.as_deref()).await);
        }
        if self.sets_aside {
            found.into_iter().for_each(|assessment| assessment.set_aside(|artifact| (self.needs)(artifact)));
        }
        page
    }
}

/// The live workflows that were read. A list that expired starts over, and no workflow may count twice.
#[derive(Default)]
pub(crate) struct Live {
    seen: Seen,
    /// Workflows that the selection does not take, so that the archive does not show them either.
    passed_over: Seen,
    /// Some workflows, by which the Argo server is compared with the cluster.
    pub known: Vec<KnownWorkflow>,
    /// Whether an archive is read afterwards.
    remembers: bool,
}

impl Live {
    /// Whether a workflow was read. It counts as read from now on.
    pub fn has(&mut self, uid: &str) -> bool {
        !self.seen.is_new(uid) || !self.passed_over.is_new(uid)
    }

    fn take(&mut self, page: AssessedPage, context: &Context, sink: &mut dyn Sink) -> Result<(), Error> {
        sink.gaps(page.gaps);
        let looked_at = page.items.len() as u64;
        for item in page.items {
            match item {
                Ok(assessed) if self.seen.is_new(&assessed.assessment.uid) => {
                    if self.remembers && self.known.len() < KNOWN {
                        let Assessment { namespace, name, uid, .. } = &assessed.assessment;
                        self.known.push(KnownWorkflow {
                            namespace: namespace.clone(),
                            name: name.clone(),
                            uid: uid.clone(),
                        });
                    }
                    sink.assessed(assessed, context)?;
                }
                Err(bad) if !self.seen.is_new(bad.known_name()) => {}
                Ok(_) => {}
                Err(Malformed { name, error }) => sink.malformed(format!("workflow {name}"), error),
            }
        }
        if self.remembers {
            for uid in &page.passed_over {
                self.passed_over.is_new(uid);
            }
        }
        sink.looked_at(looked_at);
        Ok(())
    }
}

/// Reads the workflows of all bodies. With an Argo server it gives their nodes, and the result is remembered for the
/// archive.
///
/// # Errors
/// The cluster can't be read, or the output not be written.
pub(crate) async fn live(
    bodies: impl Stream<Item = Result<Body, Error>>,
    assessor: &Arc<Assessor>,
    server: Option<&ArgoServer>,
    sink: &mut dyn Sink,
) -> Result<Live, Error> {
    let pages = parts(bodies, assessor, server)
        .map(|page| async move { Ok::<_, Error>(assessor.checked(page?).await) })
        .buffered(DECODERS);
    let mut pages = std::pin::pin!(pages);
    let mut live = Live { remembers: server.is_some(), ..Live::default() };
    while let Some(page) = pages.next().await {
        live.take(page?, &assessor.context, sink)?;
    }
    Ok(live)
}
