//! Deletes many objects of a bucket together: by requests for many where the server heeds the pin of each object in
//! them, else one by one.

use crate::api::{Answer, Bulk, KeyAnswer};
use crate::batch_lookup::{AT_A_TIME, look};
use crate::bucket_client::{BucketClient, objection};
use crate::http::{Lost, Response, Tries};
use crate::listing::ListKind;
use crate::types::{Deletion, Gates, Outcome, Pinned, Place, Reach};
use futures::FutureExt;
use futures::future::{BoxFuture, join};
use futures::stream::{self, StreamExt};
use std::collections::{HashMap, HashSet};

/// Up to this many objects are deleted one by one, all at once: a request for many would save nothing.
const FEW: usize = 3;

/// How often a request is made anew because the gate closed for some of its objects.
const GATES: usize = 10;

/// Deletes each object if it is still the pinned one. The gate of each object is asked before each request that names
/// it. The outcomes are in the order of the objects.
pub(crate) async fn delete(client: &BucketClient, objects: &[Pinned<'_>], gates: Gates<'_>) -> Vec<Deletion> {
    let mut run = Run {
        client,
        objects,
        gates,
        outcomes: objects.iter().map(|_| None).collect(),
        may_be_done: vec![false; objects.len()],
        alone: vec![objects.len() <= FEW; objects.len()],
        failure: String::new(),
    };
    match client.connection().api().bulk() {
        Some(bulk) => run.together(bulk).await,
        None => run.alone.fill(true),
    }
    run.one_by_one().await
}

/// Many deletes on their way.
struct Run<'a> {
    client: &'a BucketClient,
    objects: &'a [Pinned<'a>],
    gates: Gates<'a>,
    /// What became of each object; none if that is open.
    outcomes: Vec<Option<Outcome>>,
    /// An earlier request may have deleted the object, although its answer was lost or an error.
    may_be_done: Vec<bool>,
    /// The object can't be part of a request for many, or what such a request says of it does not settle it.
    alone: Vec<bool>,
    /// Why the last request has to be sent again.
    failure: String,
}

