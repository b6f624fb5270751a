//! Reading all workflows once: what is asked to go, and what everything refers to.

use crate::cluster::argo_server::KnownWorkflow;
use crate::cluster::gathering::{Gathering, ReferrerText, Texts};
use crate::cluster::references::template_of;
use crate::cluster::referrers::Pins;
use crate::cluster::unread::{Unread, UnreadSource};
use crate::disk_queue::DiskQueue;
use crate::error::Error;
use crate::scan::counted::Counted;
use crate::scan::gathered::Gathered;
use crate::scan::key_places::buckets;
use crate::scan::selection::{Name, not_found};
use crate::scan::terms::{Terms, circumstances, pinned};
use crate::scan::visitor::{Found, Visitor};
use argo_gc_core::argo::list::{Item, Malformed, object};
use argo_gc_core::argo::meta::Meta;
use argo_gc_core::argo::nodes::NodesError;
use argo_gc_core::argo::uses::Uses;
use argo_gc_core::argo::workflow::Workflow;
use argo_gc_core::argo::{names, nodes};
use argo_gc_core::assess::assess;
use argo_gc_core::endangered::EndangeredBuilder;
use argo_gc_core::hashes::{Hashes, Names};
use argo_gc_core::model::login::Logins;
use argo_gc_core::plan::decide::Selected;
use argo_gc_core::plan::guarded::Guarded;
use argo_gc_core::plan::kubeflow;
use argo_gc_core::plan::located::{AtPlace, locate};
use argo_gc_core::plan::planned_keys::PlannedKeysBuilder;
use argo_gc_core::plan::references::crowd::Crowd;
use argo_gc_core::plan::references::{ReferencesBuilder, ReferrerId, Released};
use argo_gc_core::plan::retention::hits::{Hits, Idle};
use argo_gc_core::plan::retention::newest::Newest;
use argo_gc_core::plan::retention::{Retention, Run};
use argo_gc_core::plan::rules::{Rules, Unwanted};
use argo_gc_core::plan::select::{Circumstances, hangs, select, unwanted};
use argo_gc_core::plan::told::Told;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

impl Visitor for Terms {
    type Part = ScanPart;

    const NEEDS_TEXT: bool = true;

    fn workflow(&self, found: Found<'_>, part: &mut ScanPart) {
        if self.tells && !part.gathering.is_telling() {
            part.gathering = ReferencesBuilder::telling();
        }
        part.take(found, self);
    }

    fn malformed(&self, malformed: Malformed, part: &mut ScanPart) {
        part.malformed(malformed);
    }
}

/// Part of a gathering: what one page, or one file, holds.
#[derive(Default)]
pub struct ScanPart {
    pub selected: Vec<Selected>,
    pub gathering: ReferencesBuilder,
    /// The texts of what is not over.
    pub(crate) texts: Vec<ReferrerText>,
    pub unread: Vec<Unread>,
    /// Workflows the selection takes.
    pub taken: u64,
    /// Of these, the ones whose finalizer hangs.
    pub hanging: u64,
    /// Names and UIDs of all workflows.
    pub names: Vec<String>,
    /// Artifacts at the place that is asked about.
    at_place: AtPlace,
    endangered: EndangeredBuilder,
    /// Folders of those that are not over, or pinned, and of runs of Kubeflow Pipelines.
    pub guarded: Guarded,
    /// Names the user gave that are there.
    pub(crate) found: BTreeSet<Name>,
    /// Artifacts of workflows the selection takes that are not asked for.
    unwanted: BTreeMap<Unwanted, u64>,
    /// What a retention policy learns.
    counted: Counted,
    /// Hashes of the UIDs of live workflows.
    live: Vec<u64>,
    known: Known,
    /// The accounts that the selected workflows name for their buckets.
    logins: Logins,
}

/// One live workflow of each instance ID, to know the cluster by.
type Known = BTreeMap<String, KnownWorkflow>;

impl ScanPart {
    /// Takes one workflow in, from its JSON.
    pub fn workflow(&mut self, text: &str, terms: &Terms) {
        match object::<Workflow>(text) {
            Item::Object(workflow) => self.take(Found::new(workflow, &[text]), terms),
            Item::Malformed(malformed) => self.malformed(malformed),
        }
    }

