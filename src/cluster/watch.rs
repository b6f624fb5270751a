//! Watches whatever may refer to artifacts or pin them: each kind by a stream of changes or, where the server refuses
//! that, by reading it again and again.
//!
//! A watch begins at the state that the server has when it is made, so what is read afterwards and what it tells overlap,
//! and no change falls between the two.

pub mod feed;

use crate::cluster::api_client::with_query;
use crate::cluster::client::Cluster;
use crate::cluster::referrers::{Named, REFERRERS, Referrer, WORKFLOWS};
use crate::cluster::unread::UnreadSource;
use crate::cluster::watch::feed::{Feed, Hearing, Sink, broken, is_unknown, lock};
use crate::error::{Error, ErrorKind};
use futures::future::try_join_all;
use std::sync::{Arc, Mutex};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// A watch of all kinds that the user can read; it ends when it is dropped.
pub(crate) struct Watch {
    feeds: Vec<Arc<Feed>>,
    tasks: Vec<JoinHandle<()>>,
}

/// A kind that is read again and again, because it can't be watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unwatched {
    /// Such as `workflows`.
    pub resource: &'static str,
    pub why: String,
}

impl Cluster {
    /// Begins to watch: whatever changes from now on is noticed. A kind that may not be listed in all namespaces is
    /// watched in `namespace`; one that may not be listed at all is not, and is told as unread by those who list it.
    ///
    /// # Errors
    /// A kind can't be read for another reason than a missing permission.
    pub(crate) async fn watch(&self, namespace: Option<&str>, sink: &Sink) -> Result<Watch, Error> {
        let kinds = [&WORKFLOWS].into_iter().chain(&REFERRERS);
        let feeds = try_join_all(kinds.map(|kind| self.feed_of(kind, namespace, sink))).await?;
        let feeds: Vec<Arc<Feed>> = feeds.into_iter().flatten().map(Arc::new).collect();
        let tasks = feeds.iter().map(|feed| tokio::spawn(Arc::clone(feed).run())).collect();
        Ok(Watch { feeds, tasks })
    }

    /// The feed of a kind that begins at the server's state of now; none if it can't be read.
    async fn feed_of(
        &self,
        kind: &'static Referrer,
        namespace: Option<&str>,
        sink: &Sink,
    ) -> Result<Option<Feed>, Error> {
        let (group, resource) = (kind.group, kind.resource);
        let mut paths = vec![(format!("{group}/{resource}"), false)];
        paths.extend(namespace.and_then(|namespace| match kind.source {
            UnreadSource::Namespaces => Some((format!("{group}/{resource}/{namespace}"), true)),
            _ if kind.namespaced => Some((format!("{group}/namespaces/{namespace}/{resource}"), false)),
            _ => None,
        }));
        for (path, single) in paths {
            let baseline = match self.get(&with_query(&path, &[("limit", "1")])).await {
                Err(error) if error.kind == ErrorKind::Forbidden => continue,
                // It may come to know the kind.
                Err(error) if is_unknown(&error, kind) => String::new(),
                other => {
                    let Named { metadata } =
                        serde_json::from_slice(&other?).map_err(|error| broken(kind, error))?;
                    metadata.resource_version
                }
            };
            let forbidden = single.then(|| "forbidden".to_owned());
            return Ok(Some(Feed {
                cluster: self.clone(),
                kind,
                path,
                single,
                baseline,
                sink: Arc::clone(sink),
                unwatched: Mutex::new(forbidden),
                hearing: Hearing::default(),
            }));
        }
        Ok(None)
    }
}

impl Watch {
    /// Whether every kind gave a sign lately.
    pub(crate) fn is_current(&self) -> bool {
        let now = Instant::now();
        self.feeds.iter().all(|feed| feed.is_current(now))
    }

    /// Makes what is read rather than watched out of date, so that it is read again now.
    pub(crate) fn renew(&self) {
        self.feeds.iter().filter(|feed| lock(&feed.unwatched).is_some()).for_each(|feed| feed.expire());
    }

    /// Has every kind read whole, and all told again that changed since the watch began.
    pub(crate) fn read_anew(&self) {
        for feed in &self.feeds {
            feed.begin_anew();
        }
    }

    /// The kinds that are read again and again, because they can't be watched.
    pub(crate) fn unwatched(&self) -> Vec<Unwatched> {
        let unwatched = |feed: &Arc<Feed>| {
            let why = lock(&feed.unwatched).clone()?;
            Some(Unwatched { resource: feed.kind.resource, why })
        };
        self.feeds.iter().filter_map(unwatched).collect()
    }

    /// What of a kind that is out of date went wrong last.
    pub(crate) fn trouble(&self) -> Option<String> {
        let now = Instant::now();
        let late = self.feeds.iter().find(|feed| !feed.is_current(now))?;
        let why = late.trouble();
        Some(match why.is_empty() {
            true => format!("{} were not read in time", late.kind.resource),
            false => format!("{}: {why}", late.kind.resource),
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}
