//! Guards a plan from before it is made to its last delete: what appears or changes in the cluster stops the deletes that
//! it concerns.

use crate::cluster::buffer::Buffer;
use crate::cluster::client::Cluster;
use crate::cluster::gathering::Gathering;
use crate::cluster::pages::Body;
use crate::cluster::referrers::{Pins, WORKFLOWS};
use crate::cluster::watch::feed::{Change, Sink};
use crate::cluster::watch::{Unwatched, Watch};
use crate::error::Error;
use crate::purge::plan_file::Plan;
use crate::purge::standing::{Objection, Standing, Terms};
use crate::scan::gather::ScanPart;
use crate::scan::pages::page;
use argo_gc_core::argo::workflow::Workflow;
use argo_gc_core::model::context::Context;
use argo_gc_core::plan::planned::{PlannedObject, PlannedWorkflow};
use futures::FutureExt;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How much of what changed before there is a plan is kept, in bytes of JSON. If there is more, it is read again.
const MAX_PENDING: usize = 32 << 20;

/// How long deletes wait for the cluster to be read, where a reading is late. After that they fail.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The guard of one plan. It ends when it is dropped.
pub struct Guard {
    shared: Arc<Shared>,
    watch: Watch,
    /// The kinds of which the user was told that they can't be watched.
    told: Mutex<HashSet<&'static str>>,
    /// Whether deletes waited in vain.
    lost: AtomicBool,
}

impl Guard {
    /// Begins to watch, before anything that a plan rests on is read. What may not be read in all namespaces is watched in
    /// one.
    ///
    /// # Errors
    /// The cluster can't be read.
    pub async fn start(cluster: &Cluster, namespace: Option<&str>) -> Result<Self, Error> {
        let state = RwLock::new(State::Waiting(Pending::default()));
        let shared = Arc::new(Shared { cluster: cluster.clone(), state });
        let hearer = Arc::clone(&shared);
        let sink: Sink = Arc::new(move |change| {
            let shared = Arc::clone(&hearer);
            async move { shared.take(change).await }.boxed()
        });
        Ok(Self {
            watch: cluster.watch(namespace, &sink).await?,
            shared,
            told: Mutex::default(),
            lost: AtomicBool::new(false),
        })
    }

