//! Fixes all sources together, checks the result with `lint`, and takes back what it finds worse than before: an artifact
//! that leaked and would hang its workflow from now on, or whose collection would take what is still needed.

use crate::fix::block::{Block, set_block};
use crate::fix::harm::{Harm, takes};
use crate::fix::keys::{Keys, unique_keys};
use crate::fix::lift::lift;
use crate::fix::outcome::{Barred, Fixed, read};
use crate::fix::readers::Readers;
use crate::syntax::diagnostics::{Finding, Origin};
use crate::syntax::kustomize;
use crate::syntax::manifests::manifests;
use crate::syntax::source::Source;
use crate::syntax::tree::SyntaxError;
use argo_gc_core::argo::artifact::Strategy;
use argo_gc_core::lint::path::FieldPath;
use argo_gc_core::lint::settings::Settings;
use argo_gc_core::lint::types::{Manifest, Prediction, Severity};
use argo_gc_core::lint::{is_block_read, lint as predict, repeated_keys};
use argo_gc_core::reason::Reason;
use std::collections::{BTreeMap, BTreeSet};

/// What is to be fixed other than inline templates.
#[derive(Debug, Clone, Copy)]
pub struct Wishes<'w> {
    pub strategy: Option<&'w Strategy>,
    pub account: Option<&'w str>,
    pub unique_keys: bool,
}

/// What the findings depend on other than the sources.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'s> {
    pub settings: &'s Settings,
    /// The namespace of manifests that name none.
    pub namespace: &'s str,
}

/// The fixed texts, and what is still to be done.
#[derive(Debug, Default)]
pub struct Checked {
    /// In the order of the sources.
    pub fixed: Vec<Fixed>,
    /// What `lint` finds in the result, apart from hazards.
    pub left: Vec<Finding>,
}

/// Fixes the sources.
///
/// # Errors
/// A text can't be read; with the number of its source.
pub fn fix(sources: &[Source], around: Surroundings<'_>, wishes: Wishes<'_>) -> Outcome<Checked> {
    let changed = kustomize::changed(sources).into_keys().collect();
    let given: Vec<String> = sources.iter().map(|source| source.text.clone()).collect();
    let mut readers = Readers::default();
    let documents = sources.iter().flat_map(|source| &source.documents);
    documents.for_each(|document| readers.add(&document.value));
    let judge = Judge { around, changed, readers, unique_keys: wishes.unique_keys };
    let mut all: Vec<Fixed> =
        given.iter().map(|text| Fixed { text: text.clone(), ..Fixed::default() }).collect();
    let mut take = |stage: Vec<Fixed>| -> Vec<String> {
        for (all, fixed) in all.iter_mut().zip(stage) {
            all.changed += fixed.changed;
            all.refused.extend(fixed.refused);
            all.text = fixed.text;
        }
        all.iter().map(|fixed| fixed.text.clone()).collect()
    };
    let lift_all = |texts: &[String]| judge.stage(texts, &|_, text, barred| lift(text, barred));
    let mut texts = given;
    if wishes.unique_keys {
        // A body that stays inline may not name its pod.
        let stays: Vec<bool> = lift_all(&texts)?.iter().map(|fixed| !fixed.refused.is_empty()).collect();
        let repeated = judge.repeated(&texts)?;
        // Keys change no line numbers, so the refusals that follow name places of the original text.
        let keyed = texts.iter().enumerate().map(|(at, text)| {
            let keys = Keys { readers: &judge.readers, repeated: &repeated[at], inline_stays: stays[at] };
            unique_keys(text, &keys).map_err(|fault| (at, fault))
        });
        texts = take(keyed.collect::<Result<_, _>>()?);
    }
    texts = take(lift_all(&texts)?);
    if wishes.strategy.is_some() || wishes.account.is_some() {
        let unread = judge.unread_blocks(&texts)?;
        let (strategy, account) = (wishes.strategy, wishes.account);
        texts = take(judge.stage(&texts, &|at, text, barred| {
            set_block(text, &Block { strategy, account, unread: &unread[at] }, barred)
        })?);
    }
    let left = judge.left(sources, &texts)?;
    Ok(Checked { fixed: all, left })
}

/// A result, or the source that can't be read and why.
pub type Outcome<T> = Result<T, (usize, SyntaxError)>;

/// Fields of a source, each with the number of its document.
type Fields = BTreeSet<(usize, FieldPath)>;

/// One change of a source: its number, its text, and the documents that must stay.
type Step<'s> = &'s dyn Fn(usize, &str, &Barred) -> Result<Fixed, SyntaxError>;

/// A document: its source, and its number there.
type Place = (usize, usize);

struct Judge<'s> {
    around: Surroundings<'s>,
    /// The sources that are no manifests by themselves.
    changed: BTreeSet<usize>,
    /// What the given manifests read.
    readers: Readers,
    unique_keys: bool,
}

/// The manifests of some texts.
#[derive(Default)]
struct Read {
    sources: Vec<Source>,
    manifests: Vec<Manifest>,
    places: Vec<Place>,
}

