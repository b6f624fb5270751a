//! What a reading of all workflows gathered.

use crate::cluster::gathering::Texts;
use crate::cluster::unread::Unread;
use crate::disk_queue::DiskQueue;
use argo_gc_core::endangered::EndangeredBuilder;
use argo_gc_core::hashes::Names;
use argo_gc_core::model::login::Logins;
use argo_gc_core::plan::decide::Selected;
use argo_gc_core::plan::guarded::Guarded;
use argo_gc_core::plan::located::AtPlace;
use argo_gc_core::plan::planned_keys::PlannedKeysBuilder;
use argo_gc_core::plan::references::{References, Released};
use argo_gc_core::plan::rules::Unwanted;
use std::collections::BTreeMap;

/// All that was gathered.
pub struct Gathered {
    pub selected: DiskQueue<Selected>,
    /// The keys of all that was selected, to search the texts for.
    pub keys: PlannedKeysBuilder,
    /// What the selected workflows give up.
    pub released: Released,
    pub references: References,
    /// The texts of all that is running or yet to run.
    pub texts: Texts,
    /// Names and UIDs of all workflows.
    pub names: Names,
    /// Artifacts at the place that is asked about.
    pub at_place: AtPlace,
    /// By what artifacts are endangered.
    pub endangered: EndangeredBuilder,
    /// Folders of those that are not over, or pinned, and of runs of Kubeflow Pipelines.
    pub guarded: Guarded,
    /// Artifacts of the selected workflows that are not asked for, by why.
    pub unwanted: BTreeMap<Unwanted, u64>,
    pub unread: Vec<Unread>,
    /// The accounts that the selected workflows name for their buckets, if these were asked for.
    pub logins: Logins,
}