    /// Takes the plan, with all that changed since the watch began, and waits until every kind is known as it is now.
    ///
    /// # Errors
    /// The plan can't be read, or the cluster can't be read any more.
    pub async fn begin(&self, plan: &Plan, context: &Context) -> Result<(), Error> {
        if !self.shared.is_waiting() {
            return Ok(());
        }
        let standing = Standing::new(plan, context)?;
        let before = std::mem::replace(&mut *self.shared.write(), State::Standing(Box::new(standing)));
        if let State::Waiting(Pending { changes, overflowed, .. }) = before {
            if overflowed {
                self.watch.read_anew();
            }
            for change in changes.into_values() {
                self.shared.take(change).await;
            }
        }
        let began = Instant::now();
        while !self.is_current() {
            if began.elapsed() > PATIENCE {
                return Err(Error::refused(format!("what changes meanwhile is unknown: {}", self.trouble())));
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Whether everything that happened until just now was noticed. Nothing may be deleted while it is not so.
    pub fn is_current(&self) -> bool {
        self.watch.is_current()
    }

    /// Whether deletes waited for it in vain: others need not wait as long.
    pub fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// Records that a delete waited in vain.
    pub fn lose(&self) {
        self.lost.store(true, Ordering::Relaxed);
    }

    /// Has what can't be watched read again before the next delete: time has passed.
    pub fn renew(&self) {
        self.watch.renew();
    }

    /// Why [`Self::is_current`] is false.
    pub fn trouble(&self) -> String {
        self.watch.trouble().unwrap_or_default()
    }

    /// The kinds that can't be watched and of which this was not told before.
    pub fn unwatched(&self) -> Vec<Unwatched> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let mut unwatched = self.watch.unwatched();
        unwatched.retain(|kind| told.insert(kind.resource));
        unwatched
    }

    /// What keeps all of a workflow that was made from these templates.
    pub fn of_workflow(&self, plan: &PlannedWorkflow, templates: &[(String, String)]) -> Option<Objection> {
        match &*self.shared.state.read().unwrap_or_else(PoisonError::into_inner) {
            State::Standing(standing) => standing.of_workflow(plan, templates),
            State::Waiting(_) => None,
        }
    }

    /// What keeps an object of a workflow that was made from these templates.
    pub fn of_object(
        &self,
        plan: &PlannedWorkflow,
        templates: &[(String, String)],
        object: &PlannedObject,
    ) -> Option<Objection> {
        match &*self.shared.state.read().unwrap_or_else(PoisonError::into_inner) {
            State::Standing(standing) => {
                standing.of_workflow(plan, templates).or_else(|| standing.of_object(plan, object))
            }
            State::Waiting(_) => None,
        }
    }
}

/// What the watch writes to, and the deletes read.
struct Shared {
    cluster: Cluster,
    state: RwLock<State>,
}

enum State {
    /// There is no plan yet.
    Waiting(Pending),
    Standing(Box<Standing>),
}

/// What changed before there is a plan: the last state of each object.
#[derive(Default)]
struct Pending {
    /// By kind and UID.
    changes: HashMap<(&'static str, String), Change>,
    bytes: usize,
    overflowed: bool,
}

impl Pending {
    fn add(&mut self, change: Change) {
        if self.overflowed {
            return;
        }
        self.bytes += change.text.len();
        let before = self.changes.insert((change.kind.kind, change.meta.uid.clone()), change);
        self.bytes -= before.map_or(0, |before| before.text.len());
        if self.bytes > MAX_PENDING {
            *self = Self { overflowed: true, ..Self::default() };
        }
    }
}

impl Shared {
    fn write(&self) -> std::sync::RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_waiting(&self) -> bool {
        matches!(*self.state.read().unwrap_or_else(PoisonError::into_inner), State::Waiting(_))
    }

    /// Changes what forbids deletes; before there is a plan there is nothing to change.
    fn stand(&self, change: impl FnOnce(&mut Standing)) {
        if let State::Standing(standing) = &mut *self.write() {
            change(standing);
        }
    }

    /// Hears of a change.
    async fn take(&self, change: Change) {
        let terms = match &mut *self.write() {
            State::Waiting(pending) => return pending.add(change),
            State::Standing(standing) => Arc::clone(&standing.terms),
        };
        if change.kind.kind == WORKFLOWS.kind {
            return self.workflow(change, &terms).await;
        }
        if change.deleted {
            return;
        }
        let mut gathering = Gathering::default();
        let mut pins = Pins::default();
        let read =
            change.kind.add(&change.text, &mut gathering, &mut pins).map_err(|error| error.to_string());
        let Gathering { references, texts } = gathering;
        let texts = texts.each().and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let (named, searched) = match texts {
            Ok(texts) => (terms.named_in(texts), Ok(())),
            Err(error) => (Vec::new(), Err(error.to_string())),
        };
        self.stand(|standing| {
            standing.refer(references, named, &pins);
            match read.and(searched) {
                Err(unreadable) if !terms.accepted.contains(&change.kind.source) => {
                    standing.block(&unreadable)
                }
                _ => {}
            }
        });
    }

    async fn workflow(&self, change: Change, terms: &Terms) {
        let Change { deleted, meta, text, .. } = change;
        if terms.released.contains(&meta.uid) {
            let workflow = match serde_json::from_str::<Workflow>(&text) {
                Ok(workflow) => workflow,
                Err(error) => {
                    let name = format!("workflow {}/{}: {error}", meta.namespace, meta.name);
                    return self.stand(|standing| standing.block(&name));
                }
            };
            let mut altered = false;
            self.stand(|standing| altered = standing.note(workflow, deleted));
            // What it referred to when the plan was made was given up then.
            if !altered {
                return;
            }
        }
        if deleted {
            return;
        }
        let body = Body::One(Buffer::from(text.into_bytes()));
        let parts = page(body, &terms.gathering, self.cluster.argo_server()).await;
        let parts = parts.map(|parts| {
            let named = |mut part: ScanPart| {
                let texts = std::mem::take(&mut part.texts);
                (part, terms.named_in(texts))
            };
            parts.into_iter().map(named).collect::<Vec<_>>()
        });
        self.stand(|standing| match parts {
            Ok(parts) => parts.into_iter().for_each(|(part, named)| standing.absorb(part, named)),
            Err(error) => {
                standing.block(&format!("workflow {}/{}: {}", meta.namespace, meta.name, error.brief()));
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use argo_gc_core::argo::meta::Meta;

    fn change(uid: &str, bytes: usize) -> Change {
        let meta = Meta { uid: uid.to_owned(), ..Meta::default() };
        Change { kind: &WORKFLOWS, deleted: false, meta, text: "x".repeat(bytes) }
    }

    #[test]
    fn what_waits_for_a_plan_is_bounded_and_never_lost_in_silence() {
        let mut pending = Pending::default();
        // Of an object that changes again and again the last state waits.
        (0..100).for_each(|_| pending.add(change("a", MAX_PENDING / 2)));
        assert_eq!((pending.changes.len(), pending.bytes, pending.overflowed), (1, MAX_PENDING / 2, false));
        pending.add(change("b", MAX_PENDING / 2));
        assert!(!pending.overflowed);
        pending.add(change("c", 1));
        assert_eq!((pending.changes.len(), pending.bytes, pending.overflowed), (0, 0, true));
        pending.add(change("d", 1));
        assert!(pending.overflowed && pending.changes.is_empty());
    }
}
