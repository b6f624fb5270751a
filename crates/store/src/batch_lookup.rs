//! Looking many places of a bucket up with few requests: where they lie close together a listing tells of hundreds at
//! once, where they lie apart each is asked for.

use crate::AT_A_TIME;
use crate::api::Connection;
use crate::listing::{ListKind, Page, Range};
use crate::parallel_list;
use crate::types::{Place, Reach, StoreError};
use argo_gc_core::model::object::ObjectFacts;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use futures::{FutureExt, stream};

/// So many are asked for one by one, at the same time: a listing takes as long.
const FEW: usize = 3;

/// Places that one listing goes through; others go through theirs at the same time.
const RUN: usize = 1000;

/// A listing goes on while at least one of so many objects listed was looked for.
const SPARSE: usize = 16;

type Found = Result<Vec<ObjectFacts>, StoreError>;

/// What one place is looked for by.
#[derive(Debug)]
struct Span {
    /// The place's number.
    place: usize,
    start: String,
    /// All that begin so, not just that key.
    below: bool,
    objects: Vec<ObjectFacts>,
}

impl Span {
    /// Whether some storage may write the key in another way, and list it so: without an empty folder, a dot at the
    /// end of a name, or a backslash.
    fn may_be_renamed(&self) -> bool {
        let is_odd = |name: &str| name.is_empty() || name.ends_with('.') || name.contains('\\');
        !self.below && self.start.split('/').any(is_odd)
    }

    fn holds(&self, key: &str) -> bool {
        if self.below { key.starts_with(&self.start) } else { key == self.start }
    }

    /// Whether a listing in order that has come to a key has shown all of it.
    fn is_passed(&self, key: &str, kind: ListKind) -> bool {
        match self.holds(key) {
            // Of copies, a key has several.
            true => !self.below && kind == ListKind::Live,
            false => key > self.start.as_str(),
        }
    }
}

/// What lies at the places, in their order; what of it, in the order of keys.
pub(crate) async fn look(connection: &Connection, kind: ListKind, places: &[Place<'_>]) -> Vec<Found> {
    let mut found: Vec<Found> = places.iter().map(|_| Ok(Vec::new())).collect();
    let mut spans = Vec::with_capacity(places.len());
    for (place, Place { key, reach }) in places.iter().enumerate() {
        let mut span = |start: &str, below| {
            spans.push(Span { place, start: start.to_owned(), below, objects: Vec::new() });
        };
        match reach {
            Reach::Beginning => span(key, true),
            _ if !connection.api().is_addressable(key) => {
                found[place] = Err(StoreError::BadKey((*key).to_owned()))
            }
            Reach::Key => span(key, false),
            Reach::Directory => {
                if !key.ends_with('/') {
                    span(key, false);
                }
                span(&format!("{}/", key.trim_end_matches('/')), true);
            }
        }
    }
    spans.sort_by(|a, b| a.start.cmp(&b.start));
    let look = Look { connection, kind };
    // Without a place to begin at, each listing would begin with what another has read.
    let run = if connection.api().lists_from_any_key() { RUN } else { usize::MAX };
    let mut runs = Vec::new();
    while !spans.is_empty() {
        let rest = spans.split_off(spans.len().min(run));
        runs.push(look.through(std::mem::replace(&mut spans, rest)));
    }
    let mut runs = stream::iter(runs).buffer_unordered(AT_A_TIME);
    while let Some(spans) = runs.next().await {
        for (place, objects) in spans {
            match (&mut found[place], objects) {
                (Ok(found), Ok(objects)) => found.extend(objects),
                (found @ Ok(_), Err(error)) => *found = Err(error),
                (Err(_), _) => {}
            }
        }
    }
    for objects in found.iter_mut().flatten() {
        objects.sort_by(|a, b| a.key.cmp(&b.key));
    }
    found
}

#[derive(Clone, Copy)]
struct Look<'a> {
    connection: &'a Connection,
    kind: ListKind,
}

impl<'a> Look<'a> {
    fn lists_from_any_key(self) -> bool {
        self.connection.api().lists_from_any_key()
    }

