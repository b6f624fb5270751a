//! What forbids deletes of a plan, because it appeared or changed since the plan was made.

use crate::cluster::gathering::ReferrerText;
use crate::cluster::referrers::Pins;
use crate::cluster::unread::UnreadSource;
use crate::cluster::watch::feed::is_newer;
use crate::error::Error;
use crate::purge::plan_file::Plan;
use crate::purge::recheck::{difference, rerun};

use crate::scan::gather::ScanPart;
use crate::scan::terms;
use argo_gc_core::argo::names;
use argo_gc_core::argo::workflow::Workflow;
use argo_gc_core::model::context::Context;
use argo_gc_core::model::protection::Protection;
use argo_gc_core::plan::guarded::Guarded;
use argo_gc_core::plan::named::Named;
use argo_gc_core::plan::planned::{PlannedObject, PlannedWorkflow};
use argo_gc_core::plan::planned_keys::{Hits, PlannedKeys};
use argo_gc_core::plan::references::later::LaterReferences;
use argo_gc_core::plan::references::{ReferencesBuilder, Referrer};
use argo_gc_core::plan::rules::Allowed;
use argo_gc_core::plan::sharing::{Sharer, Sharing};
use jiff::Timestamp;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// The most uses that are kept of what came later. Each takes sixteen bytes.
const MAX_USES: usize = 4_000_000;

/// A protection with its detail.
pub type Objection = (Protection, String);

/// What changes are judged by.
pub(crate) struct Terms {
    pub gathering: Arc<terms::Terms>,
    /// UIDs of the workflows that give up what is planned.
    pub released: HashSet<String>,
    /// The sources that the user accepted as unread.
    pub accepted: HashSet<UnreadSource>,
    /// What is looked for in texts.
    pub keys: Arc<PlannedKeys>,
    sharing: Sharing,
    made: Timestamp,
}

impl Terms {
    /// What these texts name.
    pub fn named_in(&self, texts: impl IntoIterator<Item = ReferrerText>) -> Vec<(Referrer, Hits)> {
        let found = |ReferrerText { name, uid, text }: ReferrerText| {
            let hits = self.keys.named_in(&text);
            (!hits.is_empty()).then_some((Referrer { name, uid }, hits))
        };
        texts.into_iter().filter_map(found).collect()
    }
}

/// A workflow of the plan, or one that shares objects, as it was seen last.
struct Seen {
    workflow: Workflow,
    deleted: bool,
}

/// All that came after a plan.
pub(crate) struct Standing {
    pub terms: Arc<Terms>,
    /// By UID.
    workflows: HashMap<String, Seen>,
    references: LaterReferences,
    /// Texts that name something of the plan.
    named: Named,
    pins: Pins,
    /// Where nothing is an orphan.
    guarded: Guarded,
    /// Something that may refer to anything.
    blocked: Option<String>,
}

impl Standing {
    /// Nothing forbids the deletes of a new plan.
    ///
    /// # Errors
    /// The plan can't be read.
    pub fn new(plan: &Plan, context: &Context) -> Result<Self, Error> {
        let mut allowed = Allowed::default();
        allowed.add_controllers(&context.controllers, plan.head.namespace.as_deref());
        plan.head.allow(&mut allowed);
        let terms = Terms {
            keys: Arc::new(plan.keys(&allowed)?),
            sharing: plan.tail.sharing.clone(),
            gathering: Arc::new(terms::Terms::selecting_nothing(context.clone(), Pins::default())),
            released: plan.uids()?,
            accepted: plan.head.unread.iter().map(|unread| unread.source).collect(),
            made: plan.head.created_at,
        };
        Ok(Self {
            named: Named::new(Arc::clone(&terms.keys)),
            terms: Arc::new(terms),
            workflows: HashMap::new(),
            references: LaterReferences::default(),
            pins: Pins::default(),
            guarded: Guarded::default(),
            blocked: None,
        })
    }

    /// Takes in something that changed and can't be read: it may refer to anything.
    pub fn block(&mut self, what: &str) {
        self.blocked.get_or_insert_with(|| {
            format!("perhaps by what changed since the plan was made, and can't be read: {what}")
        });
    }