    fn take(&mut self, found: Found<'_>, terms: &Terms) {
        let Found { mut workflow, texts, no_nodes, also_live } = found;
        let meta = &workflow.metadata;
        let name = format!("{}/{}", meta.namespace, meta.name);
        self.exists(meta);
        let pin = pinned(&workflow, &terms.pins);
        if !workflow.is_over() || pin.is_some() {
            self.guarded.workflow(&meta.name, &meta.uid);
        }
        let now = terms.context.now;
        let retention = terms.rules.retention.as_deref();
        let templates = retention.map(|_| template_of(&workflow)).unwrap_or_default();
        if let Some(retention) = retention {
            let run = Run::new(&workflow, &templates);
            self.counted.workflow(&workflow, &run, pin.is_some(), retention, now);
        }
        let by = if workflow.is_archived_record() {
            self.gathering.referrer(format!("archived workflow {name}"), meta.uid.clone())
        } else {
            self.live.push(identity(&meta.uid));
            self.known.entry(meta.label(names::INSTANCE_ID).to_owned()).or_insert_with(|| KnownWorkflow {
                namespace: meta.namespace.clone(),
                name: meta.name.clone(),
                uid: meta.uid.clone(),
            });
            self.gathering.workflow(&meta.namespace, &meta.name, &meta.uid)
        };
        // A run that has not succeeded may go on, or be retried: its inputs may still be filled in.
        let open = workflow.status.phase != "Succeeded";
        let buckets = buckets(&workflow);
        let mut uses = Vec::new();
        for text in texts {
            match serde_json::from_str::<Uses>(text) {
                Ok(Uses(more)) => uses.extend(more),
                Err(error) => return self.malformed(Malformed { name, error: error.to_string() }),
            }
        }
        let status = &workflow.status;
        if let Some(unseen) = workflow.lacks_nodes() {
            self.unread_nodes(&name, &unseen, no_nodes);
        } else if !status.compressed_nodes.is_empty() {
            match nodes::uses(&status.compressed_nodes) {
                Ok(Uses(more)) => uses.extend(more),
                Err(error) => self.unread_nodes(&name, &error, None),
            }
        }
        if terms.endangers {
            if !workflow.is_over() {
                let who = (&*meta.namespace, &*meta.name, &*meta.uid);
                self.endangered.reads(who, &uses, &buckets);
            }
        } else {
            uses.iter().for_each(|found| self.gathering.add(by, found, &buckets, open));
            self.texts(&workflow, by, texts, terms.tells);
        }
        // One that is live too was selected, or not, as the live one.
        if !also_live {
            self.select(&mut workflow, &templates, pin, terms);
        }
    }

    /// Takes in what is asked to go of a workflow, and what of it is at the place that is asked about.
    fn select(
        &mut self,
        workflow: &mut Workflow,
        templates: &[(String, String)],
        pin: Option<&'static str>,
        terms: &Terms,
    ) {
        let unselected = (terms.selects)(workflow);
        if unselected.is_some() && terms.asked.is_none() && !terms.endangers {
            return;
        }
        let rules = &terms.rules;
        let retention = rules.retention.as_deref();
        let run = Run::new(workflow, templates);
        let filter = retention.map(|retention| retention.filter(&run)).unwrap_or_default();
        let bound = retention.map(|retention| retention.bind(&run, rules.now));
        let about = Circumstances { filter, ..circumstances(workflow, pin, terms) };
        let assessment = assess(workflow, &terms.context);
        if terms.endangers {
            self.endangered.assessed(&assessment);
        }
        if let Some(asked) = &terms.asked {
            self.at_place.absorb(locate(asked, &assessment, &about, rules, unselected));
        }
        if unselected.is_some() {
            return;
        }
        self.taken += 1;
        self.hanging += u64::from(hangs(&assessment));
        let named = terms.named.iter().filter(|name| name.is(&assessment.namespace, &assessment.name));
        self.found.extend(named.cloned());
        for artifact in &assessment.artifacts {
            if let Some(why) = unwanted(artifact, &about, rules) {
                *self.unwanted.entry(why).or_default() += 1;
            }
        }
        if terms.logins {
            self.logins.assessed(&assessment);
        }
        let mut selected = select(&assessment, &about, rules);
        selected.bound = bound;
        if selected.has_candidates()
            || !selected.plan.keep.is_empty()
            || !selected.given_up.is_empty()
            || selected.plan.release_finalizer
        {
            self.selected.push(selected);
        }
    }

    /// Puts the texts of a workflow aside that is not over, or may be retried: they may name an object in any way.
    fn texts(&mut self, workflow: &Workflow, by: ReferrerId, texts: &[&str], tells: bool) {
        let (meta, status) = (&workflow.metadata, &workflow.status);
        if workflow.is_over() && !(tells && status.phase != "Succeeded") {
            return;
        }
        let nodes = nodes::text(&status.compressed_nodes).ok();
        let nodes = nodes.as_ref().map(|nodes| nodes.get());
        for text in texts.iter().copied().chain(nodes) {
            self.gathering.text(by, text);
            if !workflow.is_over() {
                let running = if status.phase == "Running" { "running" } else { "unfinished" };
                self.texts.push(ReferrerText {
                    name: format!("{running} workflow {}/{}", meta.namespace, meta.name),
                    uid: meta.uid.clone(),
                    text: text.to_owned(),
                });
            }
        }
    }

