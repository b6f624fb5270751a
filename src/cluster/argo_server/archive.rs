//! Reads the archive: rows without nodes, page by page, and whole workflows by UID.
//!
//! The server pages by offset, the newest row first (persist/sqldb/selector.go@v4.1.2), so a row that is added
//! or deleted between two pages shifts the others, and one could be missed. Here the next page is selected by
//! the time at which the last row's workflow started, which every release since v3.4 can do; at the
//! end the rows are counted.

use crate::cluster::api_client::{check_segment, with_query};
use crate::cluster::argo_server::{ArgoServer, Whole};
use crate::cluster::paging::continue_token;
use crate::error::{Error, ErrorKind};
use argo_gc_core::argo::list::{Item, decode};
use argo_gc_core::argo::meta::Meta;
use argo_gc_core::argo::names;
use argo_gc_core::argo::workflow::Workflow;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use std::collections::HashSet;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

const ARCHIVE: &str = "/api/v1/archived-workflows";

/// The limit of a page's growth, in usual pages; pages grow if many workflows started in one second.
const MAX_GROWTH: u32 = 1 << 10;

/// A UID that no workflow has.
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

/// Which rows to read.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    pub namespace: Option<String>,
    pub name: Option<String>,
    pub prefix: Option<String>,
    pub label_selector: Option<String>,
    /// Rows a page; 0 for all at once.
    pub chunk_size: u32,
}

/// A row of the archive: the names, UID, phase and times of a workflow, and since v3.5 its labels.
pub type Row = Workflow;

impl ArgoServer {
    /// Reads the rows in the background, each once; at most two pages wait for the reader.
    ///
    /// The channel ends after the last page, or after an error.
    pub fn rows(&self, wanted: Rows) -> mpsc::Receiver<Result<Vec<Row>, Error>> {
        let (sender, receiver) = mpsc::channel(1);
        let server = self.clone();
        let _reader: JoinHandle<()> = tokio::spawn(async move {
            if let Err(error) = server.feed_rows(&wanted, &sender).await {
                // If the reader has stopped, nobody needs the error.
                let _ = sender.send(Err(error)).await;
            }
        });
        receiver
    }

    async fn feed_rows(
        &self,
        wanted: &Rows,
        sender: &mpsc::Sender<Result<Vec<Row>, Error>>,
    ) -> Result<(), Error> {
        let mut window = Window::default();
        loop {
            let body = self.get(&wanted.path(&window)).await?;
            let more = continue_token(&body).map_err(|error| self.half("page of the archive", error))?;
            let mut page = Vec::new();
            let mut malformed = None;
            decode::<Row>(&body, |item| match item {
                Item::Object(row) => page.push(*row),
                Item::Malformed(bad) => malformed = Some(bad),
            })
            .map_err(|error| self.half("page of the archive", error))?;
            if let Some(bad) = malformed {
                return Err(Error::new(format!("archived workflow {}: {}", bad.name, bad.error)));
            }
            if window.total.is_none() {
                window.total = remaining(&body).map(|left| left.saturating_add(page.len() as u64));
            }
            let step = window.take(page, more.is_some(), wanted.chunk_size).map_err(Error::new)?;
            let last = step.last;
            if sender.send(Ok(step.fresh)).await.is_err() || last {
                return Ok(());
            }
        }
    }

    /// One archived workflow with its nodes and the label of an archived record.
    ///
    /// # Errors
    /// The server does not return it, or returns another.
    pub async fn archived(&self, row: &Row) -> Result<Whole, Error> {
        let Meta { namespace, name, uid, .. } = &row.metadata;
        check_segment("uid", uid)?;
        let mut whole = self.whole(&format!("{ARCHIVE}/{uid}")).await?;
        let meta = &mut whole.workflow.metadata;
        if (&meta.uid, &meta.namespace, &meta.name) != (uid, namespace, name) {
            return Err(Error::new(format!("the Argo server answered with a workflow other than uid {uid}")));
        }
        // Before v3.5 the record has the label of the live workflow (GetWorkflow, workflow_archive.go).
        meta.labels.insert(names::ARCHIVING.to_owned(), "Persisted".to_owned());
        Ok(whole)
    }