impl Run<'_> {
    /// The objects that the next request for many is about.
    fn open(&self) -> Vec<usize> {
        let is_open = |at: &usize| self.outcomes[*at].is_none() && !self.alone[*at];
        (0..self.objects.len()).filter(is_open).collect()
    }

    /// Deletes by requests for many until no object is left for them.
    async fn together(&mut self, bulk: &dyn Bulk) {
        let mut keys = HashSet::new();
        for (at, object) in self.objects.iter().enumerate() {
            self.alone[at] |= !bulk.fits(object) || !keys.insert(object.key);
        }
        let mut tries = Tries::new();
        loop {
            let open = self.open();
            if open.is_empty() {
                return;
            }
            let wanted = self.still_pinned(open).await;
            self.send(bulk, wanted).await;
            let open = self.open();
            if !open.is_empty() && !tries.again().await {
                let failure = format!("every try failed: {}", self.failure);
                self.settle(&open, &Outcome::Failed(failure));
                return;
            }
        }
    }

    /// Looks at the objects just before their delete, and settles those that must not be deleted. Returns the others:
    /// none if some object of the bucket may have a hold, which only a request for the object shows.
    async fn still_pinned(&mut self, open: Vec<usize>) -> Vec<usize> {
        let places = open.iter().map(|at| Place { key: self.objects[*at].key, reach: Reach::Key });
        let places: Vec<Place> = places.collect();
        let looks = look(self.client.connection(), ListKind::Live, &places, 1);
        let (found, has_no_holds) = join(looks, self.client.asks_lists_all_facts()).await;
        if !has_no_holds {
            open.iter().for_each(|at| self.alone[*at] = true);
            return Vec::new();
        }
        let mut wanted = Vec::with_capacity(open.len());
        for (at, found) in open.into_iter().zip(found) {
            let found = found.map(|objects| objects.into_iter().next());
            match objection(found, self.objects[at].pin, self.may_be_done[at]) {
                Some(outcome) => self.outcomes[at] = Some(outcome),
                None => wanted.push(at),
            }
        }
        wanted
    }

    /// Sends one request for the objects whose gates are open, and reads its answer.
    async fn send(&mut self, bulk: &dyn Bulk, mut wanted: Vec<usize>) {
        let (connection, gates) = (self.client.connection(), self.gates);
        for _ in 0..GATES {
            if wanted.is_empty() {
                return;
            }
            let pinned: Vec<Pinned> = wanted.iter().map(|at| self.objects[*at]).collect();
            let request = bulk.request(&pinned);
            let signed = match connection.sign(&request).await {
                Ok(signed) => signed,
                Err(error) => return self.settle(&wanted, &Outcome::Failed(error.to_string())),
            };
            let gate = || wanted.iter().all(|at| gates(*at));
            if let Some(sent) = connection.send_if(&request, signed, &gate).await {
                return self.read(bulk, &wanted, sent);
            }
            let closed: Vec<usize> = wanted.extract_if(.., |at| !gates(*at)).collect();
            self.settle(&closed, &Outcome::Withheld);
        }
        self.settle(&wanted, &Outcome::Withheld);
    }

    /// Reads the answer to a request for many. What it leaves open is looked at, and sent again.
    fn read(&mut self, bulk: &dyn Bulk, wanted: &[usize], sent: Result<Response, Lost>) {
        let connection = self.client.connection();
        let answer = match sent {
            Ok(answer) => answer,
            Err(Lost { why, .. }) => return self.doubt(wanted, why),
        };
        match connection.meaning(&answer) {
            Answer::Yes => match bulk.read(&answer) {
                Ok(answers) => self.read_each(wanted, answers),
                Err(why) => self.doubt(wanted, why),
            },
            Answer::Busy => self.failure = connection.message(&answer),
            Answer::Failing => self.doubt(wanted, connection.message(&answer)),
            Answer::Denied => self.settle(wanted, &Outcome::Denied(connection.message(&answer))),
            Answer::NoBucket => self.settle(wanted, &Outcome::Failed("the bucket is gone".to_owned())),
            Answer::NoObject | Answer::Changed | Answer::Held | Answer::Refused => {
                // The server does not take such a request, or its answer is too long.
                self.doubt(wanted, connection.message(&answer));
                wanted.iter().for_each(|at| self.alone[*at] = true);
            }
        }
    }

    fn read_each(&mut self, wanted: &[usize], mut answers: HashMap<String, KeyAnswer>) {
        let mut is_busy = false;
        for at in wanted {
            let Some(KeyAnswer { meaning, message }) = answers.remove(self.objects[*at].key) else {
                self.doubt(&[*at], "the answer leaves the key out".to_owned());
                continue;
            };
            let outcome = match meaning {
                Answer::Yes => Outcome::Deleted,
                Answer::Held => Outcome::Held(message),
                Answer::Denied => Outcome::Denied(message),
                Answer::NoBucket => Outcome::Failed("the bucket is gone".to_owned()),
                Answer::Refused => Outcome::Failed(message),
                // It was overwritten or is gone, which a look at the object tells.
                Answer::Changed | Answer::NoObject => {
                    self.alone[*at] = true;
                    continue;
                }
                Answer::Busy => {
                    (is_busy, self.failure) = (true, message);
                    continue;
                }
                Answer::Failing => {
                    self.doubt(&[*at], message);
                    continue;
                }
            };
            self.outcomes[*at] = Some(outcome);
        }
        if is_busy {
            self.client.connection().slow_down();
        }
    }

    fn settle(&mut self, objects: &[usize], outcome: &Outcome) {
        objects.iter().for_each(|at| self.outcomes[*at] = Some(outcome.clone()));
    }

    /// Notes that objects may be deleted, or not.
    fn doubt(&mut self, objects: &[usize], why: String) {
        objects.iter().for_each(|at| self.may_be_done[*at] = true);
        self.failure = why;
    }

    /// Deletes what is open one by one, and gives the outcomes of all.
    async fn one_by_one(mut self) -> Vec<Deletion> {
        let open: Vec<usize> = (0..self.objects.len()).filter(|at| self.outcomes[*at].is_none()).collect();
        let keys: Vec<&str> = open.iter().map(|at| self.objects[*at].key).collect();
        let shown = if keys.len() > FEW { self.client.shown(&keys).await } else { vec![false; keys.len()] };
        let mut deletes: Vec<BoxFuture<'_, Outcome>> = Vec::with_capacity(open.len());
        for at in &open {
            let (at, may_be_done, gates) = (*at, self.may_be_done[*at], self.gates);
            let Pinned { key, pin } = self.objects[at];
            let client = self.client;
            deletes.push(async move { client.delete(key, pin, may_be_done, &|| gates(at)).await }.boxed());
        }
        let done: Vec<Outcome> = stream::iter(deletes).buffered(AT_A_TIME).collect().await;
        for (at, outcome) in open.iter().zip(done) {
            self.outcomes[*at] = Some(outcome);
        }
        let mut listed = vec![false; self.objects.len()];
        open.iter().zip(shown).for_each(|(at, shown)| listed[*at] = shown);
        let outcomes = self.outcomes.into_iter().zip(listed);
        outcomes
            .map(|(outcome, listed)| Deletion { outcome: outcome.unwrap_or(Outcome::Withheld), listed })
            .collect()
    }
}
