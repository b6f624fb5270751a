//! Finds a node's template: the true one, and the one that Argo's GC would find by name only
//! (`docs/argo-gc.md#processing`, `#node-fields`).

use crate::argo::artifact::ArtifactLocation;
use crate::argo::node::NodeStatus;
use crate::argo::template::Template;
use crate::argo::workflow::WorkflowSpec;
use crate::assess::case::Case;
use std::collections::BTreeSet;

/// The most levels of nested inline bodies that are followed; the JSON reader itself stops at 128 levels.
const MAX_DEPTH: usize = 64;

impl<'a> Case<'a> {
    /// Returns the archive location under which the node's outputs were saved: the template's own, else that of
    /// `templateDefaults`, which the executor merges in.
    pub(crate) fn archive_location(&self, node: &NodeStatus) -> Option<&'a ArtifactLocation> {
        let own = self.template_of(node).and_then(|template| template.archive_location.as_ref());
        let defaults = self.policy.spec.template_defaults.as_ref();
        own.or_else(|| defaults.and_then(|defaults| defaults.archive_location.as_ref()))
    }

    /// Returns true if the node's template can't be found although some templates have archive locations: then
    /// the outputs may be at any of these.
    pub(crate) fn lacks_template(&self, node: &NodeStatus) -> bool {
        if self.template_of(node).is_some() {
            return false;
        }
        let status = &self.workflow.status;
        let stored = status.stored_workflow_template_spec.iter().flat_map(|spec| &spec.templates);
        let mut templates: Vec<&Template> = self
            .workflow
            .spec
            .templates
            .iter()
            .chain(stored)
            .chain(status.stored_templates.values())
            .collect();
        while let Some(template) = templates.pop() {
            if template.archive_location.is_some() {
                return true;
            }
            templates.extend(template.children().filter_map(|child| child.inline.as_deref()));
        }
        false
    }

    /// Returns the template that the node was made from, which may be an inline body.
    pub(crate) fn template_of(&self, node: &NodeStatus) -> Option<&'a Template> {
        self.template_within(node, 0)
    }

    fn template_within(&self, node: &NodeStatus, depth: usize) -> Option<&'a Template> {
        if node.is_unnamed() {
            return self.inline_body(node, depth);
        }
        if let Some(reference) = node.template_ref.as_ref().filter(|reference| !reference.template.is_empty())
        {
            let scope = if reference.cluster_scope { "cluster" } else { "namespaced" };
            return self.stored(&format!("{scope}/{}", reference.name), &reference.template);
        }
        let name = &node.template_name;
        match node.template_scope.as_str() {
            "" => self.local(name),
            scope if scope.starts_with("local/") => self.local(name),
            scope => self.stored(scope, name).or_else(|| self.local(name)),
        }
    }

    fn local(&self, name: &str) -> Option<&'a Template> {
        let named = |spec: &'a WorkflowSpec| spec.templates.iter().find(|template| template.name == name);
        named(&self.workflow.spec)
            .or_else(|| self.workflow.status.stored_workflow_template_spec.as_ref().and_then(named))
    }

    fn stored(&self, scope: &str, name: &str) -> Option<&'a Template> {
        self.workflow.status.stored_templates.get(&format!("{scope}/{name}"))
    }

    /// Returns the inline body of the step or task that made the node, found through the enclosing node's
    /// template.
    fn inline_body(&self, node: &NodeStatus, depth: usize) -> Option<&'a Template> {
        if depth > MAX_DEPTH || node.boundary_id == node.id {
            return None;
        }
        let parent = self.workflow.status.nodes.get(&node.boundary_id)?;
        let template = self.template_within(parent, depth + 1)?;
        let step = step_name(&node.name, &parent.name)?;
        template.children().find(|child| child.name == step)?.inline.as_deref()
    }

    /// Returns the templates that Argo's GC might find for the name. It searches the Workflow's templates, then
    /// the stored spec's, then all stored templates in Go map order, so any of the last with that name.
    pub(crate) fn candidates(&self, name: &str) -> Vec<&'a Template> {
        if let Some(template) = self.local(name) {
            return vec![template];
        }
        self.workflow.status.stored_templates.values().filter(|template| template.name == name).collect()
    }

    /// Returns the scopes in which a template has this name.
    pub(crate) fn scopes_of(&self, name: &str) -> BTreeSet<&'a str> {
        let mut scopes = BTreeSet::new();
        if self.workflow.spec.templates.iter().any(|template| template.name == name) {
            scopes.insert("local");
        }
        for key in self.workflow.status.stored_templates.keys() {
            if let Some((scope, last)) = key.rsplit_once('/')
                && last == name
                && !scope.ends_with("/inline")
            {
                scopes.insert(scope);
            }
        }
        scopes
    }

    /// Returns true if any step or task, including inline ones, refers to a template by a name that is made at
    /// run time.
    pub(crate) fn has_dynamic_reference(&self) -> bool {
        fn within(template: &Template) -> bool {
            template.children().any(|child| {
                let dynamic = child.template_ref.as_ref().is_some_and(|reference| {
                    reference.name.contains("{{") || reference.template.contains("{{")
                });
                dynamic || child.inline.as_deref().is_some_and(within)
            })
        }
        let status = &self.workflow.status;
        let stored = status.stored_workflow_template_spec.iter().flat_map(|spec| &spec.templates);
        self.workflow.spec.templates.iter().chain(stored).chain(status.stored_templates.values()).any(within)
    }
}

/// Returns the step's or task's name from a node's name, `<parent>[<i>].<step>` or `<parent>.<task>`, without
/// the suffixes of items `(<n>:<value>)` and attempts `(<n>)`.
fn step_name<'n>(node: &'n str, parent: &str) -> Option<&'n str> {
    let rest = node.strip_prefix(parent)?;
    let rest = match rest.strip_prefix('[') {
        Some(indexed) => indexed.split_once(']')?.1,
        None => rest,
    };
    let name = rest.strip_prefix('.')?;
    Some(name.split('(').next().unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use crate::assess::templates::step_name;

    #[test]
    fn reads_the_step_out_of_a_node_name() {
        assert_eq!(step_name("wf[0].build", "wf"), Some("build"));
        assert_eq!(step_name("wf.build", "wf"), Some("build"));
        assert_eq!(step_name("wf[1].build(3:a.b)(0)", "wf"), Some("build"));
        assert_eq!(step_name("wf(0)[0].build", "wf(0)"), Some("build"));
        assert_eq!(step_name("other", "wf"), None);
        assert_eq!(step_name("wf", "wf"), None);
    }
}
