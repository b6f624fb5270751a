//! Which workflows to read, and from where, in plain data.

use crate::cluster::argo_server::archive::Rows;
use crate::cluster::controllers::ControllerQuery;
use crate::cluster::pages::{Missing, PageQuery};
use crate::files::Input;
use crate::scan::selection::Selection;
use argo_gc_core::argo::version::Version;
use argo_gc_core::endangered::Endangered;
use std::sync::Arc;

/// Which workflows of a cluster to read.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClusterRequest {
    /// One namespace, or (none) all.
    pub namespace: Option<String>,
    /// Reads these workflows by namespace and name instead of a list.
    pub names: Vec<(String, String)>,
    pub label_selector: Option<String>,
    pub field_selector: Option<String>,
    /// Objects a page; 0 for all at once.
    pub chunk_size: u32,
    /// Conditions that the servers can't apply.
    pub selection: Selection,
    /// The controller's version, if the user named it.
    pub argo_version: Option<Version>,
    /// The controllers' namespace, if the user named it.
    pub controller_namespace: Option<String>,
}

impl ClusterRequest {
    /// The pages of live workflows. Names that don't exist go into `missing`, if there is one.
    pub fn pages(&self, missing: Option<Missing>) -> PageQuery {
        PageQuery {
            namespace: self.namespace.clone(),
            names: self.names.clone(),
            label_selector: self.label_selector.clone(),
            field_selector: self.field_selector.clone(),
            chunk_size: self.chunk_size,
            missing,
        }
    }

    /// The rows of the archive: one list, or one for each name.
    pub fn rows(&self) -> Vec<Rows> {
        let rows = |name: Option<&(String, String)>| Rows {
            namespace: name.map(|(namespace, _)| namespace.clone()).or_else(|| self.namespace.clone()),
            name: name.map(|(_, name)| name.clone()),
            prefix: self.selection.prefix.clone(),
            label_selector: self.label_selector.clone(),
            chunk_size: self.chunk_size,
        };
        match &self.names[..] {
            [] => vec![rows(None)],
            names => names.iter().map(|name| rows(Some(name))).collect(),
        }
    }

    /// Which controllers are of interest.
    pub fn controllers(&self) -> ControllerQuery<'_> {
        ControllerQuery { namespace: self.namespace.as_deref(), named: self.controller_namespace.as_deref() }
    }

    /// Whether the API server leaves out workflows of the namespace.
    pub fn is_narrowed(&self) -> bool {
        self.label_selector.is_some() || self.field_selector.is_some()
    }
}

/// Which workflows of files to read.
#[derive(Debug, Clone, Default)]
pub(crate) struct FilesRequest {
    pub inputs: Vec<Input>,
    pub selection: Selection,
    /// The controller's version, if the user named it.
    pub argo_version: Option<Version>,
    /// The controllers' namespace, if the user named it.
    pub controller_namespace: Option<String>,
    /// By what artifacts are endangered, if that is asked.
    pub endangered: Option<Arc<Endangered>>,
    /// Whether workflows of a pipe wait until it is read to its end, so that objects that come after them count.
    pub holds_pipes: bool,
}
