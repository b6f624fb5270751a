//! Answers what a place in storage is, and what a purge makes of it: by the purge's own reading, and by the plan that it
//! would make of what is there.

use crate::cluster::gathering::Texts;
use crate::cluster::unread::Unread;
use crate::disk_queue::DiskQueue;
use crate::duration;
use crate::duration::signed;
use crate::error::{Error, storage_error};
use crate::progress::{Doing, Progress};
use crate::purge::plan_file::{Draft, Head, Plan};
use crate::purge::resolve::resolve;
use crate::scan::gather::Scan;
use crate::scan::gathered::Gathered;
use crate::scan::lookup::{Spot, objects_up_to};
use argo_gc_core::hashes::Names;
use argo_gc_core::model::bucket::Bucket;
use argo_gc_core::model::object::ObjectFacts;
use argo_gc_core::model::protection::Protection;
use argo_gc_core::plan::choice::Choice;
use argo_gc_core::plan::decide::Selected;
use argo_gc_core::plan::explanation::{
    Conclusion, Fate, ObjectReport, PlaceReport, ReferrerReport, add_referrer,
};
use argo_gc_core::plan::guarded::Guarded;
use argo_gc_core::plan::key_shape::KeyFormat;
use argo_gc_core::plan::located::{Asked, Located, Relation};
use argo_gc_core::plan::named::{Named, Needs};
use argo_gc_core::plan::orphans::{Known, Search};
use argo_gc_core::plan::planned::{KeptObject, PlannedObject, PlannedWorkflow};
use argo_gc_core::plan::planned_keys::{PlannedKey, PlannedKeysBuilder};
use argo_gc_core::plan::quarantine::Mark;
use argo_gc_core::plan::references::Referrer;
use argo_gc_core::plan::rules::Rules;
use argo_gc_core::plan::sharing::Sharing;
use argo_gc_store::store::Store;
use argo_gc_store::types::{Depth, MarkText, Place, Reach};
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

/// The number of objects below a place that are looked at.
const MOST_OBJECTS: usize = 10_000;

/// The number of objects of a place whose marks are read.
const MOST_MARKS: usize = 100;

/// How old an object must be before `orphans` judges it, unless its user says otherwise.
pub const ORPHAN_AGE: &str = "7d";

/// The answer about a place.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The address that was asked about.
    pub location: String,
    /// The saved plan that answers; none if everything was read for the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<SavedPlan>,
    pub places: Vec<PlaceReport>,
    /// Artifacts that are there too, and are not told one by one.
    pub more: u64,
    /// Addresses of the same key in buckets of the same name elsewhere.
    pub namesakes: BTreeSet<String>,
    /// Why the purge would refuse to delete anything at all; empty if nothing is in its way.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub refused: String,
    /// Who reads keys that begin with a variable: whether they read this place can't be told.
    pub may_read: BTreeSet<String>,
    /// Sources of references that could not be read.
    pub unread: Vec<String>,
}

/// A saved plan.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SavedPlan {
    pub created_at: Timestamp,
    pub hash: String,
}

/// An artifact's place, or the one that was asked about, while the answer is made.
struct Spotted {
    uri: String,
    /// None for engines whose objects can't be listed.
    bucket: Option<Bucket>,
    /// The bucket's name, by which references know it.
    name: String,
    key: String,
    /// The key of the artifact, which may be a directory above.
    artifact: String,
    reach: Reach,
    artifacts: Vec<Located>,
}

/// Answers by everything that was read for a purge under these rules. The sources that could not be read come back beside
/// the answer.
///
/// # Errors
/// There is no room for temporary files.
pub async fn explain(
    mut scan: Scan,
    asked: &Asked,
    rules: &Rules,
    store: &Store,
) -> Result<(Explanation, Vec<Unread>), Error> {
    scan.retain()?;
    let Gathered { selected, at_place, texts, references, released, names, guarded, unread, .. } =
        scan.finish();
    let (candidates, retained) = narrowed(selected, asked)?;
    let mut places = spotted(asked, once_each(at_place.located));
    for located in places.iter_mut().flat_map(|place| &mut place.artifacts) {
        if located.purge == Choice::Candidate
            && let Some(detail) = retained.get(&identity(located))
        {
            located.purge = Choice::Kept { protection: Protection::Retained, detail: detail.clone() };
        }
    }
    let (named, mentions) = searched(texts, &places, rules)?;
    let needs = Needs { references: &references, released: &released, named: &named };
    let mut draft = Draft::new(Head::new(rules.now, None, String::new(), Vec::new()))?;
    let untold = Progress::default().begin(Doing::Looking, None);
    let failed = resolve(candidates, needs, rules, (store, MOST_OBJECTS), (&mut draft, &untold)).await.err();
    let fates = Fates::of(&draft.seal(Vec::new())?)?;
    let known = Everything { needs, names: &names, guarded: &guarded, rules, fates, failed };
    let mut reports = Vec::new();
    for (place, mentions) in places.into_iter().zip(mentions) {
        let (facts, problem) = place.look(store).await;
        let mut report = known.report(place, mentions, facts, problem);
        marks(&mut report.objects, store).await;
        reports.push(report);
    }
    let explanation = Explanation {
        location: asked.uri().to_owned(),
        plan: None,
        places: reports,
        more: at_place.more,
        namesakes: at_place.namesakes,
        refused: String::new(),
        may_read: references.readers_of_anything().map(|referrer| referrer.name.clone()).collect(),
        unread: unread.iter().map(ToString::to_string).collect(),
    };
    Ok((explanation, unread))
}

