//! Lists a prefix with several listers at a time. An idle lister takes over the keys some pages ahead of a busy one, or
//! half of what the busy one has left.

use crate::api::Connection;
use crate::listing::{NO_WAY_ON, Page, Range, Trail};
use crate::plain_list;
use crate::types::StoreError;
use argo_gc_core::model::object::ObjectFacts;
use futures::stream;
use futures::stream::{BoxStream, StreamExt};
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Notify, mpsc};

/// Listers at a time. More would delay other requests.
const LISTERS: usize = 16;

/// Pages that may wait for the reader.
const WAITING: usize = 4;

/// Pages between the first two listers. The distance doubles from each lister to the next, until the end is found.
const AHEAD: u32 = 8;

/// Positions of keys are computed from this many characters after their common prefix.
const DIGITS: usize = 6;

type Found = Result<Vec<ObjectFacts>, StoreError>;

/// Lists all live objects with a prefix, page by page, in no order. An engine whose listings can't begin at any key is
/// listed by one lister only, and so is a server whose order is not known: it might list keys of another part before
/// those of the first.
pub(crate) fn pages(connection: Connection, prefix: String) -> BoxStream<'static, Found> {
    if !connection.api().lists_from_any_key() {
        return connection.in_order(Range::of(&prefix));
    }
    if !connection.api().lists_in_byte_order() {
        return plain_list::pages(&connection, &prefix);
    }
    let (sender, receiver) = mpsc::channel(WAITING);
    let work = Arc::new(Work {
        state: Mutex::new(State {
            parts: vec![Part { after: None, until: None, ahead: AHEAD }],
            busy: 0,
            alphabet: BTreeSet::new(),
        }),
        changed: Notify::new(),
        prefix,
    });
    for _ in 0..LISTERS {
        let (connection, work, sender) = (connection.clone(), Arc::clone(&work), sender.clone());
        tokio::spawn(async move { work.list(&connection, &sender).await });
    }
    stream::unfold(receiver, |mut receiver| async { receiver.recv().await.map(|page| (page, receiver)) })
        .boxed()
}

struct Work {
    state: Mutex<State>,
    changed: Notify,
    prefix: String,
}

struct State {
    /// Parts that no lister has begun.
    parts: Vec<Part>,
    /// Number of listers at work.
    busy: usize,
    /// Characters seen in keys after the prefix.
    alphabet: BTreeSet<char>,
}

/// The keys after `after`, up to and including `until`.
#[derive(Debug, Clone)]
struct Part {
    after: Option<String>,
    until: Option<String>,
    /// How many pages ahead of this part the next lister begins.
    ahead: u32,
}

