//! Limits the requests to storage: fewer at a time if the storage is overloaded, and slowly more again when it answers
//! well.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// A limit on requests in flight, and optionally on requests per second.
#[derive(Debug, Clone)]
pub struct Throttle(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    permits: Arc<Semaphore>,
    /// Number of permits that exist.
    limit: AtomicUsize,
    most: usize,
    /// Number of successful requests since the limit last changed.
    well: AtomicUsize,
    pace: Option<Pace>,
}

/// The times at which requests may begin.
#[derive(Debug)]
struct Pace {
    period: Duration,
    next: Mutex<Instant>,
}

impl Throttle {
    /// Allows at most `concurrency` requests in flight and `qps` requests per second.
    pub fn new(concurrency: usize, qps: Option<u32>) -> Self {
        let most = concurrency.clamp(1, Semaphore::MAX_PERMITS);
        let pace = qps
            .filter(|qps| *qps > 0)
            .map(|qps| Pace { period: Duration::from_secs(1) / qps, next: Mutex::new(Instant::now()) });
        let (permits, limit) = (Arc::new(Semaphore::new(most)), AtomicUsize::new(most));
        Self(Arc::new(Inner { permits, limit, most, well: AtomicUsize::new(0), pace }))
    }

    /// Waits for a turn; none after [`Self::close`].
    pub async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        let permit = Arc::clone(&self.0.permits).acquire_owned().await.ok()?;
        if let Some(pace) = &self.0.pace {
            tokio::time::sleep_until(pace.slot(Instant::now())).await;
        }
        Some(permit)
    }

    /// Halves the limit, because the storage is overloaded.
    pub fn slow_down(&self) {
        let inner = &self.0;
        let halve = |limit: usize| (limit > 1).then(|| limit - limit / 2);
        inner.well.store(0, Ordering::Relaxed);
        if let Ok(before) = inner.limit.fetch_update(Ordering::Relaxed, Ordering::Relaxed, halve) {
            // Only free permits can be removed; those of requests in flight can't.
            let taken = inner.permits.forget_permits(before / 2);
            inner.limit.fetch_add(before / 2 - taken, Ordering::Relaxed);
        }
    }

    /// Counts a successful request. After as many of them as the limit is, the limit grows by one.
    pub fn went_well(&self) {
        let inner = &self.0;
        let limit = inner.limit.load(Ordering::Relaxed);
        if limit < inner.most && inner.well.fetch_add(1, Ordering::Relaxed) >= limit {
            inner.well.store(0, Ordering::Relaxed);
            inner.limit.fetch_add(1, Ordering::Relaxed);
            inner.permits.add_permits(1);
        }
    }

    /// Lets no further request start.
    pub fn close(&self) {
        self.0.permits.close();
    }

    /// The number of requests that may be in flight now.
    pub fn limit(&self) -> usize {
        self.0.limit.load(Ordering::Relaxed)
    }
}

impl Pace {
    /// The time at which the next request may begin. Slots that nobody took are not made up for.
    fn slot(&self, now: Instant) -> Instant {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = (*next).max(now);
        *next = slot + self.period;
        slot
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn backs_off_and_recovers_within_its_bounds() {
        let throttle = Throttle::new(8, None);
        throttle.slow_down();
        assert_eq!(throttle.limit(), 4);
        (0..10).for_each(|_| throttle.slow_down());
        assert_eq!(throttle.limit(), 1);
        (0..1000).for_each(|_| throttle.went_well());
        assert_eq!(throttle.limit(), 8);
        let turns: Vec<_> = futures::future::join_all((0..8).map(|_| throttle.turn())).await;
        assert!(turns.iter().all(Option::is_some));
        assert_eq!(throttle.0.permits.available_permits(), 0);
    }

    #[tokio::test]
    async fn every_number_of_requests_is_a_pace() {
        for qps in [1, 999, 1_000_000_000, 1_000_000_001, u32::MAX] {
            let throttle = Throttle::new(usize::MAX, Some(qps));
            assert!(throttle.turn().await.is_some(), "{qps}");
        }
        assert!(Throttle::new(0, Some(0)).turn().await.is_some());
    }

    #[test]
    fn a_pace_is_kept_below_a_millisecond_too_and_nothing_is_made_up_for() {
        let start = Instant::now();
        let pace = Pace { period: Duration::from_micros(200), next: Mutex::new(start) };
        let slots: Vec<_> = (0..5).map(|_| (pace.slot(start) - start).as_micros()).collect();
        assert_eq!(slots, [0, 200, 400, 600, 800]);
        let later = start + Duration::from_secs(1);
        assert_eq!([pace.slot(later), pace.slot(later)], [later, later + Duration::from_micros(200)]);
    }

    #[tokio::test]
    async fn gives_no_turn_once_closed() {
        let throttle = Throttle::new(1, None);
        throttle.close();
        assert!(throttle.turn().await.is_none());
    }
}
