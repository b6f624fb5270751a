//! What distinguishes one storage API from another.

use crate::http::{Request, address};
use crate::types::StoreError;
use argo_gc_core::model::object::ObjectFacts;

/// What an answer means, in words all storages share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Yes,
    NoObject,
    NoBucket,
    /// The pin did not hold.
    Changed,
    /// A hold, a lease or retention forbids it.
    Held,
    Denied,
    /// Asked to come slower; nothing was done.
    Busy,
    /// It failed, perhaps after it was done.
    Failing,
    Refused,
}

/// What of a bucket is listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum ListKind {
    /// The objects themselves.
    #[default]
    Live,
    /// What it keeps of those that were overwritten or deleted.
    Noncurrent,
    /// What it keeps of deleted ones for a while.
    SoftDeleted,
}

/// Part of a bucket's keys, in their order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Range {
    pub prefix: String,
    /// Only keys after this one; GCS begins with it. It has the prefix: of one that comes before it older MinIO and
    /// SeaweedFS (#11321) make an empty listing.
    pub after: Option<String>,
    /// Objects a page, where the storage's own measure is too much.
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
    /// Of the next page; a storage may leave it out though there is one.
    pub token: Option<String>,
    /// There are more, though this page may be empty.
    pub more: bool,
    /// What it leaves out isn't there. Relatives of S3 have orders (SeaweedFS, Storj, VersityGW #1283) and encodings of
    /// their own, and what they leave out has to be looked for.
    pub is_sure: bool,
}

pub(crate) fn unreadable(what: String, why: &str) -> StoreError {
    StoreError::Unreadable { what, why: why.to_owned() }
}

/// Makes a request that can be signed of a call.
pub(crate) fn signable(call: &Request) -> Result<object_store::client::HttpRequest, String> {
    let mut request = http::Request::builder().method(call.method.clone()).uri(call.full_url());
    for (name, value) in &call.headers {
        request = request.header(*name, value);
    }
    request.body(object_store::client::HttpRequestBody::empty()).map_err(|error| error.to_string())
}

/// Makes a request that can be sent of a signed one.
pub(crate) fn sendable(request: object_store::client::HttpRequest) -> Result<reqwest::Request, String> {
    let (parts, _) = request.into_parts();
    let mut request = reqwest::Request::new(parts.method, address(&parts.uri.to_string())?);
    *request.headers_mut() = parts.headers;
    Ok(request)
}
