//! A listing by several at a time: whoever is idle takes half of what another has left.

use super::StoreError;
use super::remote::{Page, Range, Remote};
use crate::gc::plan::ObjectFacts;
use futures::stream::{self, BoxStream, StreamExt};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
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
        state: Mutex::new(State {
            parts: BTreeMap::from([(0, Part::default())]),
            alphabet: BTreeSet::new(),
            is_long: false,
        }),
        changed: Notify::new(),
        prefix,
    });
    let lister = move |at: usize| {
        let (remote, work, sender) = (remote.clone(), Arc::clone(&work), sender.clone());
        async move { work.list(at, &remote, &sender).await }
    };
    tokio::spawn(async move {
        // Most prefixes are one page long, and need nobody else.
        let is_long = lister(0).await;
        if is_long {
            (0..LISTERS).for_each(|at| drop(tokio::spawn(lister(at))));
        }
    });
    stream::unfold(receiver, |mut receiver| async { receiver.recv().await.map(|page| (page, receiver)) })
        .boxed()
}

struct Work {
    state: Mutex<State>,
    changed: Notify,
    prefix: String,
}

struct State {
    /// What each lister at work has left.
    parts: BTreeMap<usize, Part>,
    /// Characters met in keys after the prefix.
    alphabet: BTreeSet<char>,
    /// There was more than a page of it.
    is_long: bool,
}

/// The keys after one, and up to another.
#[derive(Debug, Clone, Default)]
struct Part {
    after: Option<String>,
    until: Option<String>,
    /// Where its last page began. Of a part in which nothing was found yet nobody takes a half: it may be empty.
    page: Option<Option<String>>,
}

impl Work {
    /// Lists its part, and what it takes from others; stops after the very first page if there is more, and says so.
    async fn list(&self, me: usize, remote: &Remote, sender: &mpsc::Sender<Found>) -> bool {
        while let Some(mut after) = self.take(me, sender).await {
            loop {
                let (objects, next) = match self.page(remote, after).await {
                    Ok((objects, more)) => self.settle(me, objects, more.is_some()),
                    Err(error) => {
                        self.state().parts.remove(&me);
                        let _ = sender.send(Err(error)).await;
                        (Vec::new(), None)
                    }
                };
                self.changed.notify_waiters();
                // Whoever read has gone: nobody wants the rest.
                if !objects.is_empty() && sender.send(Ok(objects)).await.is_err() {
                    self.state().parts.remove(&me);
                    self.changed.notify_waiters();
                    return false;
                }
                let Some(last) = next else { break };
                after = Some(last);
                if !std::mem::replace(&mut self.state().is_long, true) {
                    return true;
                }
            }
        }
        false
    }

