//! What is asked of a listing, and what one page of it holds.

use argo_gc_core::model::object::ObjectFacts;

/// Which objects of a bucket are listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum ListKind {
    /// The live objects.
    #[default]
    Live,
    /// Versions that were overwritten or deleted, where the bucket keeps versions.
    Noncurrent,
    /// Deleted objects that the bucket keeps for a while.
    SoftDeleted,
}

/// A range of a bucket's keys, in key order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Range {
    pub prefix: String,
    /// Only keys after this one are listed; GCS includes the key itself. The key has the prefix: older MinIO and
    /// SeaweedFS (#11321) answer a `start-after` that sorts before the prefix with an empty listing.
    pub after: Option<String>,
    /// Objects per page, where the engine's own page size is too large.
    pub most: Option<usize>,
    pub kind: ListKind,
}

impl Range {
    pub fn of(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned(), ..Self::default() }
    }

    /// No key before this one is listed.
    pub fn beginning(&self) -> &str {
        self.after.as_deref().unwrap_or(&self.prefix)
    }
}

/// One page of a listing.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub objects: Vec<ObjectFacts>,
    /// The token of the next page; a server may leave it out although there is one.
    pub token: Option<String>,
    /// There are more objects, although this page may be empty.
    pub more: bool,
    /// A key that the page leaves out does not exist. S3-compatible servers may order and encode keys in their own
    /// way (SeaweedFS, Storj, VersityGW #1283), so keys that they leave out have to be asked for one by one.
    pub is_sure: bool,
}