/// Notes which of the first objects of a place are marked. Who may not read marks is not told of them.
async fn marks(objects: &mut [ObjectReport], store: &Store) {
    let marks = objects.iter_mut().take(MOST_MARKS).map(|object| async {
        let Ok((bucket, key)) = Bucket::and_key(&object.location) else { return };
        if let Ok(MarkText::Read(Some(text))) = store.mark_text(&bucket, key).await {
            object.marked = Mark::of(&text, &object.generation, object.created).map(|mark| mark.since);
        }
    });
    join_all(marks).await;
}

/// Searches the texts for the artifacts of the places: as a purge does, and for everyone who names each place.
fn searched(
    texts: Texts,
    places: &[Spotted],
    rules: &Rules,
) -> Result<(Named, Vec<Vec<ReferrerReport>>), Error> {
    let mut keys = PlannedKeysBuilder::new(&rules.allowed);
    places.iter().flat_map(Spotted::planned_keys).for_each(|planned| keys.add(&planned));
    let keys = Arc::new(keys.finish());
    let mut named = Named::new(Arc::clone(&keys));
    let planned: Vec<Vec<PlannedKey<'_>>> = places.iter().map(Spotted::planned_keys).collect();
    let mut mentions: Vec<Vec<ReferrerReport>> = places.iter().map(|_| Vec::new()).collect();
    for text in texts.each()? {
        let text = text?;
        let hits = keys.named_in(&text.text);
        if hits.is_empty() {
            continue;
        }
        let by = Referrer { name: text.name, uid: text.uid };
        // A purge is content with the first that names an artifact.
        let mut alone = Named::new(Arc::clone(&keys));
        alone.add(&by, hits.clone());
        for (planned, mentions) in planned.iter().zip(&mut mentions) {
            let found = planned.iter().filter_map(|planned| alone.mention(planned));
            found.for_each(|mention| add_referrer(mentions, mention.into()));
        }
        named.add(&by, hits);
    }
    Ok((named, mentions))
}

/// Answers by a saved plan, and by nothing else.
///
/// # Errors
/// The plan can't be read any more.
pub fn explain_saved(plan: &Plan, asked: &Asked) -> Result<Explanation, Error> {
    let mut place = PlaceReport {
        location: asked.uri().to_owned(),
        artifacts: Vec::new(),
        referrers: Vec::new(),
        objects: Vec::new(),
        storage_problem: String::new(),
        conclusion: Conclusion::NotInPlan,
    };
    let mut more = 0;
    let mut is_absent = false;
    let (mut told, hasher) = (HashSet::new(), RandomState::new());
    let here = |uri: &str| matches!(asked.relation(uri, false), Some(Relation::Same | Relation::Below));
    for workflow in plan.workflows()? {
        let workflow = workflow?;
        is_absent |= workflow.absent.iter().any(|uri| asked.relation(uri, true).is_some());
        let deleted = workflow.delete.iter().map(|object| ObjectReport {
            location: object.bucket.uri(&object.key),
            generation: object.generation.to_string(),
            size: object.size,
            created: object.created,
            fate: deleted(&workflow, object, &plan.tail.sharing),
            marked: None,
        });
        let kept = workflow.keep.iter().map(|kept| ObjectReport {
            location: kept.location.clone(),
            generation: String::new(),
            size: 0,
            created: None,
            fate: kept_by(kept),
            marked: None,
        });
        for object in deleted.chain(kept).filter(|object| here(&object.location)) {
            // Each artifact that names an object keeps it, and the first says why.
            if object.generation.is_empty() && !told.insert(hasher.hash_one(&object.location)) {
                continue;
            }
            match place.objects.len() < MOST_OBJECTS {
                true => place.objects.push(object),
                false => more += 1,
            }
        }
    }
    if is_absent || !place.objects.is_empty() {
        place.conclusion = Conclusion::of_objects(&place.objects, "");
    }
    Ok(Explanation {
        location: asked.uri().to_owned(),
        plan: Some(SavedPlan { created_at: plan.head.created_at, hash: plan.hash.clone() }),
        places: vec![place],
        more,
        namesakes: BTreeSet::new(),
        refused: String::new(),
        may_read: BTreeSet::new(),
        unread: plan.head.unread.iter().map(ToString::to_string).collect(),
    })
}