impl Work {
    async fn list(&self, connection: &Connection, sender: &mpsc::Sender<Found>) {
        while let Some(mut part) = self.take(sender).await {
            let (mut is_open, mut token, mut trail) = (true, None, Trail::default());
            while is_open {
                let range = Range { after: part.after.clone(), ..Range::of(&self.prefix) };
                let page = match connection.page(&range, token.as_deref()).await {
                    Ok(page) => check(page, part.after.as_deref())
                        .map_err(|why| StoreError::unreadable(connection.bucket().uri(&self.prefix), why)),
                    Err(error) => Err(error),
                };
                let next = page.and_then(|page| {
                    let last = page.objects.last().map(|object| object.key.clone());
                    // A page that is not the last may be empty, or hold only the key it begins after. Then only its
                    // token leads to the next page.
                    let goes_on = last.is_some() && last != part.after;
                    let next = page.token.filter(|_| !goes_on);
                    let next = connection.follow(&range, &mut trail, next, "")?;
                    if goes_on {
                        trail = Trail::default();
                    }
                    Ok((page.objects, page.more, last, next))
                });
                let (mut objects, more, last, next) = match next {
                    Ok(page) => page,
                    Err(error) => {
                        let _ = sender.send(Err(error)).await;
                        break;
                    }
                };
                // Some servers include the key that the listing begins after.
                objects.retain(|object| {
                    part.after.as_ref().is_none_or(|after| object.key > *after)
                        && part.until.as_ref().is_none_or(|until| object.key <= *until)
                });
                is_open = more
                    && last.as_ref().is_none_or(|last| part.until.as_ref().is_none_or(|until| last < until));
                if is_open {
                    token = next;
                    part.after = last.or(part.after);
                    self.share(&mut part, &objects);
                }
                // The reader is gone, so nobody needs the rest.
                if !objects.is_empty() && sender.send(Ok(objects)).await.is_err() {
                    break;
                }
            }
            self.state().busy -= 1;
            self.changed.notify_waiters();
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next part to list; none once everything is listed or the reader is gone.
    async fn take(&self, sender: &mpsc::Sender<Found>) -> Option<Part> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let mut state = self.state();
                if let Some(part) = state.parts.pop() {
                    state.busy += 1;
                    return Some(part);
                }
                if state.busy == 0 || sender.is_closed() {
                    return None;
                }
            }
            changed.await;
        }
    }

    /// Gives the rest of a part, from some pages ahead or from its middle on, to an idle lister.
    fn share(&self, part: &mut Part, objects: &[ObjectFacts]) {
        let mut state = self.state();
        for object in objects {
            state.alphabet.extend(object.key.strip_prefix(&self.prefix).unwrap_or_default().chars());
        }
        if state.busy + state.parts.len() >= LISTERS {
            return;
        }
        let Some(after) = &part.after else { return };
        let until = part.until.as_deref();
        // If the end of the keys is not known, the middle of all possible keys is far beyond it, so the lister is sent
        // only some pages ahead.
        let first = objects.first().map(|object| object.key.as_str());
        let next = first.and_then(|first| ahead(&self.prefix, (first, after), part.ahead, &state.alphabet));
        let next = next.filter(|next| next > after && until.is_none_or(|until| next.as_str() < until));
        let half = middle(&self.prefix, after, until, &state.alphabet);
        let Some(middle) = next.into_iter().chain(half).min() else { return };
        part.ahead = part.ahead.saturating_mul(2);
        let upper = Part { after: Some(middle.clone()), until: part.until.clone(), ahead: part.ahead };
        part.until = Some(middle);
        state.parts.push(upper);
        drop(state);
        self.changed.notify_waiters();
    }
}

/// Verifies that a page is sorted and begins after `after`: otherwise a lister that takes over a part would miss keys.
/// If there are more pages, a token or a new last key must lead to them.
fn check(page: Page, after: Option<&str>) -> Result<Page, &'static str> {
    let mut before = after;
    for object in &page.objects {
        let is_first = before == after;
        match before.map(|before| object.key.as_str().cmp(before)) {
            Some(Ordering::Less) => return Err("it doesn't list keys in their order from one on"),
            Some(Ordering::Equal) if !is_first => return Err("it lists a key twice"),
            _ => before = Some(&object.key),
        }
    }
    match page.more && page.token.is_none() && before == after {
        true => Err(NO_WAY_ON),
        false => Ok(page),
    }
}

/// A key about halfway between two keys, made of characters that occur in keys; none if they are too close.
fn middle(prefix: &str, after: &str, until: Option<&str>, alphabet: &BTreeSet<char>) -> Option<String> {
    let letters: Vec<char> = alphabet.iter().copied().collect();
    let base = letters.len() as u128;
    if base < 2 {
        return None;
    }
    let low = after.strip_prefix(prefix)?;
    let high = until.map(|until| until.strip_prefix(prefix).unwrap_or_default());
    let common = high.map_or(0, |high| {
        let same = low.chars().zip(high.chars()).take_while(|(a, b)| a == b);
        same.map(|(a, _)| a.len_utf8()).sum()
    });
    let number = |text| number(text, &letters);
    let (low_number, high_number) = (number(&low[common..]), high.map(|high| number(&high[common..])));
    let high_number = high_number.unwrap_or(base.pow(DIGITS as u32));
    let half = low_number + high_number.checked_sub(low_number)? / 2;
    let middle = format!("{prefix}{}{}", &low[..common], text(half, &letters));
    let is_between = middle.as_str() > after && until.is_none_or(|until| middle.as_str() < until);
    is_between.then_some(middle)
}

