//! The kinds of objects, other than workflows, that may refer to an artifact or keep it. Clusters and files share the
//! table.

use crate::cluster::gathering::{Gathering, ReferrerText};
use crate::cluster::unread::{Unread, UnreadSource};
use argo_gc_core::argo::list::{Item, object};
use argo_gc_core::argo::meta::Meta;
use argo_gc_core::argo::uses::Uses;
use argo_gc_core::plan::references::Buckets;
use serde::Deserialize;
use std::collections::{BTreeMap, HashSet};
use std::fmt;

/// The path of Argo's API group.
pub(crate) const ARGO: &str = "/apis/argoproj.io/v1alpha1";

/// What keeps artifacts without referring to them, and what could not be read.
#[derive(Debug, Clone, Default)]
pub struct Pins {
    /// Namespaces that are pinned.
    pub pinned_namespaces: HashSet<String>,
    /// Templates that are pinned, by `(namespace, name)`; the namespace of a cluster template is empty.
    pub pinned_templates: HashSet<(String, String)>,
    pub unread: Vec<Unread>,
}

/// Where an object of a kind names locations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mentions {
    /// Anywhere in it.
    Anywhere,
    /// In the JSON texts that are its data's values.
    DataValues,
    Nowhere,
}

/// What the pin of an object (`argo-gc/keep`) keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pin {
    /// Nothing but, perhaps, the object itself.
    Nothing,
    /// The artifacts of workflows that were made from the template.
    Template,
    /// The artifacts of all workflows in the namespace.
    Namespace,
}

/// A kind whose objects may refer to artifacts, or keep them.
#[derive(Debug)]
pub(crate) struct Referrer {
    pub(crate) source: UnreadSource,
    /// The `kind` of its objects.
    pub(crate) kind: &'static str,
    /// What one of its objects is called in a protection's detail.
    pub(crate) what: &'static str,
    pub(crate) group: &'static str,
    pub(crate) resource: &'static str,
    pub(crate) namespaced: bool,
    /// Only objects with this label count.
    pub(crate) label: Option<(&'static str, &'static str)>,
    mentions: Mentions,
    pin: Pin,
}

/// Every such kind. A kind that is missing here is missing as a guard, in clusters and in files.
pub(crate) const REFERRERS: [Referrer; 8] = [
    Referrer {
        group: "/api/v1",
        label: Some(("workflows.argoproj.io/configmap-type", "Cache")),
        mentions: Mentions::DataValues,
        ..argo(UnreadSource::Caches, "ConfigMap", "cache", "configmaps")
    },
    Referrer {
        pin: Pin::Template,
        ..argo(UnreadSource::Templates, "WorkflowTemplate", "workflow template", "workflowtemplates")
    },
    Referrer {
        namespaced: false,
        pin: Pin::Template,
        ..argo(
            UnreadSource::ClusterTemplates,
            "ClusterWorkflowTemplate",
            "cluster workflow template",
            "clusterworkflowtemplates",
        )
    },
    argo(UnreadSource::CronWorkflows, "CronWorkflow", "cron workflow", "cronworkflows"),
    argo(UnreadSource::Sensors, "Sensor", "sensor", "sensors"),
    // Like sensors, event bindings submit workflows with arguments of their own.
    argo(UnreadSource::Sensors, "WorkflowEventBinding", "workflow event binding", "workfloweventbindings"),
    Referrer {
        group: "/api/v1",
        namespaced: false,
        mentions: Mentions::Nowhere,
        pin: Pin::Namespace,
        ..argo(UnreadSource::Namespaces, "Namespace", "namespace", "namespaces")
    },
    // Pods report their outputs here before a node records them.
    argo(UnreadSource::Nodes, "WorkflowTaskResult", "task result", "workflowtaskresults"),
];

/// The workflows themselves. They are read by rules of their own, so they are no row of the table.
pub(crate) const WORKFLOWS: Referrer = argo(UnreadSource::Workflows, "Workflow", "workflow", "workflows");

const fn argo(
    source: UnreadSource,
    kind: &'static str,
    what: &'static str,
    resource: &'static str,
) -> Referrer {
    Referrer {
        source,
        kind,
        what,
        group: ARGO,
        resource,
        namespaced: true,
        label: None,
        mentions: Mentions::Anywhere,
        pin: Pin::Nothing,
    }
}