    fn pages(self, prefix: &str) -> BoxStream<'static, Found> {
        parallel_list::pages(self.connection.clone(), prefix.to_owned())
    }

    /// Lists from the first to the last of the spans, which are in their order, leaping over what lies between.
    fn through(self, mut spans: Vec<Span>) -> BoxFuture<'a, Vec<(usize, Found)>> {
        async move {
            let mut done = Vec::with_capacity(spans.len());
            let (mut range, mut token) = (self.range(&spans), None);
            let mut floor = range.after.clone();
            let mut doubtful = Vec::new();
            while spans.len() > FEW {
                let mut page = match self.connection.page(&range, token.as_deref()).await {
                    Ok(page) => page,
                    // Who may not list may be let look; and a name that can't be read may be anybody's.
                    Err(StoreError::Denied { .. } | StoreError::Unreadable { .. })
                        if self.kind == ListKind::Live =>
                    {
                        break;
                    }
                    Err(error) => {
                        done.extend(spans.drain(..).map(|span| (span.place, Err(error.clone()))));
                        break;
                    }
                };
                if !self.is_in_order(&page, floor.as_deref(), token.is_some()) {
                    break;
                }
                let (listed, last) =
                    (page.objects.len(), page.objects.last().map(|object| object.key.clone()));
                floor = last.clone().or(floor);
                // Azure's order is not ours everywhere.
                page.objects.sort_by(|a, b| a.key.cmp(&b.key));
                let is_one = fills(&spans[0], &page);
                let matched = hand_out(&mut spans, page.objects, self.kind);
                let before = spans.len();
                let passed = match last.as_deref().filter(|_| self.lists_from_any_key()) {
                    _ if !page.more => std::mem::take(&mut spans),
                    Some(last) => spans.extract_if(.., |span| span.is_passed(last, self.kind)).collect(),
                    None => Vec::new(),
                };
                let (found, missed): (Vec<Span>, Vec<Span>) = passed.into_iter().partition(|span| {
                    // Of copies only what they cost is told.
                    !span.objects.is_empty()
                        || self.kind != ListKind::Live
                        || page.is_sure && !span.may_be_renamed()
                });
                done.extend(found.into_iter().map(Span::done));
                doubtful.extend(missed);
                let gain = matched.max(before - spans.len());
                if spans.is_empty() {
                    break;
                }
                if is_one && self.kind == ListKind::Live {
                    // A directory of thousands is listed by several at a time; what of the others was met, again.
                    let span = spans.remove(0);
                    done.push((span.place, self.pages(&span.start).try_concat().await));
                    spans.iter_mut().for_each(|span| span.objects.clear());
                    (range, token) = (self.range(&spans), None);
                    floor = range.after.clone();
                    continue;
                }
                if gain * SPARSE < listed {
                    done.extend(self.apart(std::mem::take(&mut spans)).await);
                    break;
                }
                let is_ahead = last.is_some_and(|last| spans[0].start > last) && self.lists_from_any_key();
                // As long as it pays: what lies between is as dense as before.
                let next = Range { most: range.most, ..self.range(&spans) };
                if is_ahead && next.beginning() > range.beginning() {
                    (range, token) = (next, None);
                    floor = range.after.clone();
                    continue;
                }
                match self.connection.next_token(&range, token.as_ref(), page.token) {
                    Ok(Some(next)) => token = Some(next),
                    Ok(None) | Err(_) => break,
                }
            }
            spans.extend(doubtful);
            done.extend(self.each(spans).await);
            done
        }
        .boxed()
    }

    /// Goes through those of each folder by itself.
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

    /// Asks for each by itself.
    async fn each(self, spans: Vec<Span>) -> Vec<(usize, Found)> {
        let looks = spans.into_iter().map(|span| async move {
            let objects = match (self.kind, span.below) {
                (ListKind::Live, false) => {
                    self.connection.head(&span.start).await.map(|object| object.into_iter().collect())
                }
                (ListKind::Live, true) => self.pages(&span.start).try_concat().await,
                (kind, _) => {
                    let range = Range { kind, ..Range::of(&span.start) };
                    let pages = self.connection.in_order(range).try_concat().await;
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

    /// What to list for these: from the first on, at most a little more than they can be.
    fn range(self, spans: &[Span]) -> Range {
        let (Some(first), Some(last)) = (spans.first(), spans.last()) else { return Range::default() };
        let same = first.start.chars().zip(last.start.chars()).take_while(|(a, b)| a == b);
        let common: usize = same.map(|(a, _)| a.len_utf8()).sum();
        let prefix = first.start[..common].to_owned();
        let after = Some(before(&first.start)).filter(|_| self.lists_from_any_key());
        Range {
            // Else the first is the prefix itself, with which a listing begins.
            after: after.filter(|after| after.starts_with(&prefix)),
            prefix,
            most: Some((2 * spans.len()).max(32)),
            kind: self.kind,
        }
    }

    /// Leaping needs keys in their order, from the one asked for on; where they aren't, each is asked for.
    fn is_in_order(self, page: &Page, floor: Option<&str>, goes_on: bool) -> bool {
        let is_after = |before: &str, key: &str| match self.kind {
            ListKind::Live => key > before,
            ListKind::Noncurrent | ListKind::SoftDeleted => key >= before,
        };
        let keys = || page.objects.iter().map(|object| object.key.as_str());
        let first = keys().next().zip(floor);
        // GCS begins with the key it was given.
        let begins_well =
            first.is_none_or(|(first, floor)| is_after(floor, first) || !goes_on && first == floor);
        !self.lists_from_any_key() || begins_well && keys().is_sorted_by(|a, b| is_after(a, b))
    }
}

impl Span {
    fn done(self) -> (usize, Found) {
        (self.place, Ok(self.objects))
    }
}

/// Gives each of the spans what it holds of a page; says how many objects somebody holds.
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

/// Whether a page is of one directory only.
fn fills(span: &Span, page: &Page) -> bool {
    let ends = page.objects.first().zip(page.objects.last());
    span.below && ends.is_some_and(|(first, last)| span.holds(&first.key) && span.holds(&last.key))
}

/// A key a little before one, so that a listing after it begins with that one.
fn before(key: &str) -> String {
    let mut before = key.to_owned();
    // What a key begins with comes before it, too.
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
