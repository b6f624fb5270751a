//! Looks up many places of a bucket with few requests. A listing finds hundreds of places whose keys are close to each
//! other; places that are far apart are asked for one by one.

use crate::api::Connection;
use crate::listing::{ListKind, Page, Range, Trail};
use crate::parallel_list;
use crate::types::{Place, Reach, StoreError};
use argo_gc_core::model::object::ObjectFacts;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use futures::{FutureExt, stream};

/// Requests in preparation at a time; the throttle limits how many are sent.
pub(crate) const AT_A_TIME: usize = 64;

/// Up to this many places are asked for one by one, all at once: that takes no longer than a listing.
const FEW: usize = 3;

/// Places per listing; several listings run at the same time.
const RUN: usize = 1000;

/// A listing continues while at least one in this many listed objects belongs to a place.
const SPARSE: usize = 16;

/// A key has one live object.
const MOST_OF_A_KEY: usize = 1;

type Found = Result<Vec<ObjectFacts>, StoreError>;

/// Keys that belong to a place: one key, or all with a prefix. A directory has two spans.
#[derive(Debug)]
struct Span {
    /// The index of the place.
    place: usize,
    start: String,
    /// All keys that begin with `start` belong to it, rather than that key only.
    below: bool,
    /// A listing has shown its object, so one that leaves it out now shows that it is gone.
    is_listed: bool,
    objects: Vec<ObjectFacts>,
}

impl Span {
    /// True if a server may store, and list, the object under another spelling of the key. Some servers drop empty
    /// folders and dots at the end of a name, or replace backslashes.
    fn may_be_renamed(&self) -> bool {
        let is_odd = |name: &str| name.is_empty() || name.ends_with('.') || name.contains('\\');
        !self.below && self.start.split('/').any(is_odd)
    }

    fn holds(&self, key: &str) -> bool {
        if self.below { key.starts_with(&self.start) } else { key == self.start }
    }

    /// True if a sorted listing that has reached `key` has shown all objects of the span.
    fn is_passed(&self, key: &str, kind: ListKind) -> bool {
        match self.holds(key) {
            // A key has one live object, but may have several deleted copies.
            true => !self.below && kind == ListKind::Live,
            false => key > self.start.as_str(),
        }
    }
}

/// Returns the objects found at each place: results in the order of `places`, objects in key order. A place of more than
/// `most` objects is an error.
pub(crate) async fn look(
    connection: &Connection,
    kind: ListKind,
    places: &[Place<'_>],
    most: usize,
) -> Vec<Found> {
    let mut found: Vec<Found> = places.iter().map(|_| Ok(Vec::new())).collect();
    let mut spans = Vec::with_capacity(places.len());
    for (place, Place { key, reach }) in places.iter().enumerate() {
        let mut span = |start: &str, below| {
            let is_listed = *reach == Reach::Listed;
            spans.push(Span { place, start: start.to_owned(), below, is_listed, objects: Vec::new() });
        };
        match reach {
            Reach::Beginning => span(key, true),
            _ if !connection.api().is_addressable(key) => {
                found[place] = Err(StoreError::BadKey((*key).to_owned()))
            }
            Reach::Key | Reach::Listed => span(key, false),
            Reach::Directory => {
                if !key.ends_with('/') {
                    span(key, false);
                }
                span(&format!("{}/", key.trim_end_matches('/')), true);
            }
        }
    }
    let look = Look { connection, kind, most, only_listings: false };
    for (place, objects) in look.all_of(spans).await {
        match (&mut found[place], objects) {
            (Ok(found), Ok(objects)) => found.extend(objects),
            (found @ Ok(_), Err(error)) => *found = Err(error),
            (Err(_), _) => {}
        }
    }
    for (found, Place { key, .. }) in found.iter_mut().zip(places) {
        match found {
            Ok(objects) if objects.len() > most => {
                *found = Err(StoreError::TooMany { what: connection.bucket().uri(key), most });
            }
            Ok(objects) => objects.sort_by(|a, b| a.key.cmp(&b.key)),
            Err(_) => {}
        }
    }
    found
}

/// Says of each key whether a listing shows its object. A key that none shows may have one anyway.
pub(crate) async fn shown(connection: &Connection, keys: &[&str]) -> Vec<bool> {
    let span = |(place, key): (usize, &&str)| {
        let (start, objects) = ((*key).to_owned(), Vec::new());
        Span { place, start, below: false, is_listed: false, objects }
    };
    let mut shown = vec![false; keys.len()];
    let look = Look { connection, kind: ListKind::Live, most: MOST_OF_A_KEY, only_listings: true };
    for (place, objects) in look.all_of(keys.iter().enumerate().map(span).collect()).await {
        shown[place] = objects.is_ok_and(|objects| !objects.is_empty());
    }
    shown
}

/// The objects of a listing.
///
/// # Errors
/// There are more than `most`: the rest of the listing is not read.
pub(crate) async fn gather(
    mut pages: BoxStream<'static, Found>,
    most: usize,
    what: impl FnOnce() -> String,
) -> Found {
    let mut objects = Vec::new();
    while let Some(page) = pages.try_next().await? {
        objects.extend(page);
        if objects.len() > most {
            return Err(StoreError::TooMany { what: what(), most });
        }
    }
    Ok(objects)
}

#[derive(Clone, Copy)]
struct Look<'a> {
    connection: &'a Connection,
    kind: ListKind,
    /// Objects of a place.
    most: usize,
    /// What listings don't tell stays open, rather than being asked for one by one.
    only_listings: bool,
}

