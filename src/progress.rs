//! What a run is doing and how far it is. Whoever works tells it; whoever shows it looks from time to time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What takes its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doing {
    ReadingWorkflows,
    ReadingArchive,
    /// Looking for the objects of workflows.
    Looking,
    /// Listing what is below a location.
    Listing(String),
    ReadingInventory,
    Deleting,
    ReadingMarks,
    Marking,
    BringingBack,
}

/// How far something is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    pub doing: Doing,
    /// Workflows, objects or rows that are done.
    pub done: u64,
    /// How many there are in all, if that is known.
    pub of: Option<u64>,
    /// Bytes that are done, and all of them.
    pub bytes: Option<(u64, u64)>,
    pub elapsed: Duration,
}

/// What is under way: a stage, and within it perhaps others.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<Mutex<Stages>>);

#[derive(Debug, Default)]
struct Stages {
    /// The numbers of stages that were begun.
    begun: u64,
    open: Vec<(u64, Instant, State)>,
}

impl Progress {
    /// Begins a stage, which lasts until it is dropped.
    pub fn begin(&self, doing: Doing, of: Option<u64>) -> Stage {
        let mut stages = self.lock();
        stages.begun += 1;
        let number = stages.begun;
        let state = State { doing, done: 0, of, bytes: None, elapsed: Duration::ZERO };
        stages.open.push((number, Instant::now(), state));
        Stage { progress: self.clone(), number }
    }

    /// The innermost stage under way.
    pub fn now(&self) -> Option<State> {
        let stages = self.lock();
        let (_, began, state) = stages.open.last()?;
        Some(State { elapsed: began.elapsed(), ..state.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, Stages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stage under way.
#[derive(Debug)]
pub struct Stage {
    progress: Progress,
    number: u64,
}

impl Stage {
    /// So many more are done.
    pub fn add(&self, more: u64) {
        self.change(|state| state.done += more);
    }

    /// From here on so many are still to come.
    pub fn remain(&self, remaining: u64) {
        self.change(|state| state.of = Some(state.done + remaining));
    }

    /// Bytes are counted too: there are so many.
    pub fn weigh(&self, bytes: u64) {
        self.change(|state| state.bytes = Some((0, bytes)));
    }

    /// One more is done, of so many bytes.
    pub fn add_one(&self, size: u64) {
        self.change(|state| {
            state.done += 1;
            if let Some((done, _)) = &mut state.bytes {
                *done += size;
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut stages = self.progress.lock();
        if let Some((.., state)) = stages.open.iter_mut().find(|(number, ..)| *number == self.number) {
            change(state);
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.progress.lock().open.retain(|(number, ..)| *number != self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_stage_is_shown_until_it_ends() {
        let progress = Progress::default();
        let now = |progress: &Progress| progress.now().map(|state| (state.doing, state.done, state.of));
        assert_eq!(now(&progress), None);
        let outer = progress.begin(Doing::Looking, Some(3));
        outer.add(1);
        let inner = progress.begin(Doing::ReadingWorkflows, None);
        inner.add(500);
        inner.remain(700);
        outer.add(1);
        assert_eq!(now(&progress), Some((Doing::ReadingWorkflows, 500, Some(1200))));
        drop(inner);
        assert_eq!(now(&progress), Some((Doing::Looking, 2, Some(3))));
        let deleting = progress.begin(Doing::Deleting, Some(2));
        deleting.weigh(30);
        deleting.add_one(10);
        drop(outer);
        assert_eq!(progress.now().and_then(|state| state.bytes), Some((10, 30)));
        drop(deleting);
        assert_eq!(now(&progress), None);
    }
}