    /// Notes the names by which keys may tell a workflow that exists.
    fn exists(&mut self, meta: &Meta) {
        self.names.extend([&meta.name, &meta.uid].into_iter().filter(|name| !name.is_empty()).cloned());
        let run = meta.label(kubeflow::RUN_ID);
        if !run.is_empty() {
            self.guarded.folder(run);
        }
    }

    /// What can't be read may refer to anything.
    pub fn malformed(&mut self, Malformed { name, error }: Malformed) {
        self.unread.push(match name.contains('/') {
            true => Unread::object(UnreadSource::Workflows, "workflow", &name, error),
            // An object that has no name can't be named.
            false => Unread::new(UnreadSource::Workflows, format!("workflow {name}: {error}")),
        });
    }

    fn unread_nodes(&mut self, name: &str, error: &NodesError, more: Option<&str>) {
        let more = more.map(|why| format!(": {why}")).unwrap_or_default();
        let why = format!("{error}{more}");
        self.unread.push(Unread::object(UnreadSource::Nodes, "workflow", name, why));
    }
}

fn identity(uid: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    uid.hash(&mut hasher);
    hasher.finish()
}

/// All parts together. What is selected waits on disk until every reference is known.
#[derive(Default)]
pub struct Scan {
    selected: DiskQueue<Selected>,
    /// The keys of all that is selected, retained or not.
    keys: PlannedKeysBuilder,
    released: Released,
    gathering: ReferencesBuilder,
    /// What workflows refer to, if nobody asks who does.
    crowd: Option<Crowd>,
    texts: Texts,
    pub unread: Vec<Unread>,
    /// Workflows the selection takes.
    pub taken: u64,
    /// Of these, the ones whose finalizer hangs.
    pub hanging: u64,
    /// Names and UIDs of all workflows.
    names: Names,
    at_place: AtPlace,
    endangered: EndangeredBuilder,
    /// Folders of those that are not over, or pinned, and of runs of Kubeflow Pipelines.
    guarded: Guarded,
    found: BTreeSet<Name>,
    unwanted: BTreeMap<Unwanted, u64>,
    /// UIDs of the selected.
    seen: HashSet<String>,
    /// With a retention policy, what it counts: what the selected give up waits until all is counted.
    newest: Option<Newest>,
    /// Which parts of the policy matched.
    hits: Hits,
    /// Hashes of the UIDs of live workflows.
    live: Hashes,
    known: Known,
    logins: Logins,
    told: DiskQueue<Told>,
    /// Names and UIDs of all workflows, if these are told to others.
    told_names: BTreeSet<String>,
}

impl Scan {
    /// Begins with what was read beside the workflows.
    pub fn new(gathering: Gathering, unread: Vec<Unread>) -> Self {
        let Gathering { references: gathering, texts } = gathering;
        Self { gathering, texts, unread, ..Self::default() }
    }

    /// As [`Self::new`], where nothing is selected and nobody asks which workflow refers to something: memory holds five
    /// to six bytes for each use.
    pub fn nameless(gathering: Gathering, unread: Vec<Unread>) -> Self {
        Self { crowd: Some(Crowd::default()), ..Self::new(gathering, unread) }
    }

    /// As [`Self::new`], for a purge under these rules.
    pub fn under(rules: &Rules, gathering: Gathering, unread: Vec<Unread>) -> Self {
        let newest = rules.retention.as_ref().map(|retention| Newest::new(retention.most()));
        let keys = PlannedKeysBuilder::new(&rules.allowed);
        Self { newest, keys, ..Self::new(gathering, unread) }
    }

    /// Takes one workflow in, from its JSON.
    ///
    /// # Errors
    /// As [`Self::absorb`].
    pub fn workflow(&mut self, text: &str, terms: &Terms) -> Result<(), Error> {
        let mut part = ScanPart::default();
        part.workflow(text, terms);
        self.absorb(part)
    }

    /// Guards everything of these namespaces.
    pub(crate) fn guard_namespaces(&mut self, pins: &Pins) {
        pins.pinned_namespaces.iter().for_each(|name| self.guarded.folder(name));
    }

