//! Notices that a storage has stopped answering, so that a run of many requests ends within minutes.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// After so long without a good answer the storage is given up.
const LONG: Duration = Duration::from_secs(90);

/// A storage that was given up is tried again after this time.
const REST: Duration = Duration::from_secs(60);

/// The tries since the last good answer of a storage.
#[derive(Debug, Default)]
pub(crate) struct Outage(Mutex<Option<Failures>>);

/// The first and the last of them.
#[derive(Debug)]
struct Failures {
    first: Instant,
    last: Instant,
    why: String,
}

impl Outage {
    /// Notes that a try failed or had no answer.
    pub fn failed(&self, why: &str, now: Instant) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = failures.as_ref().map_or(now, |failures| failures.first);
        *failures = Some(Failures { first, last: now, why: why.to_owned() });
    }

    /// Notes that the storage answered well.
    pub fn ended(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Why nothing should be asked now: the storage has failed for long, and did so just now.
    pub fn lasts(&self, now: Instant) -> Option<String> {
        let failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Failures { first, last, why } = failures.as_ref()?;
        let lasts = last.duration_since(*first) >= LONG && now.saturating_duration_since(*last) < REST;
        lasts.then(|| format!("{why}; it has failed for {} seconds", last.duration_since(*first).as_secs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storage_is_given_up_only_after_long_and_for_a_while() {
        let (outage, begin) = (Outage::default(), Instant::now());
        let at = |seconds| begin + Duration::from_secs(seconds);
        outage.failed("no answer", at(0));
        outage.failed("no answer", at(80));
        assert_eq!(outage.lasts(at(81)), None);
        outage.failed("timed out", at(90));
        assert_eq!(outage.lasts(at(91)).as_deref(), Some("timed out; it has failed for 90 seconds"));
        // It is tried again later, and given up again at once if that fails too.
        assert_eq!(outage.lasts(at(150)), None);
        outage.failed("timed out", at(180));
        assert!(outage.lasts(at(181)).is_some());
        outage.ended();
        assert_eq!(outage.lasts(at(182)), None);
        // One failure, and another long after it without any request between them.
        outage.failed("reset", at(200));
        assert_eq!(outage.lasts(at(900)), None);
    }
}
