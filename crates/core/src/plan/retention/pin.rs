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
        let named = |name: &String| match name.strip_suffix('*') {
            Some(beginning) => meta.name.starts_with(beginning),
            None => *name == meta.name,
        };
        self.namespace.as_ref().is_none_or(|namespace| *namespace == meta.namespace)
            && (self.names.is_empty() || self.names.iter().any(named))
            && self.match_labels.iter().all(|(key, value)| meta.labels.get(key) == Some(value))
            && self.match_expressions.iter().all(|expression| expression.holds(&meta.labels))
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
