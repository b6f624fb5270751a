//! Pins of a policy: runs that keep everything, by name or labels.

use crate::argo::meta::Meta;
use std::collections::BTreeMap;
use std::fmt;

/// A pin: all its conditions must hold for a run. An empty condition always holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pin {
    pub namespace: Option<String>,
    /// The names of runs; a trailing `*` is a wildcard.
    pub names: Vec<String>,
    pub match_labels: BTreeMap<String, String>,
    pub match_expressions: Vec<Expression>,
}

/// A requirement of a Kubernetes label selector.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    pub key: String,
    pub operator: Operator,
    pub values: Vec<String>,
}

/// The operator of a requirement. As in Kubernetes, `NotIn` also holds for an object without the label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
}

impl Expression {
    fn holds(&self, labels: &BTreeMap<String, String>) -> bool {
        let value = labels.get(&self.key);
        let listed = value.is_some_and(|value| self.values.contains(value));
        match self.operator {
            Operator::In => listed,
            Operator::NotIn => !listed,
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
        }
    }
}

impl Pin {
    /// Returns true if the pin keeps the object.
    pub fn takes(&self, meta: &Meta) -> bool {
        self.hits(meta).next().is_some()
    }

    /// Returns the numbers of the names by which the pin keeps the object. A pin without names keeps it by 0.
    pub(crate) fn hits<'a>(&'a self, meta: &'a Meta) -> impl Iterator<Item = usize> + 'a {
        let named = |name: &str| match name.strip_suffix('*') {
            Some(beginning) => meta.name.starts_with(beginning),
            None => *name == meta.name,
        };
        let others = self.namespace.as_ref().is_none_or(|namespace| *namespace == meta.namespace)
            && self.match_labels.iter().all(|(key, value)| meta.labels.get(key) == Some(value))
            && self.match_expressions.iter().all(|expression| expression.holds(&meta.labels));
        let nameless = (others && self.names.is_empty()).then_some(0);
        let names = self.names.iter().enumerate().filter(move |(_, name)| others && named(name));
        nameless.into_iter().chain(names.map(|(at, _)| at))
    }

    /// Returns the pin with one of its names only; itself if it has none.
    pub(crate) fn by(&self, name: usize) -> Self {
        Self { names: self.names.get(name).into_iter().cloned().collect(), ..self.clone() }
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        parts.extend(self.namespace.iter().map(|namespace| format!("namespace {namespace}")));
        if !self.names.is_empty() {
            parts.push(format!("names {}", self.names.join(", ")));
        }
        parts.extend(self.match_labels.iter().map(|(key, value)| format!("{key}={value}")));
        parts.extend(self.match_expressions.iter().map(|expression| {
            let Expression { key, operator, values } = expression;
            match operator {
                Operator::In => format!("{key} in ({})", values.join(",")),
                Operator::NotIn => format!("{key} notin ({})", values.join(",")),
                Operator::Exists => key.clone(),
                Operator::DoesNotExist => format!("!{key}"),
            }
        }));
        f.write_str(&parts.join("; "))
    }
}
