//! A listing by several at a time: whoever is idle takes half of what another has left.

use super::StoreError;
use super::remote::{Page, Range, Remote, unreadable};
use crate::gc::plan::ObjectFacts;
use futures::stream::{self, BoxStream, StreamExt};
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Notify, mpsc};

/// Listers at a time. More would take the turns of other requests.
const LISTERS: usize = 16;
/// Pages that wait for whoever reads them.
const WAITING: usize = 4;
/// Keys are told apart by so many characters after what they have in common.
const DIGITS: usize = 6;

type Found = Result<Vec<ObjectFacts>, StoreError>;

/// Lists all keys with a prefix, page by page, in no order; keys must be listed from a key on.
pub(super) fn pages(remote: Remote, prefix: String) -> BoxStream<'static, Found> {
    let (sender, receiver) = mpsc::channel(WAITING);
    let work = Arc::new(Work {
        state: Mutex::new(State { parts: vec![Part::default()], busy: 0, alphabet: BTreeSet::new() }),
        changed: Notify::new(),
        prefix,
    });
    for _ in 0..LISTERS {
        let (remote, work, sender) = (remote.clone(), Arc::clone(&work), sender.clone());
        tokio::spawn(async move { work.list(&remote, &sender).await });
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
    /// Not yet begun.
    parts: Vec<Part>,
    /// Listers at work.
    busy: usize,
    /// Characters met in keys after the prefix.
    alphabet: BTreeSet<char>,
}

/// The keys after one, and up to another.
#[derive(Debug, Clone, Default)]
struct Part {
    after: Option<String>,
    until: Option<String>,
}

impl Work {
    async fn list(&self, remote: &Remote, sender: &mpsc::Sender<Found>) {
        while let Some(mut part) = self.take(sender).await {
            let (mut is_open, mut token) = (true, None);
            while is_open {
                let range = Range { after: part.after.clone(), ..Range::of(&self.prefix) };
                let page = match remote.page(&range, token.as_deref()).await {
                    Ok(page) => check(page, part.after.as_deref())
                        .map_err(|why| unreadable(remote.bucket_name().uri(&self.prefix), why)),
                    Err(error) => Err(error),
                };
                let next = page.and_then(|page| {
                    let next = remote.next(&range, token.as_ref(), page.token)?;
                    Ok((page.objects, page.more, next))
                });
                let (mut objects, more, next) = match next {
                    Ok(page) => page,
                    Err(error) => {
                        let _ = sender.send(Err(error)).await;
                        break;
                    }
                };
                let last = objects.last().map(|object| object.key.clone());
                // Some begin with the key itself.
                objects.retain(|object| {
                    part.after.as_ref().is_none_or(|after| object.key > *after)
                        && part.until.as_ref().is_none_or(|until| object.key <= *until)
                });
                is_open = more
                    && last.as_ref().is_none_or(|last| part.until.as_ref().is_none_or(|until| last < until));
                if is_open {
                    // A page may be empty, or hold the first key again only, and not be the last: only its
                    // token leads on.
                    token = if last.is_some() && last != part.after { None } else { next };
                    part.after = last.or(part.after);
                    self.share(&mut part, &objects);
                }
                // Whoever read has gone: nobody wants the rest.
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

    /// The next part; none once all is listed.
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

    /// Gives half of what is left of a part to somebody idle.
    fn share(&self, part: &mut Part, objects: &[ObjectFacts]) {
        let mut state = self.state();
        for object in objects {
            state.alphabet.extend(object.key.strip_prefix(&self.prefix).unwrap_or_default().chars());
        }
        if state.busy + state.parts.len() >= LISTERS {
            return;
        }
        let Some(after) = &part.after else { return };
        let Some(middle) = middle(&self.prefix, after, part.until.as_deref(), &state.alphabet) else {
            return;
        };
        let upper = Part { after: Some(middle.clone()), until: part.until.clone() };
        part.until = Some(middle);
        state.parts.push(upper);
        drop(state);
        self.changed.notify_waiters();
    }
}

/// Keys must come in their order and go on from where they were asked for, or whoever is given half of what is left
/// would miss some; and where there are more, something must lead there.
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
        true => Err("there is more, and nothing leads to it"),
        false => Ok(page),
    }
}

/// A key about halfway between two, made of characters that keys here are made of; none when they are too close.
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
    // The place of a text among all of so many letters; what is no letter counts as the one before.
    let number = |text: &str| {
        let mut digits =
            text.chars().map(|c| letters.partition_point(|letter| *letter <= c).saturating_sub(1));
        (0..DIGITS).fold(0_u128, |sum, _| sum * base + digits.next().unwrap_or_default() as u128)
    };
    let (low_number, high_number) = (number(&low[common..]), high.map(|high| number(&high[common..])));
    let high_number = high_number.unwrap_or(base.pow(DIGITS as u32));
    let half = low_number + high_number.checked_sub(low_number)? / 2;
    let mut rest = half;
    let mut text: Vec<char> = Vec::with_capacity(DIGITS);
    for _ in 0..DIGITS {
        text.push(letters[(rest % base) as usize]);
        rest /= base;
    }
    let text: String = text.into_iter().rev().collect();
    let middle = format!("{prefix}{}{text}", &low[..common]);
    let is_between = middle.as_str() > after && until.is_none_or(|until| middle.as_str() < until);
    is_between.then_some(middle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// A middle lies between, whatever the keys are.
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

    #[test]
    fn wide_parts_are_halved() {
        let alphabet: BTreeSet<char> = ('0'..='9').collect();
        let found = middle("p/", "p/000010", Some("p/1"), &alphabet);
        assert!(found.as_deref().is_some_and(|key| key.starts_with("p/05")), "{found:?}");
        assert_eq!(middle("p/", "p/5", Some("p/5"), &alphabet), None);
    }
}
