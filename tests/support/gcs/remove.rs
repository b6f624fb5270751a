//! DELETE, with what can go wrong.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;

use super::Gcs;
use super::answer::{Outcome, Refusal};
use super::call::Call;
use super::state::number;
use super::store::Inner;

/// Counts a DELETE while it is under way.
struct UnderWay<'a>(&'a Inner);

impl<'a> UnderWay<'a> {
    fn new(inner: &'a Inner) -> Self {
        let mut state = inner.state();
        state.at_once += 1;
        state.most_at_once = state.most_at_once.max(state.at_once);
        drop(state);
        Self(inner)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.state().at_once -= 1;
    }
}

impl Inner {
    /// The answer to a DELETE, and whether an object was deleted.
    pub async fn delete(self: &Arc<Self>, call: &Call, bucket: &str, key: &str) -> (Outcome, bool) {
        let _under_way = UnderWay::new(self);
        let due = self.state().faults.next();
        if let Some(time) = due.stall {
            tokio::time::sleep(time).await;
        }
        if let Some(status) = due.before {
            return (Err(Refusal::fault(status, bucket, key)), false);
        }
        if due.lie {
            return (Ok(done()), false);
        }
        self.run_hook(bucket, key).await;
        let outcome = self.remove(call, bucket, key).await;
        let executed = outcome.is_ok();
        let outcome = match due.after {
            None => outcome,
            Some(None) => Err(Refusal::Cut),
            Some(Some(status)) => Err(Refusal::fault(status, bucket, key)),
        };
        (outcome, executed)
    }

    pub async fn run_hook(self: &Arc<Self>, bucket: &str, key: &str) {
        let name = (bucket.to_owned(), key.to_owned());
        let hook = self.state().hooks.get_mut(&name).and_then(std::collections::VecDeque::pop_front);
        if let Some(hook) = hook {
            let gcs = Gcs { inner: self.clone(), _running: None };
            // It waits for the runtime it would otherwise block.
            let done = tokio::task::spawn_blocking(move || hook(&gcs)).await;
            done.expect("the hook doesn't panic");
        }
    }

    async fn remove(&self, call: &Call, bucket: &str, key: &str) -> Outcome {
        let conditions = call.conditions()?;
        let generation = call.number("generation")?;
        self.check_permission(bucket, "storage.objects.delete", "object")?;
        if self.state().forbidden.contains(&(bucket.to_owned(), key.to_owned())) {
            return Err(Refusal::denied("storage.objects.delete", "object"));
        }
        let _alone = self.lock(bucket, key).await;
        let Some(object) = self.find(bucket, key, generation).await? else {
            let is_412 = conditions.generation.is_some() && self.state().missing_status == 412;
            return Err(if is_412 { Refusal::mismatch() } else { Refusal::no_object(bucket, key) });
        };
        conditions.check(Some(&object))?;
        // A generation means that this version shall go, be the bucket versioned or not.
        let permanently = generation.is_some();
        self.check_removable(&object, permanently)?;
        let found = number(&object, "generation");
        if let Some(noncurrent) = self.kept(bucket, key, found, false) {
            self.state().kept.remove(&(bucket.to_owned(), key.to_owned(), found));
            let mut object = object;
            object.as_object_mut().map(|fields| fields.remove("timeDeleted"));
            self.keep(&object, Some(noncurrent.bytes), true).await?;
        } else {
            self.keep(&object, None, permanently).await?;
            self.delete_live(bucket, key).await?;
        }
        Ok(done())
    }
}

fn done() -> Response {
    Response::builder().status(204).body(Body::empty()).expect("a response")
}