impl<'a> Look<'a> {
    fn lists_from_any_key(self) -> bool {
        self.connection.api().lists_from_any_key()
    }

    /// Finds the objects of all spans, several runs of them at a time.
    async fn all_of(self, mut spans: Vec<Span>) -> Vec<(usize, Found)> {
        spans.sort_by(|a, b| a.start.cmp(&b.start));
        // If listings can only begin at the prefix, several of them would read the same pages.
        let run = if self.lists_from_any_key() { RUN } else { usize::MAX };
        let mut runs = Vec::new();
        while !spans.is_empty() {
            let rest = spans.split_off(spans.len().min(run));
            runs.push(self.through(std::mem::replace(&mut spans, rest)));
        }
        stream::iter(runs).buffer_unordered(AT_A_TIME).flat_map(stream::iter).collect().await
    }

    /// Lists the live objects with a prefix.
    async fn all(self, prefix: &str) -> Found {
        let pages = parallel_list::pages(self.connection.clone(), prefix.to_owned());
        gather(pages, self.most, || self.connection.bucket().uri(prefix)).await
    }

    /// Finds the objects of the spans, which are sorted, by one listing that jumps over the keys between them.
    fn through(self, spans: Vec<Span>) -> BoxFuture<'a, Vec<(usize, Found)>> {
        async move {
            let mut walk = Walk::new(self, spans);
            while walk.spans.len() > FEW && walk.step().await {}
            let Walk { spans: mut rest, doubtful, mut done, .. } = walk;
            rest.extend(doubtful);
            done.extend(self.each(rest).await);
            done
        }
        .boxed()
    }

    /// Looks up the spans of each folder separately, because a listing across all of them meets too many other keys.
    async fn apart(self, spans: Vec<Span>) -> Vec<(usize, Found)> {
        let common = self.range(&spans).prefix.len();
        let mut parts: Vec<(String, Vec<Span>)> = Vec::new();
        for mut span in spans {
            span.objects.clear();
            let rest = span.start.get(common..).unwrap_or_default();
            let name = rest.split_inclusive('/').next().unwrap_or_default();
            match parts.last_mut() {
                Some((part, spans)) if part == name => spans.push(span),
                _ => parts.push((name.to_owned(), vec![span])),
            }
        }
        if let [(_, spans)] = &mut parts[..] {
            return self.each(std::mem::take(spans)).await;
        }
        let parts = stream::iter(parts).map(|(_, spans)| self.through(spans)).buffer_unordered(AT_A_TIME);
        parts.flat_map(stream::iter).collect().await
    }

    /// Asks for each span by itself.
    async fn each(self, spans: Vec<Span>) -> Vec<(usize, Found)> {
        if self.only_listings {
            return Vec::new();
        }
        let looks = spans.into_iter().map(|span| async move {
            let objects = match (self.kind, span.below) {
                (ListKind::Live, false) => {
                    self.connection.head(&span.start).await.map(|object| object.into_iter().collect())
                }
                (ListKind::Live, true) => self.all(&span.start).await,
                (kind, _) => {
                    let range = Range { kind, ..Range::of(&span.start) };
                    let pages = self.connection.in_order(range);
                    let pages = gather(pages, self.most, || self.connection.bucket().uri(&span.start)).await;
                    pages.map(|mut objects: Vec<ObjectFacts>| {
                        objects.retain(|object| span.holds(&object.key));
                        objects
                    })
                }
            };
            (span.place, objects)
        });
        stream::iter(looks).buffer_unordered(AT_A_TIME).collect().await
    }

    /// The range to list for sorted spans. It begins just before the first; a page has room for about twice as many
    /// objects as there are spans.
    fn range(self, spans: &[Span]) -> Range {
        let (Some(first), Some(last)) = (spans.first(), spans.last()) else { return Range::default() };
        let same = first.start.chars().zip(last.start.chars()).take_while(|(a, b)| a == b);
        let common: usize = same.map(|(a, _)| a.len_utf8()).sum();
        let prefix = first.start[..common].to_owned();
        let after = Some(before(&first.start)).filter(|_| self.lists_from_any_key());
        Range {
            // If `after` lacks the prefix, the first span begins with the prefix itself, where a listing begins anyway.
            after: after.filter(|after| after.starts_with(&prefix)),
            prefix,
            most: Some((2 * spans.len()).max(32)),
            kind: self.kind,
        }
    }

    /// True if the page is sorted and begins after `floor`, which jumps ahead rely on. `is_next` means that the page
    /// continues a listing.
    fn is_in_order(self, page: &Page, floor: Option<&str>, is_next: bool) -> bool {
        let is_after = |before: &str, key: &str| match self.kind {
            ListKind::Live => key > before,
            ListKind::Noncurrent | ListKind::SoftDeleted => key >= before,
        };
        let keys = || page.objects.iter().map(|object| object.key.as_str());
        let first = keys().next().zip(floor);
        // GCS includes the key that the listing begins after.
        let begins_well =
            first.is_none_or(|(first, floor)| is_after(floor, first) || !is_next && first == floor);
        !self.lists_from_any_key() || begins_well && keys().is_sorted_by(|a, b| is_after(a, b))
    }
}

