//! Ctrl-C: the first one ends the run after the requests in flight, the second one at once.

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the user asked to stop.
#[derive(Debug, Default)]
pub struct Stop {
    pub(crate) guarded: AtomicBool,
    pub(crate) asked: AtomicBool,
}

impl Stop {
    /// From now on the first interrupt only asks: what is in flight is finished first.
    pub fn guard(&self) {
        self.guarded.store(true, Ordering::SeqCst);
    }

    /// An interrupt came. False when the process is to end at once.
    pub fn ask(&self) -> bool {
        self.guarded.load(Ordering::SeqCst) && !self.asked.swap(true, Ordering::SeqCst)
    }

    /// Whether nothing more is to be started.
    pub fn is_asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }
}
