//! A progress line on standard error while workflows are read.

use indicatif::{ProgressBar, ProgressDrawTarget};
use std::time::{Duration, Instant};

/// A line on standard error that appears after a second.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    started: Instant,
}

impl Progress {
    pub fn new(wanted: bool) -> Self {
        let bar = wanted.then(|| ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()));
        Self { bar, started: Instant::now() }
    }

    pub fn show(&self, workflows: u64) {
        if let Some(bar) = self.bar.as_ref().filter(|_| self.started.elapsed() > Duration::from_secs(1)) {
            bar.set_style(indicatif::ProgressStyle::default_spinner());
            bar.set_message(format!("{workflows} workflows inspected"));
            bar.tick();
        }
    }

    pub fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
