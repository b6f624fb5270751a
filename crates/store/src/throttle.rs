//! Limits the requests to storage: fewer at a time if the storage is overloaded, and slowly more again when it answers
//! well.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Interval, MissedTickBehavior};

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
    ticks: Option<Mutex<Interval>>,
}

impl Throttle {
    /// Allows at most `concurrency` requests in flight and `qps` requests per second.
    pub fn new(concurrency: usize, qps: Option<u32>) -> Self {
        let most = concurrency.max(1);
        let ticks = qps.filter(|qps| *qps > 0).map(|qps| {
            let mut ticks = tokio::time::interval(Duration::from_secs(1) / qps);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            Mutex::new(ticks)
        });
        let (permits, limit) = (Arc::new(Semaphore::new(most)), AtomicUsize::new(most));
        Self(Arc::new(Inner { permits, limit, most, well: AtomicUsize::new(0), ticks }))
    }

    /// Waits for a turn; none after [`Self::close`].
    pub async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        let permit = Arc::clone(&self.0.permits).acquire_owned().await.ok()?;
        if let Some(ticks) = &self.0.ticks {
            ticks.lock().await.tick().await;
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
    async fn gives_no_turn_once_closed() {
        let throttle = Throttle::new(1, None);
        throttle.close();
        assert!(throttle.turn().await.is_none());
    }
}