type Identity = (String, String, String);

fn identity(located: &Located) -> Identity {
    (located.namespace.clone(), located.workflow.clone(), located.uid.clone())
}

/// The selected workflows with their candidates at the place only, and those that the retention policy keeps, with its
/// words. What is kept without storage is told with the artifacts.
fn narrowed(
    selected: DiskQueue<Selected>,
    asked: &Asked,
) -> Result<(DiskQueue<Selected>, HashMap<Identity, String>), Error> {
    let mut narrowed = DiskQueue::default();
    let mut retained = HashMap::new();
    for one in selected.into_values()? {
        let mut one: Selected = one?;
        let kept = std::mem::take(&mut one.plan.keep);
        if let Some(kept) = kept.into_iter().find(|kept| kept.protection == Protection::Retained) {
            let plan = &one.plan;
            retained.insert((plan.namespace.clone(), plan.name.clone(), plan.uid.clone()), kept.detail);
        }
        one.plan.release_finalizer = false;
        one.candidates.retain(|candidate| asked.relation(&candidate.uri(), candidate.unarchived).is_some());
        if one.has_candidates() {
            narrowed.push(&one)?;
        }
    }
    Ok((narrowed, retained))
}

/// A list that was started over shows a workflow twice.
fn once_each(mut located: Vec<Located>) -> Vec<Located> {
    let mut seen: HashSet<(Identity, String, String)> = HashSet::new();
    located.retain(|one| {
        one.uid.is_empty()
            || seen.insert((identity(one), one.artifact.node_id.clone(), one.artifact.name.clone()))
    });
    located
}

/// The places of these artifacts, or the one that was asked about if there are none.
fn spotted(asked: &Asked, located: Vec<Located>) -> Vec<Spotted> {
    let mut places: Vec<Spotted> = Vec::new();
    for one in located {
        let Some(location) = &one.artifact.location else { continue };
        let own = location.to_string().trim_end_matches('/').to_owned();
        let key = location.key.trim_end_matches('/');
        let (uri, key, artifact) = match (one.relation, asked.place()) {
            (Relation::Holds, Some((_, inner))) => (asked.uri().to_owned(), inner, key),
            (Relation::Holds, None) => (asked.uri().to_owned(), key, key),
            _ => (own, key, key),
        };
        let reach = if one.artifact.unarchived { Reach::Directory } else { Reach::Key };
        match places.iter_mut().find(|place| place.uri == uri) {
            Some(place) => {
                if reach == Reach::Directory {
                    place.reach = reach;
                }
                place.artifacts.push(one);
            }
            None => places.push(Spotted {
                uri,
                bucket: location.bucket(),
                name: location.bucket.clone(),
                key: key.to_owned(),
                artifact: artifact.to_owned(),
                reach,
                artifacts: vec![one],
            }),
        }
    }
    if places.is_empty() {
        let (bucket, key) = asked.place().unzip();
        let key = key.unwrap_or_default().to_owned();
        places.push(Spotted {
            uri: asked.uri().to_owned(),
            bucket: bucket.cloned(),
            name: bucket.map(|bucket| bucket.name().to_owned()).unwrap_or_default(),
            artifact: key.clone(),
            key,
            reach: Reach::Directory,
            artifacts: Vec::new(),
        });
    }
    places
}

impl Spotted {
    /// What texts are searched for: the artifact, for each workflow that has it.
    fn planned_keys(&self) -> Vec<PlannedKey<'_>> {
        let planned = |workflow, uid| PlannedKey { bucket: &self.name, key: &self.artifact, workflow, uid };
        match &self.artifacts[..] {
            _ if self.artifact.is_empty() => Vec::new(),
            [] => vec![planned("", "")],
            artifacts => artifacts.iter().map(|located| planned(&located.workflow, &located.uid)).collect(),
        }
    }

    /// Asks storage what is there.
    async fn look(&self, store: &Store) -> (Vec<ObjectFacts>, String) {
        let Some(bucket) = self.bucket.as_ref().filter(|_| !self.key.is_empty()) else {
            return (Vec::new(), String::new());
        };
        let place = Place { key: &self.key, reach: self.reach };
        let spot = Spot { bucket: Cow::Borrowed(bucket), place };
        match objects_up_to(store, &[spot], Depth::Whole, MOST_OBJECTS).await.pop() {
            Some(Ok(objects)) => (objects, String::new()),
            Some(Err(error)) => (Vec::new(), storage_error(&error)),
            None => (Vec::new(), String::new()),
        }
    }
}

