//! Ctrl-C: the first one ends the run after the requests in flight, the second one at once.

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the user asked to stop.
#[derive(Debug, Default)]
pub struct Stop {
    pub(crate) guarded: AtomicBool,
    pub(crate) asked: AtomicBool,
}

impl Stop {
    /// From now on the first interrupt only asks to stop, so that requests in flight are finished.
    pub fn guard(&self) {
        self.guarded.store(true, Ordering::SeqCst);
    }

    /// Records an interrupt. Returns false if the process must end at once.
    pub fn ask(&self) -> bool {
        self.guarded.load(Ordering::SeqCst) && !self.asked.swap(true, Ordering::SeqCst)
    }

    /// Whether no more work may be started.
    pub fn is_asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }
}