    /// Takes in the new state of a workflow that gives up what is planned. Returns true if it no longer does.
    pub fn note(&mut self, workflow: Workflow, deleted: bool) -> bool {
        let altered = rerun(&workflow, self.terms.made).is_some();
        let known = self.workflows.get(&workflow.metadata.uid);
        let version = &workflow.metadata.resource_version;
        // What waited for the plan is processed after what came meanwhile.
        if known.is_none_or(|known| !is_newer(&known.workflow.metadata.resource_version, version)) {
            self.workflows
                .insert(workflow.metadata.uid.clone(), Seen { workflow: essence(workflow), deleted });
        }
        altered
    }

    /// Takes in any other workflow, and what its text names.
    pub fn absorb(&mut self, part: ScanPart, named: Vec<(Referrer, Hits)>) {
        let ScanPart { gathering, guarded, unread, .. } = part;
        self.guarded.absorb(guarded);
        self.refer(gathering, named, &Pins::default());
        if let Some(unread) = unread.iter().find(|unread| !self.terms.accepted.contains(&unread.source)) {
            self.block(&unread.why);
        }
    }

    /// Takes in what an object refers to and pins. Here alone do references come in, whatever kind they are of.
    pub fn refer(&mut self, gathering: ReferencesBuilder, named: Vec<(Referrer, Hits)>, pins: &Pins) {
        named.into_iter().for_each(|(by, hits)| self.named.add(&by, hits));
        pins.pinned_namespaces.iter().for_each(|name| self.guarded.folder(name));
        self.pins.pinned_namespaces.extend(pins.pinned_namespaces.iter().cloned());
        self.pins.pinned_templates.extend(pins.pinned_templates.iter().cloned());
        self.references.add(gathering);
        if self.references.len() > MAX_USES {
            self.block("more than can be remembered");
        }
    }

    /// What keeps all of a workflow.
    pub fn of_workflow(&self, plan: &PlannedWorkflow, templates: &[(String, String)]) -> Option<Objection> {
        if let Some(why) = &self.blocked {
            return Some((Protection::Referenced, why.clone()));
        }
        if plan.orphans {
            return None;
        }
        if let Some(Seen { workflow, deleted }) = self.workflows.get(&plan.uid) {
            let why = if *deleted { Some("it was deleted".to_owned()) } else { difference(plan, workflow) };
            if let Some(why) = why {
                return Some((Protection::Changed, why));
            }
        }
        let pinned =
            |what: &str| Some((Protection::Pinned, format!("on the {what}, since the plan was made")));
        if self.pins.pinned_namespaces.contains(&plan.namespace) {
            return pinned("namespace");
        }
        match templates.iter().any(|template| self.pins.pinned_templates.contains(template)) {
            true => pinned("template"),
            false => None,
        }
    }

    /// What keeps one object.
    pub fn of_object(&self, plan: &PlannedWorkflow, object: &PlannedObject) -> Option<Objection> {
        let sharers = match self.workflows.is_empty() {
            true => Vec::new(),
            false => self.terms.sharing.members(object.shared_with),
        };
        for Sharer { namespace, name, uid, .. } in sharers {
            let Some(Seen { workflow, deleted: false }) = self.workflows.get(uid) else { continue };
            if let Some(why) = rerun(workflow, self.terms.made) {
                return Some((Protection::Changed, format!("it is shared with {namespace}/{name}: {why}")));
            }
        }
        if plan.orphans
            && let Some(guard) = self.guarded.holder(&object.key)
        {
            return Some((Protection::Pinned, format!("{guard} is pinned, or not finished")));
        }
        if let Some(mention) = self.named.mention(&object.planned_key(&plan.name, &plan.uid)) {
            return Some((Protection::Referenced, format!("{}, since the plan was made", mention.detail())));
        }
        let holder = self.references.holder(object.bucket.name(), &object.key, (&plan.name, &plan.uid))?;
        Some((
            Protection::Referenced,
            format!("by {}, which appeared or changed since the plan was made", holder.name),
        ))
    }
}

/// A workflow with only what tells whether it ran again or was pinned.
fn essence(workflow: Workflow) -> Workflow {
    let Workflow { mut metadata, status, .. } = workflow;
    let telling = |name: &String| name == names::KEEP || name == names::COMPLETED;
    metadata.labels.retain(|name, _| telling(name));
    metadata.annotations.retain(|name, _| telling(name));
    let mut essence = Workflow { metadata, ..Workflow::default() };
    essence.status.phase = status.phase;
    essence.status.finished_at = status.finished_at;
    essence
}