/// What a plan does with objects, by their addresses.
struct Fates(HashMap<String, Fate>);

impl Fates {
    fn of(plan: &Plan) -> Result<Self, Error> {
        let mut fates = HashMap::new();
        for workflow in plan.workflows()? {
            let workflow = workflow?;
            for kept in &workflow.keep {
                fates.entry(kept.location.clone()).or_insert_with(|| kept_by(kept));
            }
            for object in &workflow.delete {
                let fate = deleted(&workflow, object, &plan.tail.sharing);
                fates.insert(object.bucket.uri(&object.key), fate);
            }
        }
        Ok(Self(fates))
    }
}

fn kept_by(kept: &KeptObject) -> Fate {
    Fate::Kept { protection: kept.protection, detail: kept.detail.clone() }
}

fn deleted(workflow: &PlannedWorkflow, object: &PlannedObject, sharing: &Sharing) -> Fate {
    let sharers = sharing.members(object.shared_with).into_iter();
    Fate::Deleted {
        namespace: workflow.namespace.clone(),
        workflow: workflow.name.clone(),
        artifact: object.artifact.to_string(),
        reason: object.reason.to_string(),
        shared_with: sharers.map(|sharer| format!("{}/{}", sharer.namespace, sharer.name)).collect(),
    }
}

/// Everything by which places are judged.
struct Everything<'a> {
    needs: Needs<'a>,
    /// Names and UIDs of all workflows.
    names: &'a Names,
    guarded: &'a Guarded,
    rules: &'a Rules,
    fates: Fates,
    /// Why the candidates could not be decided about.
    failed: Option<Error>,
}

impl Everything<'_> {
    fn report(
        &self,
        place: Spotted,
        mentions: Vec<ReferrerReport>,
        facts: Vec<ObjectFacts>,
        mut storage_problem: String,
    ) -> PlaceReport {
        let Needs { references, released, .. } = self.needs;
        let is_candidate = place.artifacts.iter().any(|located| located.purge == Choice::Candidate);
        if let Some(failed) = self.failed.as_ref().filter(|_| is_candidate && storage_problem.is_empty()) {
            storage_problem = failed.brief().to_owned();
        }
        let mut referrers = Vec::new();
        for key in std::iter::once(&place.key).chain(facts.iter().map(|facts| &facts.key)) {
            let standing = references.all_within(&place.name, key, &place.artifact, released);
            standing.into_iter().for_each(|one| add_referrer(&mut referrers, one.into()));
        }
        mentions.into_iter().for_each(|mention| add_referrer(&mut referrers, mention));
        let objects: Vec<ObjectReport> = facts.into_iter().map(|facts| self.object(&place, facts)).collect();
        let conclusion = Conclusion::of(&place.artifacts, &objects, &storage_problem);
        let Spotted { uri: location, artifacts, .. } = place;
        PlaceReport { location, artifacts, referrers, objects, storage_problem, conclusion }
    }

    fn object(&self, place: &Spotted, facts: ObjectFacts) -> ObjectReport {
        let location = match &place.bucket {
            Some(bucket) => bucket.uri(&facts.key),
            None => place.uri.clone(),
        };
        let (generation, size, created) = (facts.generation.clone(), facts.size, facts.created);
        let fate = self.fates.0.get(&location).cloned().unwrap_or_else(|| {
            let nobodys = place.bucket.as_ref().filter(|_| place.artifacts.is_empty());
            Fate::Untouched { orphans: nobodys.map(|bucket| self.as_orphan(bucket, facts)) }
        });
        ObjectReport { location, generation, size, created, fate, marked: None }
    }

    /// Says what `orphans` makes of an object that no workflow has as an artifact.
    fn as_orphan(&self, bucket: &Bucket, facts: ObjectFacts) -> &'static str {
        let allowed = &self.rules.allowed;
        let configured = allowed.key_formats().into_iter().filter(|(place, _)| place == bucket);
        let mut shapes: Vec<KeyFormat> = allowed.prefixes(bucket).map(KeyFormat::default_below).collect();
        shapes.extend(configured.map(|(_, format)| KeyFormat::parse(&format)));
        let Self { names: workflows, guarded, .. } = *self;
        let known =
            Known { references: self.needs.references, workflows, guarded, shapes: &shapes, live_runs: None };
        let age = duration::parse(ORPHAN_AGE).map_or(SignedDuration::MAX, signed);
        let mut search = Search::new(known, bucket, "", self.rules.now, age);
        search.judge(facts);
        search.finish().word()
    }
}
