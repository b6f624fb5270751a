//! What is made of each workflow that is read, on threads that may take their time.

use crate::error::Error;
use argo_gc_core::argo::list::Malformed;
use argo_gc_core::argo::workflow::Workflow;
use std::sync::Arc;

/// A workflow that was read.
pub(crate) struct Found<'a> {
    pub workflow: Box<Workflow>,
    /// The JSON that it was read from, then the Argo server's answer if that gave the nodes. Empty if the visitor needs
    /// no text.
    pub texts: &'a [&'a str],
    /// Why the Argo server did not give the nodes; none if it gave them or was not asked.
    pub no_nodes: Option<&'a str>,
    /// Whether it is a record of the archive, and the workflow is live too.
    pub also_live: bool,
}

impl<'a> Found<'a> {
    /// A workflow of a cluster or a file, with its text if the visitor needs it.
    pub fn new(workflow: Box<Workflow>, texts: &'a [&'a str]) -> Self {
        Self { workflow, texts, no_nodes: None, also_live: false }
    }
}

/// Makes something of workflows. Pages are visited on several threads at once, so every page has a part of its own.
pub(crate) trait Visitor: Send + Sync + 'static {
    /// What is made of a page, or of some workflows of it.
    type Part: Default + Send + 'static;

    /// Whether [`Found::texts`] is needed. Without texts a page is decoded without a search for their ends.
    const NEEDS_TEXT: bool;

    /// Whether the workflow's nodes are needed, if only the Argo server can give them.
    fn needs_nodes(&self, _workflow: &Workflow) -> bool {
        true
    }

    /// Adds a workflow to a part.
    fn workflow(&self, found: Found<'_>, part: &mut Self::Part);

    /// Adds a record that can't be read.
    fn malformed(&self, malformed: Malformed, part: &mut Self::Part);
}

/// Works with a visitor on a thread that may take its time.
///
/// # Errors
/// The work panicked.
pub(crate) async fn on_thread<V: Visitor, T: Send + 'static>(
    visitor: &Arc<V>,
    work: impl FnOnce(&V) -> T + Send + 'static,
) -> Result<T, Error> {
    let visitor = Arc::clone(visitor);
    let done = tokio::task::spawn_blocking(move || work(&visitor)).await;
    done.map_err(|error| Error::new(format!("a decoder stopped: {error}")).caused_by(error))
}