    /// Takes over a part. A workflow met again (a list started over) counts once.
    ///
    /// # Errors
    /// There is no room for temporary files.
    pub fn absorb(&mut self, mut part: ScanPart) -> Result<(), Error> {
        if part.gathering.is_telling() {
            self.told_names.extend(part.names.iter().cloned());
        }
        self.tell(part.gathering.take_told())?;
        match &mut self.crowd {
            Some(crowd) => part.gathering.join(crowd, &mut self.gathering),
            None => self.gathering.absorb(part.gathering),
        }
        part.texts.iter().try_for_each(|text| self.texts.push(text))?;
        self.unread.extend(part.unread);
        self.taken += part.taken;
        self.hanging += part.hanging;
        self.names.extend(part.names);
        self.at_place.absorb(part.at_place);
        self.endangered.absorb(part.endangered);
        self.guarded.absorb(part.guarded);
        self.found.extend(part.found);
        for (why, count) in part.unwanted {
            *self.unwanted.entry(why).or_default() += count;
        }
        if let Some(newest) = &mut self.newest {
            self.hits.absorb(part.counted.count(newest));
        }
        part.live.into_iter().for_each(|uid| {
            self.live.insert(uid);
        });
        self.known.extend(part.known);
        self.logins.absorb(part.logins);
        for mut selected in part.selected {
            let uid = &selected.plan.uid;
            if uid.is_empty() || self.seen.insert(uid.clone()) {
                if self.newest.is_none() {
                    selected.release(&mut self.released);
                    selected.given_up.clear();
                }
                let planned =
                    selected.candidates.iter().map(|candidate| candidate.planned_key(&selected.plan));
                planned.for_each(|planned| self.keys.add(&planned));
                self.selected.push(&selected)?;
            }
        }
        Ok(())
    }

    /// Keeps what was gathered in plain words.
    ///
    /// # Errors
    /// There is no room for temporary files.
    pub fn tell(&mut self, told: Vec<Told>) -> Result<(), Error> {
        told.iter()
            .filter(|told| !told.uses.is_empty() || !told.words.is_empty())
            .try_for_each(|told| self.told.push(told))
    }

    /// Takes what was gathered in plain words, with the names and UIDs of all workflows.
    pub fn take_told(&mut self) -> (DiskQueue<Told>, BTreeSet<String>) {
        let names = std::mem::take(&mut self.told_names);
        (std::mem::take(&mut self.told), names)
    }

    /// Lets the retention policy take back what it keeps, now that every run is counted.
    ///
    /// # Errors
    /// There is no room for temporary files.
    pub fn retain(&mut self) -> Result<(), Error> {
        let Some(newest) = self.newest.take() else { return Ok(()) };
        let mut selected = DiskQueue::default();
        for one in std::mem::take(&mut self.selected).into_values()? {
            let mut one: Selected = one?;
            one.retain(&newest);
            one.release(&mut self.released);
            one.given_up.clear();
            selected.push(&one)?;
        }
        self.selected = selected;
        Ok(())
    }

    /// The parts of a policy that matched none of the workflows that were read: all, or those of one namespace.
    pub fn idle(&self, policy: &Retention, read: Option<&str>) -> Vec<Idle> {
        policy.idle(&self.hits, read)
    }

    /// Some live workflows to know the cluster by.
    pub fn known(&self) -> Vec<KnownWorkflow> {
        self.known.values().cloned().collect()
    }

    /// Whether a live workflow with this UID was taken in.
    pub fn has_live(&self, uid: &str) -> bool {
        self.live.contains(identity(uid))
    }

    /// A name that isn't there is an error, as with kubectl.
    ///
    /// # Errors
    /// At least one isn't.
    pub(crate) fn ensure_found(&self, named: &[Name]) -> Result<(), Error> {
        let missing: Vec<&Name> = named.iter().filter(|name| !self.found.contains(*name)).collect();
        match missing.is_empty() {
            true => Ok(()),
            false => Err(Error::new(not_found(&missing))),
        }
    }

    /// Ends the gathering.
    pub fn finish(mut self) -> Gathered {
        self.unread.sort_by(|a, b| (a.source.as_str(), &a.why).cmp(&(b.source.as_str(), &b.why)));
        self.unread.dedup();
        self.released.finish();
        let mut references = self.gathering.finish();
        if let Some(crowd) = self.crowd {
            references = references.with(crowd);
        }
        references.settle(&mut self.released);
        Gathered {
            selected: self.selected,
            keys: self.keys,
            released: self.released,
            references,
            texts: self.texts,
            names: self.names,
            at_place: self.at_place,
            endangered: self.endangered,
            guarded: self.guarded,
            unwanted: self.unwanted,
            unread: self.unread,
            logins: self.logins,
        }
    }
}