/// A listing on its way through sorted spans.
struct Walk<'a> {
    look: Look<'a>,
    /// Spans whose objects are not all found yet.
    spans: Vec<Span>,
    range: Range,
    token: Option<String>,
    trail: Trail,
    /// The last key that was listed, or the one after which the listing begins.
    floor: Option<String>,
    done: Vec<(usize, Found)>,
    /// Spans that the listing passed without an object, where that does not prove that there is none.
    doubtful: Vec<Span>,
}

impl<'a> Walk<'a> {
    fn new(look: Look<'a>, spans: Vec<Span>) -> Self {
        let done = Vec::with_capacity(spans.len());
        let range = look.range(&spans);
        let floor = range.after.clone();
        Self { look, spans, range, token: None, trail: Trail::default(), floor, done, doubtful: Vec::new() }
    }

    /// Reads one page. False if the listing ends here; the spans that are left are then asked for one by one.
    async fn step(&mut self) -> bool {
        let kind = self.look.kind;
        let Some(mut page) = self.page().await else { return false };
        let (listed, last) = (page.objects.len(), page.objects.last().map(|object| object.key.clone()));
        self.floor = last.clone().or(self.floor.take());
        // Azure does not always list keys in byte order.
        page.objects.sort_by(|a, b| a.key.cmp(&b.key));
        let is_one_directory = fills(&self.spans[0], &page);
        let before = self.spans.len();
        let matched = hand_out(&mut self.spans, std::mem::take(&mut page.objects), kind);
        self.settle_passed(&page, last.as_deref());
        if self.spans.is_empty() {
            return false;
        }
        if is_one_directory && kind == ListKind::Live {
            self.list_first().await;
            return true;
        }
        let gain = matched.max(before - self.spans.len());
        if gain * SPARSE < listed {
            let spans = std::mem::take(&mut self.spans);
            self.done.extend(self.look.apart(spans).await);
            return false;
        }
        self.advance(last, page.token, &page.first)
    }

    /// The next page; none if the listing can't be used.
    async fn page(&mut self) -> Option<Page> {
        let look = self.look;
        match look.connection.page(&self.range, self.token.as_deref()).await {
            Ok(page) => {
                let is_next = self.token.is_some();
                look.is_in_order(&page, self.floor.as_deref(), is_next).then_some(page)
            }
            // Someone who may not list may still be allowed to ask for objects one by one, and a listing that can't be
            // read may be spoilt by the key of another object.
            Err(StoreError::Denied { .. } | StoreError::Unreadable { .. }) if look.kind == ListKind::Live => {
                None
            }
            Err(error) => {
                self.done.extend(self.spans.drain(..).map(|span| (span.place, Err(error.clone()))));
                None
            }
        }
    }