    /// The next objects after a key. A store may give a page without any, and go on after it.
    async fn page(&self, remote: &Remote, after: Option<String>) -> Result<Page, StoreError> {
        let range = Range { prefix: self.prefix.clone(), after };
        let mut token = None;
        loop {
            let (objects, more) = remote.page(&range, token.as_deref()).await?;
            let is_new = objects.last().is_some_and(|object| Some(&object.key) != range.after.as_ref());
            if is_new || more.is_none() {
                return Ok((objects, more));
            }
            token = more;
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves of a page what is its lister's, and tells from where on to list next; none where its part is done.
    fn settle(
        &self,
        me: usize,
        mut objects: Vec<ObjectFacts>,
        more: bool,
    ) -> (Vec<ObjectFacts>, Option<String>) {
        let mut state = self.state();
        let State { parts, alphabet, .. } = &mut *state;
        let Some(part) = parts.get_mut(&me) else { return (Vec::new(), None) };
        let last = objects.last().map(|object| object.key.clone());
        // Some stores begin with the key itself; and of what was asked for, another may have taken half since.
        objects.retain(|object| {
            part.after.as_ref().is_none_or(|after| object.key > *after)
                && part.until.as_ref().is_none_or(|until| object.key <= *until)
        });
        let next = last.filter(|last| more && part.until.as_ref().is_none_or(|until| last < until));
        match &next {
            Some(last) => {
                // Some of them tell enough.
                for object in objects.iter().step_by(20) {
                    alphabet.extend(object.key.chars().skip(self.prefix.chars().count()));
                }
                part.page = Some(part.after.replace(last.clone()));
            }
            None => drop(parts.remove(&me)),
        }
        (objects, next)
    }

    /// What a lister is to list after, in its own part or half of the widest of another's; none once all is listed.
    async fn take(&self, me: usize, sender: &mpsc::Sender<Found>) -> Option<Option<String>> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let mut state = self.state();
                if let Some(mine) = state.parts.get(&me) {
                    return Some(mine.after.clone());
                }
                if state.parts.is_empty() || sender.is_closed() {
                    return None;
                }
                let letters: Vec<char> = state.alphabet.iter().copied().collect();
                let halves = state.parts.values_mut().filter_map(|part| {
                    let half = half(&self.prefix, part, &letters)?;
                    Some((half, part))
                });
                if let Some(((_, middle), part)) = halves.max_by(|((one, _), _), ((two, _), _)| one.cmp(two))
                {
                    let until = part.until.replace(middle.clone());
                    let upper = Part { after: Some(middle.clone()), until, page: None };
                    state.parts.insert(me, upper);
                    return Some(Some(middle));
                }
            }
            changed.await;
        }
    }
}

/// How much a part has left: less when its ends have more characters in common.
type Width = (Reverse<usize>, u128);

/// Where to cut what is left of a part, if that is worth a request.
fn half(prefix: &str, part: &Part, letters: &[char]) -> Option<(Width, String)> {
    let page = part.page.as_ref()?;
    middle(prefix, page.as_deref(), part.after.as_deref()?, part.until.as_deref(), letters)
}

/// A key about halfway between two, made of characters that keys here are made of; none when they are no further
/// apart than the page was that began at `page`.
fn middle(
    prefix: &str,
    page: Option<&str>,
    after: &str,
    until: Option<&str>,
    letters: &[char],
) -> Option<(Width, String)> {
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
    let width = high_number.unwrap_or(base.pow(DIGITS as u32)).checked_sub(low_number)?;
    if let Some(page) = page.and_then(|page| page.strip_prefix(prefix)) {
        // One that began before what the two have in common was wider than what is left.
        let began = page.strip_prefix(&low[..common]).map(number)?;
        if width <= low_number.saturating_sub(began) {
            return None;
        }
    }
    let mut rest = low_number + width / 2;
    let mut text: Vec<char> = Vec::with_capacity(DIGITS);
    for _ in 0..DIGITS {
        text.push(letters[(rest % base) as usize]);
        rest /= base;
    }
    let text: String = text.into_iter().rev().collect();
    let middle = format!("{prefix}{}{text}", &low[..common]);
    let is_between = middle.as_str() > after && until.is_none_or(|until| middle.as_str() < until);
    is_between.then_some(((Reverse(common), width), middle))
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
            let letters: Vec<char> = alphabet.into_iter().collect();
            for until in [None, Some(high.as_str())] {
                if let Some((_, middle)) = middle("p/", None, &low, until, &letters) {
                    prop_assert!(middle > low && until.is_none_or(|until| middle.as_str() < until));
                    prop_assert!(middle.starts_with("p/"));
                }
            }
        }
    }

    #[test]
    fn wide_parts_are_halved() {
        let letters: Vec<char> = ('0'..='9').collect();
        let found = |page, after, until| middle("p/", page, after, Some(until), &letters).map(|(_, key)| key);
        let half = found(None, "p/000010", "p/1");
        assert!(half.as_deref().is_some_and(|key| key.starts_with("p/05")), "{half:?}");
        assert_eq!(found(None, "p/5", "p/5"), None);
        // The page before went from 000000 to 000010: what is left is wider, or it is not.
        assert!(found(Some("p/000000"), "p/000010", "p/000030").is_some());
        assert_eq!(found(Some("p/000000"), "p/000010", "p/000020"), None);
    }
}