/// A key about `pages` pages ahead of the page from `first` to `last`, if keys go on at the same density.
fn ahead(prefix: &str, (first, last): (&str, &str), pages: u32, alphabet: &BTreeSet<char>) -> Option<String> {
    let letters: Vec<char> = alphabet.iter().copied().collect();
    let (low, high) = (first.strip_prefix(prefix)?, last.strip_prefix(prefix)?);
    let same = low.chars().zip(high.chars()).take_while(|(a, b)| a == b);
    let mut common: usize = same.map(|(a, _)| a.len_utf8()).sum();
    loop {
        let (low, high) = (number(&low[common..], &letters), number(&high[common..], &letters));
        let target = high + high.saturating_sub(low).max(1) * u128::from(pages);
        if target < (letters.len() as u128).pow(DIGITS as u32) {
            return Some(format!("{prefix}{}{}", &first[prefix.len()..][..common], text(target, &letters)));
        }
        // The sum overflows into the common prefix, so one more character takes part.
        common = first[prefix.len()..][..common].char_indices().next_back()?.0;
    }
}

/// The position of a text among all texts made of the letters; another character counts as the letter before it.
fn number(text: &str, letters: &[char]) -> u128 {
    let mut digits = text.chars().map(|c| letters.partition_point(|letter| *letter <= c).saturating_sub(1));
    (0..DIGITS).fold(0, |sum, _| sum * letters.len() as u128 + digits.next().unwrap_or_default() as u128)
}

/// The text at a position.
fn text(number: u128, letters: &[char]) -> String {
    let base = letters.len() as u128;
    let digits = (0..DIGITS as u32).rev().map(|at| number / base.pow(at) % base);
    digits.map(|digit| letters[digit as usize]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        /// A middle is between the two keys, whatever the keys are.
        #[test]
        fn a_middle_lies_between(a in "[a-c/é]{1,8}", b in "[a-c/é]{1,8}", letters in "[a-z/]{0,9}") {
            let (low, high) = if a < b { (a, b) } else { (b, a) };
            let (low, high) = (format!("p/{low}"), format!("p/{high}"));
            let alphabet: BTreeSet<char> = letters.chars().collect();
            for until in [None, Some(high.as_str())] {
                if let Some(middle) = middle("p/", &low, until, &alphabet) {
                    prop_assert!(middle > low && until.is_none_or(|until| middle.as_str() < until));
                    prop_assert!(middle.starts_with("p/"));
                }
            }
        }
    }

    proptest! {
        /// The key ahead begins with the prefix, whatever the keys are.
        #[test]
        fn ahead_is_a_key(a in "[a-c/é]{0,8}", b in "[a-c/é]{0,8}", letters in "[a-z/é]{0,9}", pages in any::<u32>()) {
            let alphabet: BTreeSet<char> = letters.chars().collect();
            let (first, last) = (format!("p/{a}").min(format!("p/{b}")), format!("p/{a}").max(format!("p/{b}")));
            prop_assert!(ahead("p/", (&first, &last), pages, &alphabet).is_none_or(|key| key.starts_with("p/")));
        }
    }

    #[test]
    fn keys_are_expected_to_go_on_as_they_did() {
        let alphabet: BTreeSet<char> = ('0'..='9').collect();
        let found = |first, last, pages| ahead("p/", (first, last), pages, &alphabet);
        assert_eq!(found("p/wf-0000010", "p/wf-0000019", 5).as_deref(), Some("p/wf-00000640000"));
        // If the last digits overflow, the digits before them count on.
        assert_eq!(found("p/wf-0000010", "p/wf-0000019", 50).as_deref(), Some("p/wf-0000469000"));
        assert_eq!(found("p/9", "p/9", 1_000_000), None);
    }

    #[test]
    fn wide_parts_are_halved() {
        let alphabet: BTreeSet<char> = ('0'..='9').collect();
        let found = middle("p/", "p/000010", Some("p/1"), &alphabet);
        assert!(found.as_deref().is_some_and(|key| key.starts_with("p/05")), "{found:?}");
        assert_eq!(middle("p/", "p/5", Some("p/5"), &alphabet), None);
    }
}
