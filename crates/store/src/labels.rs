//! The labels of objects: what an engine can say of an object beside its content, and without another pin.

use crate::http::{Request, Response};

/// The name of the mark among an object's metadata or tags.
pub const NAME: &str = "argo-gc-quarantine";

/// The labels of an object, as names and values: its metadata, or its tags.
pub(crate) type Labels = Vec<(String, String)>;

/// The requests that mark objects, where the engine can mark an object without another pin.
pub(crate) trait Marks: Send + Sync {
    /// Asks for the labels of an object.
    fn ask(&self, key: &str) -> Request;

    /// Reads the answer to [`Self::ask`].
    ///
    /// # Errors
    /// It is not the answer of a server that knows labels.
    fn read(&self, answer: &Response) -> Result<Labels, String>;

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
