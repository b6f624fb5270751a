//! The labels of objects: what an engine can say of an object beside its content, and without another pin.

use crate::http::{Request, Response};
use std::sync::OnceLock;
use tokio::sync::OnceCell;

/// The name of the mark among an object's metadata or tags.
pub const NAME: &str = "argo-gc-quarantine";

/// Longer answers to a question for labels are not read. Ten tags of 128 and 256 characters, each escaped, take 40 KB; the 8
/// KiB of metadata that GCS allows take twice as much, if they are of the shortest names.
pub(crate) const MOST_BYTES: usize = 128 << 10;

/// The labels of an object, as names and values: its metadata, or its tags.
pub(crate) type Labels = Vec<(String, String)>;

/// Why an answer shows no labels.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoLabels {
    /// It is not the answer of a server that knows labels. That is so for every object.
    Unknown(String),
    /// It can't be read, which may be so for this object only.
    Unreadable(String),
}

/// What is known of a bucket's labels.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Set once a question for labels was answered. Until then nobody else asks, as a server that does not know labels may
    /// send the object itself.
    pub asked: OnceCell<()>,
    /// None once the server has shown the labels of an object, or why it does not know labels.
    pub why_none: OnceLock<Option<String>>,
}

impl Known {
    /// Why no object of the bucket has labels, if that is known.
    pub fn why_none(&self) -> Option<&str> {
        self.why_none.get()?.as_deref()
    }
}

/// The requests that mark objects, where the engine can mark an object without another pin.
pub(crate) trait Marks: Send + Sync {
    /// Asks for the labels of an object.
    fn ask(&self, key: &str) -> Request;

    /// Reads the answer to [`Self::ask`].
    ///
    /// # Errors
    /// It shows no labels.
    fn read(&self, answer: &Response) -> Result<Labels, NoLabels>;

    /// True if an answer other than yes says that the object has no labels.
    fn has_none(&self, _answer: &Response) -> bool {
        false
    }

    /// Sets the mark, or removes it. The other labels stay as they are.
    fn set(&self, key: &str, pin: &str, labels: &Labels, mark: Option<&str>) -> Request;

    /// How many labels an object has at the most.
    fn most(&self) -> usize {
        usize::MAX
    }

    /// True if the server refuses [`Self::set`] once the object has another pin. Otherwise the object is looked at before and
    /// after it.
    fn heeds_pin(&self) -> bool;
}

/// The labels with the mark set anew, or removed.
pub(crate) fn with(labels: &Labels, mark: Option<&str>) -> Labels {
    let others = labels.iter().filter(|(name, _)| name != NAME).cloned();
    others.chain(mark.map(|mark| (NAME.to_owned(), mark.to_owned()))).collect()
}

pub(crate) fn mark_of(labels: &Labels) -> Option<&str> {
    labels.iter().find(|(name, _)| name == NAME).map(|(_, text)| text.as_str())
}