impl Referrer {
    /// The row of a kind; none for kinds that refer to nothing.
    pub(crate) fn of(kind: &str) -> Option<&'static Self> {
        REFERRERS.iter().find(|referrer| referrer.kind == kind)
    }

    /// Whether the object has the label that the kind's objects must have, for readers that can't select by it.
    pub(crate) fn is_labelled(&self, meta: &Meta) -> bool {
        self.label.is_none_or(|(name, value)| meta.label(name) == value)
    }

    /// Adds what one object refers to, what it may name in its text, and what it pins.
    ///
    /// # Errors
    /// The object makes no sense, and may thus refer to anything; or there is no room for temporary files.
    pub(crate) fn add(
        &self,
        text: &str,
        gathering: &mut Gathering,
        pins: &mut Pins,
    ) -> Result<(), Unreadable> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct WithData {
            data: Option<BTreeMap<String, String>>,
        }
        let meta = match object::<Named>(text) {
            Item::Object(named) => named.metadata,
            Item::Malformed(bad) => {
                let object = bad.known_name().to_owned();
                return Err(Unreadable { what: self.what, object, error: bad.error });
            }
        };
        let object = match meta.namespace.as_str() {
            "" => meta.name.clone(),
            namespace => format!("{namespace}/{}", meta.name),
        };
        if meta.is_pinned() {
            match self.pin {
                Pin::Nothing => {}
                Pin::Template => {
                    pins.pinned_templates.insert((meta.namespace, meta.name));
                }
                Pin::Namespace => {
                    pins.pinned_namespaces.insert(meta.name);
                }
            }
        }
        let broken = |error: serde_json::Error| {
            let (object, error) = (object.clone(), error.to_string());
            Unreadable { what: self.what, object, error }
        };
        let data = match self.mentions {
            Mentions::DataValues => serde_json::from_str::<WithData>(text).map_err(broken)?.data,
            Mentions::Anywhere | Mentions::Nowhere => None,
        };
        let texts: Vec<&str> = match self.mentions {
            Mentions::Anywhere => vec![text],
            Mentions::DataValues => data.iter().flatten().map(|(_, value)| value.as_str()).collect(),
            Mentions::Nowhere => Vec::new(),
        };
        if self.mentions != Mentions::Nowhere {
            let name = format!("{} {object}", self.what);
            let by = gathering.references.referrer(name.clone(), String::new());
            let mut failure = None;
            for part in texts {
                gathering.references.text(by, part);
                match serde_json::from_str(part) {
                    Ok(Uses(uses)) => uses
                        .iter()
                        .for_each(|found| gathering.references.add(by, found, &Buckets::default(), true)),
                    // The other entries of a cache still count.
                    Err(error) => failure = failure.or(Some(broken(error))),
                }
                let part = ReferrerText { name: name.clone(), uid: String::new(), text: part.to_owned() };
                if let Err(error) = gathering.texts.push(&part) {
                    let (object, error) = (object.clone(), error.to_string());
                    failure = failure.or(Some(Unreadable { what: self.what, object, error }));
                }
            }
            return failure.map_or(Ok(()), Err);
        }
        Ok(())
    }
}

/// An object of which only the metadata is read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Named {
    pub(crate) metadata: Meta,
}

/// An object that makes no sense.
#[derive(Debug)]
pub(crate) struct Unreadable {
    /// What an object of its kind is called.
    what: &'static str,
    /// Its `namespace/name`, as far as it is known.
    object: String,
    error: String,
}

impl Unreadable {
    /// It as a part of its source that could not be read.
    pub(crate) fn as_unread(&self, source: UnreadSource) -> Unread {
        match self.object.as_str() {
            "" => Unread::new(source, self.to_string()),
            object => Unread::object(source, self.what, object, &self.error),
        }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let space = if self.object.is_empty() { "" } else { " " };
        write!(f, "{}{space}{}: {}", self.what, self.object, self.error)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::files::read_from;
    use serde_json::{Value, json};

    /// An object of the kind that reads one artifact by its literal key.
    fn object(referrer: &Referrer) -> Value {
        let input = json!({ "artifacts": [{ "name": "in", "gcs": { "bucket": "b", "key": "k" } }] });
        let mut labels = serde_json::Map::new();
        labels.extend(referrer.label.map(|(name, value)| (name.to_owned(), json!(value))));
        json!({
            "kind": referrer.kind,
            "metadata": { "name": "x", "labels": labels },
            "data": { "entry": json!({ "outputs": input }).to_string() },
            "spec": { "inputs": input, "arguments": input },
        })
    }

    #[test]
    fn every_kind_is_found_in_files_too() {
        for referrer in &REFERRERS {
            let text = object(referrer).to_string();
            let mut found = None;
            read_from("test", &mut text.as_bytes(), &mut |object, _| {
                found = Referrer::of(object.kind()).map(|found| found.source);
                true
            })
            .unwrap();
            let expected = match referrer.source {
                // A template's file does not keep its kind.
                UnreadSource::ClusterTemplates => UnreadSource::Templates,
                source => source,
            };
            assert_eq!(found, Some(expected), "{}", referrer.kind);
        }
    }

    #[test]
    fn an_object_that_makes_no_sense_is_named() {
        for referrer in REFERRERS.iter().filter(|referrer| referrer.mentions == Mentions::DataValues) {
            for (text, object) in [
                (r#"{"metadata":{"name":"x","namespace":"ml"},"data":{"entry":"{"}}"#, "ml/x"),
                (r#"{"metadata":{"name":"x","namespace":"ml","labels":7}}"#, "ml/x"),
                (r#"{"metadata":{"labels":7}}"#, ""),
            ] {
                let mut pins = Pins::default();
                let unreadable = referrer.add(text, &mut Gathering::default(), &mut pins).unwrap_err();
                let unread = unreadable.as_unread(referrer.source);
                assert_eq!(unread.object, object, "{text}");
                let words = format!("caches: {}: ", format!("cache {object}").trim_end());
                assert!(unread.to_string().starts_with(&words), "{unread}");
            }
        }
    }

    #[test]
    fn a_pinned_object_keeps_what_its_kind_says() {
        let mut pins = Pins::default();
        for referrer in &REFERRERS {
            let mut pinned = object(referrer);
            pinned["metadata"]["labels"]["argo-gc/keep"] = json!("true");
            referrer.add(&pinned.to_string(), &mut Gathering::default(), &mut pins).unwrap();
        }
        assert_eq!(pins.pinned_namespaces, HashSet::from(["x".to_owned()]));
        assert_eq!(pins.pinned_templates, HashSet::from([(String::new(), "x".to_owned())]));
    }
}