    /// Takes out the spans that the listing has passed; `last` is the last key of the page.
    fn settle_passed(&mut self, page: &Page, last: Option<&str>) {
        let kind = self.look.kind;
        let passed = match last.filter(|_| self.look.lists_from_any_key()) {
            _ if !page.more => std::mem::take(&mut self.spans),
            Some(last) => self.spans.extract_if(.., |span| span.is_passed(last, kind)).collect(),
            None => Vec::new(),
        };
        let (found, mut missed): (Vec<Span>, Vec<Span>) = passed.into_iter().partition(|span| {
            // Deleted copies only add to the cost, so an incomplete listing of them is good enough. Of a directory some
            // objects may be listed here, and others where its server's own order puts them.
            let is_found = !span.objects.is_empty() && (page.is_sure || !span.below);
            let is_proved = span.is_listed || page.is_sure && !span.may_be_renamed();
            is_found || kind != ListKind::Live || is_proved
        });
        self.done.extend(found.into_iter().map(Span::done));
        missed.iter_mut().for_each(|span| span.objects.clear());
        self.doubtful.extend(missed);
    }

    /// Lists the first span, a directory of more than a page, by itself and in parallel. The listing then begins again
    /// for the other spans, so what they hold of this page is dropped.
    async fn list_first(&mut self) {
        let span = self.spans.remove(0);
        self.done.push((span.place, self.look.all(&span.start).await));
        self.spans.iter_mut().for_each(|span| span.objects.clear());
        self.begin(self.look.range(&self.spans));
    }

    /// Goes on to the next page, or to the next span if that is further ahead. False if there is no way on.
    fn advance(&mut self, last: Option<String>, token: Option<String>, first: &str) -> bool {
        let is_ahead = last.is_some_and(|last| self.spans[0].start > last) && self.look.lists_from_any_key();
        // The page size stays, because the keys ahead are expected to be as dense as those that were listed.
        let next = Range { most: self.range.most, ..self.look.range(&self.spans) };
        if is_ahead && next.beginning() > self.range.beginning() {
            self.begin(next);
            return true;
        }
        match self.trail.follow(token, first) {
            Ok(Some(next)) => {
                self.token = Some(next);
                true
            }
            Ok(None) | Err(_) => false,
        }
    }

    /// Begins a new listing.
    fn begin(&mut self, range: Range) {
        self.floor = range.after.clone();
        self.token = None;
        self.trail = Trail::default();
        self.range = range;
    }
}

impl Span {
    fn done(self) -> (usize, Found) {
        (self.place, Ok(self.objects))
    }
}

/// Adds the objects of a page to the spans that hold them. Returns how many objects a span holds.
fn hand_out(spans: &mut [Span], objects: Vec<ObjectFacts>, kind: ListKind) -> usize {
    let (mut first, mut matched) = (0, 0);
    for object in objects {
        while spans
            .get(first)
            .is_some_and(|span| span.is_passed(&object.key, kind) && !span.holds(&object.key))
        {
            first += 1;
        }
        let mut holds = false;
        for span in spans[first..].iter_mut().take_while(|span| span.start <= object.key) {
            if span.holds(&object.key) {
                span.objects.push(object.clone());
                holds = true;
            }
        }
        matched += usize::from(holds);
    }
    matched
}

/// True if all objects of a page are below the directory of the span.
fn fills(span: &Span, page: &Page) -> bool {
    let ends = page.objects.first().zip(page.objects.last());
    span.below && ends.is_some_and(|(first, last)| span.holds(&first.key) && span.holds(&last.key))
}

/// A key a little before `key`, so that a listing after it begins with `key`.
fn before(key: &str) -> String {
    let mut before = key.to_owned();
    // If the last character has no predecessor, the key without it still sorts before the key.
    if let Some(last @ '"'..='~') = before.pop() {
        before.push(char::from(last as u8 - 1));
        before.push('~');
    }
    before
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn before_is_before(key in "[ -~é😀/]{1,6}") {
            prop_assert!(before(&key) < key);
        }
    }
}