    /// Whether the server has an archive at all. Without one its list is empty, but a look-up fails in another way
    /// than for a missing row (persist/sqldb/null_workflow_archive.go).
    ///
    /// # Errors
    /// The server doesn't say.
    pub(crate) async fn has_archive(&self) -> Result<bool, Error> {
        match self.get(&format!("{ARCHIVE}/{NOBODY}")).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(true),
            Err(error) if error.kind == ErrorKind::Unsupported => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Rows {
    fn path(&self, window: &Window) -> String {
        let mut fields: Vec<String> = Vec::new();
        fields.extend(self.namespace.as_ref().map(|namespace| format!("metadata.namespace={namespace}")));
        fields.extend(self.name.as_ref().map(|name| format!("metadata.name={name}")));
        // Up to v3.5 the bound is exclusive, since then inclusive: one second after the last row suits both.
        fields.extend(window.before.map(|time| format!("spec.startedAt<{}", seconds(time))));
        if window.before.is_none() && self.chunk_size > 0 {
            fields.push("ext.showRemainingItemCount=true".to_owned());
        }
        let fields = fields.join(",");
        let limit = self.chunk_size.saturating_mul(window.growth.max(1)).to_string();
        let mut query: Vec<(&str, &str)> = Vec::new();
        if self.chunk_size > 0 {
            query.push(("listOptions.limit", &limit));
        }
        if !fields.is_empty() {
            query.push(("listOptions.fieldSelector", &fields));
        }
        query.extend(self.label_selector.as_deref().map(|selector| ("listOptions.labelSelector", selector)));
        query.extend(self.prefix.as_deref().map(|prefix| ("namePrefix", prefix)));
        with_query(ARCHIVE, &query)
    }
}

/// The progress of the reading.
#[derive(Debug, Default)]
struct Window {
    /// The next page has rows that started before this.
    before: Option<Timestamp>,
    /// The size of the next page, in usual pages.
    growth: u32,
    /// The UIDs of rows that were handed on and may be in the next page again.
    handed: HashSet<String>,
    /// How many rows were handed on.
    count: u64,
    /// How many rows there were at first, if the server said so.
    total: Option<u64>,
}

/// The new rows of a page.
#[derive(Debug)]
struct Step {
    fresh: Vec<Row>,
    last: bool,
}

impl Window {
    /// Takes in a page, and moves the window to the next one.
    fn take(&mut self, page: Vec<Row>, more: bool, chunk_size: u32) -> Result<Step, String> {
        let started = |row: &Row| row.status.started_at;
        if let Some(before) = self.before
            && page.iter().any(|row| started(row).is_none_or(|time| time > before))
        {
            return Err("the Argo server does not select archived workflows by their start".to_owned());
        }
        if page.iter().any(|row| row.metadata.uid.is_empty()) {
            return Err("the archive's list has a row without a uid".to_owned());
        }
        let oldest = page.iter().map(started).min().flatten();
        let next = oldest.and_then(|time| time.checked_add(SignedDuration::from_secs(1)).ok());
        let moved = next.filter(|next| self.before.is_none_or(|before| *next < before));
        let again: HashSet<String> = match moved {
            // Only rows at the edge may come again.
            Some(next) => page
                .iter()
                .filter(|row| started(row).is_none_or(|time| time <= next))
                .map(|row| row.metadata.uid.clone())
                .collect(),
            None => page.iter().map(|row| row.metadata.uid.clone()).collect(),
        };
        let fresh: Vec<Row> =
            page.into_iter().filter(|row| !self.handed.contains(&row.metadata.uid)).collect();
        self.count += fresh.len() as u64;
        if !more {
            return match self.total.filter(|total| *total > self.count) {
                Some(total) => {
                    Err(format!("only {} of {total} archived workflows were shown; try again", self.count))
                }
                None => Ok(Step { fresh, last: true }),
            };
        }
        match moved {
            Some(next) => {
                (self.before, self.growth, self.handed) = (Some(next), 1, again);
            }
            // All rows are of one second, so only a larger page shows the rows after them.
            None => {
                self.handed.extend(again);
                self.growth = self.growth.max(1).saturating_mul(2);
            }
        }
        if chunk_size == 0 || self.growth > MAX_GROWTH {
            return Err("the Argo server says there is more of the archive, and does not show it".to_owned());
        }
        Ok(Step { fresh, last: false })
    }
}

/// The time in the format that every release of the server reads.
fn seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The number of rows after a page.
fn remaining(body: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct List {
        metadata: ListMeta,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct ListMeta {
        remaining_item_count: Option<u64>,
    }
    serde_json::from_slice::<List>(body).ok()?.metadata.remaining_item_count
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use jiff::Timestamp;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn row(uid: u64, start: i64) -> Row {
        let mut row = Row::default();
        row.metadata.uid = uid.to_string();
        row.status.started_at = Some(Timestamp::from_second(1_000_000 + start).unwrap());
        row
    }

    /// A page of a server whose bound is inclusive or exclusive.
    fn page(rows: &[Row], window: &Window, limit: usize, inclusive: bool) -> (Vec<Row>, bool) {
        let mut found: Vec<Row> = rows
            .iter()
            .filter(|row| {
                let start = row.status.started_at.unwrap();
                window.before.is_none_or(|before| start < before || inclusive && start == before)
            })
            .cloned()
            .collect();
        found.sort_by_key(|row| std::cmp::Reverse(row.status.started_at));
        let more = found.len() > limit;
        found.truncate(limit);
        (found, more)
    }

    proptest! {
        /// Rows that exist all the time are read exactly once, even if others are deleted or added meanwhile.
        #[test]
        fn no_row_is_missed(
            starts in proptest::collection::vec(0_i64..12, 0..40),
            gone in proptest::collection::vec(any::<proptest::sample::Index>(), 0..6),
            chunk in 1_u32..5,
            inclusive in any::<bool>(),
        ) {
            let mut rows: Vec<Row> =
                starts.iter().enumerate().map(|(uid, start)| row(uid as u64, *start)).collect();
            let mut window = Window::default();
            let mut seen = Vec::new();
            let mut added = 1000;
            let mut gone = gone.into_iter();
            loop {
                let limit = (chunk * window.growth.max(1)) as usize;
                let (found, more) = page(&rows, &window, limit, inclusive);
                let step = window.take(found, more, chunk).unwrap();
                seen.extend(step.fresh.into_iter().map(|row| row.metadata.uid));
                if step.last {
                    break;
                }
                if let Some(index) = gone.next() && !rows.is_empty() {
                    rows.remove(index.index(rows.len()));
                    added += 1;
                    rows.push(row(added, 11));
                }
            }
            let distinct: HashSet<&String> = seen.iter().collect();
            prop_assert_eq!(distinct.len(), seen.len());
            for row in rows.iter().filter(|row| row.metadata.uid.len() < 4) {
                prop_assert!(distinct.contains(&row.metadata.uid), "{:?}", row);
            }
        }
    }

    #[test]
    fn a_list_that_does_not_add_up_is_half_an_answer() {
        let mut window = Window { total: Some(3), ..Window::default() };
        assert!(!window.take(vec![row(1, 5)], true, 1).unwrap().last);
        assert!(window.take(vec![row(2, 4)], false, 1).unwrap_err().contains("2 of 3"));
        // A server that ignores the selector would send the same rows for ever.
        let mut window = Window::default();
        assert!(!window.take(vec![row(1, 5)], true, 1).unwrap().last);
        assert!(window.take(vec![row(1, 9)], true, 1).unwrap_err().contains("does not select"));
        let mut window = Window::default();
        assert!((0..20).any(|_| window.take(vec![row(1, 5)], true, 1).is_err()), "it must end");
        assert!(Window::default().take(vec![Row::default()], false, 1).is_err());
    }

    #[test]
    fn what_is_asked_for_is_what_every_release_knows() {
        let rows = Rows {
            namespace: Some("ml".into()),
            name: Some("train".into()),
            label_selector: Some("a=b".into()),
            chunk_size: 5,
            ..Rows::default()
        };
        let mut window = Window::default();
        assert_eq!(
            rows.path(&window),
            "/api/v1/archived-workflows?listOptions.limit=5&listOptions.fieldSelector=metadata.namespace%3Dml\
             %2Cmetadata.name%3Dtrain%2Cext.showRemainingItemCount%3Dtrue&listOptions.labelSelector=a%3Db"
        );
        window.before = Some(Timestamp::from_second(0).unwrap());
        let path = Rows { chunk_size: 5, ..Rows::default() }.path(&window);
        assert!(path.ends_with("fieldSelector=spec.startedAt%3C1970-01-01T00%3A00%3A00Z"), "{path}");
    }
}
