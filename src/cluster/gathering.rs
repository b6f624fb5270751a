//! What is gathered of everything that may refer to artifacts: the locations that it names exactly, and the texts of
//! all that is running or yet to run, which may name an object in any way.

use crate::disk_queue::DiskQueue;
use crate::error::Error;
use argo_gc_core::plan::named::Named;
use argo_gc_core::plan::planned_keys::PlannedKeys;
use argo_gc_core::plan::references::{ReferencesBuilder, Referrer};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// References and texts.
#[derive(Default)]
pub struct Gathering {
    pub references: ReferencesBuilder,
    pub texts: Texts,
}

/// The text of an object.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReferrerText {
    /// The referrer's name for users.
    pub name: String,
    /// The UID if it is a workflow, else empty.
    pub uid: String,
    pub text: String,
}

/// Texts that wait on disk until it is known what to look for.
#[derive(Default)]
pub struct Texts(DiskQueue<ReferrerText>);

impl Texts {
    /// Puts a text aside.
    ///
    /// # Errors
    /// There is no room for temporary files.
    pub fn push(&mut self, text: &ReferrerText) -> Result<(), Error> {
        self.0.push(text)
    }

    /// Searches all texts for these keys.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn search(self, keys: PlannedKeys) -> Result<Named, Error> {
        let nothing = keys.is_empty();
        let mut named = Named::new(Arc::new(keys));
        if nothing {
            return Ok(named);
        }
        for text in self.each()? {
            let ReferrerText { name, uid, text } = text?;
            named.search(&Referrer { name, uid }, &text);
        }
        Ok(named)
    }

    /// Reads all texts.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn each(self) -> Result<impl Iterator<Item = Result<ReferrerText, Error>>, Error> {
        self.0.into_values()
    }
}