impl Judge<'_> {
    fn read(&self, texts: &[String]) -> Outcome<Read> {
        let mut all = Read::default();
        for (at, text) in texts.iter().enumerate() {
            let source = read(text).map_err(|fault| (at, fault))?;
            for (mut manifest, document) in manifests(&source, self.around.namespace).manifests {
                manifest.beside = self.changed.contains(&at) || manifest.is_part();
                all.manifests.push(manifest);
                all.places.push((at, document));
            }
            all.sources.push(source);
        }
        Ok(all)
    }

    /// Changes all texts, and again without the documents in which more fails afterwards, or more is collected that something
    /// else may need, until nothing is worse.
    fn stage(&self, texts: &[String], step: Step<'_>) -> Outcome<Vec<Fixed>> {
        let mut barred = vec![Barred::new(); texts.len()];
        let mut before = None;
        loop {
            let steps = texts.iter().zip(&barred).enumerate();
            let fixed = steps.map(|(at, (text, barred))| step(at, text, barred).map_err(|fault| (at, fault)));
            let fixed: Vec<Fixed> = fixed.collect::<Result<_, _>>()?;
            if fixed.iter().all(|fixed| fixed.changed == 0) {
                return Ok(fixed);
            }
            let given = match before.take() {
                Some(given) => given,
                None => self.read(texts)?,
            };
            let after: Vec<String> = fixed.iter().map(|fixed| fixed.text.clone()).collect();
            let worse = self.worse(&given, &self.read(&after)?);
            if worse.is_empty() {
                return Ok(fixed);
            }
            for ((at, document), why) in worse {
                barred[at].insert(document, why);
            }
            before = Some(given);
        }
    }

    /// The documents that were changed and in which, or through which, more is wrong than before.
    fn worse(&self, before: &Read, after: &Read) -> BTreeMap<Place, String> {
        let (old, new) = (self.harm(before), self.harm(after));
        let mut worse = BTreeMap::new();
        let changed = |(at, document): Place| {
            let value =
                |read: &Read| read.sources[at].documents.get(document).map(|document| document.value.clone());
            value(before) != value(after)
        };
        for (place, harm) in &new {
            let Some(document) = after.sources[place.0].documents.get(place.1) else { continue };
            let why = harm.worse_than(old.get(place), &document.value, &self.readers, self.unique_keys);
            let Some((what, why)) = why else { continue };
            if changed(*place) {
                worse.insert(*place, why);
                continue;
            }
            // A change of another document does it: of those that lead here, if one of them was changed.
            let leading: Vec<Place> = what
                .reached_from
                .iter()
                .map(|at| after.places[*at])
                .filter(|place| changed(*place))
                .collect();
            let documents = after.sources.iter().enumerate();
            let all = documents
                .flat_map(|(at, source)| (0..source.documents.len()).map(move |number| (at, number)));
            let all = all.filter(|place| changed(*place) && (leading.is_empty() || leading.contains(place)));
            all.for_each(|place| {
                worse.entry(place).or_insert_with(|| why.clone());
            });
        }
        worse
    }

    fn harm(&self, read: &Read) -> BTreeMap<Place, Harm> {
        let mut found: BTreeMap<Place, Harm> = BTreeMap::new();
        let all = predict(&read.manifests, self.around.settings);
        for prediction in &all {
            found.entry(read.places[prediction.manifest]).or_default().add(prediction, &all);
        }
        found
    }

    /// For each source the keys that one run writes more than once, with the numbers of their documents.
    fn repeated(&self, texts: &[String]) -> Outcome<Vec<Fields>> {
        let read = self.read(texts)?;
        let mut found = vec![BTreeSet::new(); texts.len()];
        for (manifest, path) in repeated_keys(&read.manifests, self.around.settings) {
            let (at, document) = read.places[manifest];
            found[at].insert((document, path));
        }
        Ok(found)
    }

    /// For each source the documents whose workflow-level block nothing reads.
    fn unread_blocks(&self, texts: &[String]) -> Outcome<Vec<BTreeSet<usize>>> {
        let read = self.read(texts)?;
        let mut found = vec![BTreeSet::new(); texts.len()];
        for (manifest, (at, document)) in read.places.iter().enumerate() {
            if !is_block_read(&read.manifests, manifest) {
                found[*at].insert(*document);
            }
        }
        Ok(found)
    }

    /// What is still to be done about the result: all but hazards, of which only those matter by which a collection takes what
    /// is needed, and the service account to whoever has just asked for collection.
    fn left(&self, given: &[Source], texts: &[String]) -> Outcome<Vec<Finding>> {
        let Read { mut sources, manifests, places } = self.read(texts)?;
        for (source, given) in sources.iter_mut().zip(given) {
            source.name.clone_from(&given.name);
        }
        let origins: Vec<Origin> = places
            .iter()
            .map(|(source, document)| Origin::File { source: *source, document: *document })
            .collect();
        let all = predict(&manifests, self.around.settings);
        let matters = |prediction: &&Prediction| {
            prediction.severity != Severity::Note
                || prediction.reason == Reason::DefaultServiceAccount
                || takes(prediction, &all)
        };
        let mut left: Vec<Finding> = all
            .iter()
            .filter(matters)
            .map(|prediction| Finding::new(prediction.clone(), &manifests, &origins, &sources))
            .collect();
        left.sort_by(|a, b| a.at.cmp(&b.at));
        Ok(left)
    }
}
