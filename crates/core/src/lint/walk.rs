//! Follows the references of a root to every template it reaches.

use crate::argo::node::TemplateRef;
use crate::lint::model::{Body, Hook, Target};
use crate::lint::path::FieldPath;
use crate::lint::times::Times;
use crate::lint::types::{Manifest, ManifestKind};
use std::collections::{HashMap, HashSet};

/// All manifests, with an index of the names in references.
pub(crate) struct Library<'m> {
    pub manifests: &'m [Manifest],
    /// The templates by cluster scope, namespace and name.
    templates: HashMap<(bool, &'m str, &'m str), usize>,
    /// The templates that some `templateRef` or `workflowTemplateRef` reaches.
    pub referenced: HashSet<usize>,
}

/// One way in which a template is reached.
#[derive(Debug, Clone)]
pub(crate) struct Usage<'m> {
    pub manifest: usize,
    pub body: &'m Body,
    /// The number of inline bodies around the template, including itself.
    pub inline: usize,
    /// True if the template is in a (cluster) workflow template that a `templateRef` leads to.
    pub referenced: bool,
    /// True if only a hook's `templateRef` leads to the template.
    pub hook: bool,
    /// How often one run comes to the template, by whatever way.
    pub times: Times,
}

/// A reference to a template that was not given.
#[derive(Debug, Clone)]
pub(crate) struct Missing {
    pub manifest: usize,
    pub path: FieldPath,
    pub template: String,
    pub target: String,
    /// True if the reference contains a variable, so that its target is unknown.
    pub dynamic: bool,
}

/// Everything that a root reaches.
#[derive(Debug, Default)]
pub(crate) struct Reach<'m> {
    pub usages: Vec<Usage<'m>>,
    pub missing: Vec<Missing>,
}

/// The templates among which a name is looked up: the root's own, or one workflow template's.
#[derive(Clone)]
struct Scope {
    /// The manifests whose templates count, in order of precedence.
    manifests: Vec<usize>,
    referenced: bool,
    hook: bool,
}

impl<'m> Library<'m> {
    pub fn of(manifests: &'m [Manifest]) -> Self {
        let mut library = Self::of_names(manifests);
        for at in 0..manifests.len() {
            let reach = library.reach(&library.roots_of(at), at);
            let others = reach.usages.iter().map(|usage| usage.manifest).filter(|other| *other != at);
            let others: Vec<usize> = others.collect();
            library.referenced.extend(others);
        }
        library
    }

    /// With the names alone, without following any.
    pub fn of_names(manifests: &'m [Manifest]) -> Self {
        let mut templates = HashMap::new();
        for (at, manifest) in manifests.iter().enumerate().filter(|(_, m)| m.kind.is_template()) {
            let cluster = manifest.kind == ManifestKind::ClusterWorkflowTemplate;
            let namespace = if cluster { "" } else { manifest.namespace.as_str() };
            templates.entry((cluster, namespace, manifest.name.as_str())).or_insert(at);
        }
        Self { manifests, templates, referenced: HashSet::new() }
    }

    /// Returns the template manifest that a reference names. A manifest without a namespace matches every
    /// namespace.
    pub fn find(&self, reference: &TemplateRef, from: usize) -> Option<usize> {
        let name = reference.name.as_str();
        if reference.cluster_scope {
            return self.templates.get(&(true, "", name)).copied();
        }
        let namespace = self.manifests[from].namespace.as_str();
        let exact =
            self.templates.get(&(false, namespace, name)).or_else(|| self.templates.get(&(false, "", name)));
        exact.copied().or_else(|| {
            let any = || self.templates.iter().filter(|((cluster, _, other), _)| !cluster && *other == name);
            (namespace.is_empty() && any().count() == 1).then(|| any().next().map(|(_, at)| *at)).flatten()
        })
    }

    /// Returns the manifests whose templates are at a root's top level: its own, and that of
    /// `workflowTemplateRef`.
    pub fn roots_of(&self, at: usize) -> Vec<usize> {
        let reference = self.manifests[at].spec.template_ref.as_ref();
        std::iter::once(at).chain(reference.and_then(|reference| self.find(reference, at))).collect()
    }

    /// Follows every step, task and hook that can run.
    pub fn reach(&self, roots: &[usize], at: usize) -> Reach<'m> {
        let mut walk = Walk {
            library: self,
            root: at,
            reach: Reach::default(),
            ahead: Vec::new(),
            seen: HashSet::new(),
            from: None,
            counts: true,
            times: Times::ONCE,
            calls: HashMap::new(),
        };
        let scope = Scope { manifests: roots.to_vec(), referenced: false, hook: false };
        let specs = || roots.iter().map(|at| &self.manifests[*at].spec);
        let entry = specs().map(|spec| spec.entrypoint.as_str()).find(|name| !name.is_empty());
        let entry = entry.filter(|name| walk.named(name, &scope).is_some());
        match entry {
            Some(name) => walk.name(name, &scope),
            // If the entrypoint is unknown, the workflow may start with any template.
            None => walk.times = Times::PERHAPS,
        }
        if entry.is_none() {
            roots.iter().for_each(|at| {
                self.manifests[*at].spec.templates.iter().for_each(|body| walk.visit(*at, body, &scope, 0));
            });
            walk.times = Times::ONCE;
        }
        for (at, spec) in roots.iter().map(|at| (*at, &self.manifests[*at].spec)) {
            if !spec.on_exit.is_empty() {
                walk.name(&spec.on_exit, &scope);
            }
            walk.hooks(&spec.hooks, at, "", &scope);
        }
        walk.finish()
    }
}

struct Walk<'l, 'm> {
    library: &'l Library<'m>,
    root: usize,
    reach: Reach<'m>,
    /// The templates found but not yet followed; a list, because a chain of templates may be too long for
    /// recursion.
    ahead: Vec<(Usage<'m>, Scope)>,
    seen: HashSet<(usize, &'m FieldPath, bool, bool)>,
    /// The template whose calls are followed; none for the root itself.
    from: Option<Key<'m>>,
    /// False while a template is followed whose calls were counted before.
    counts: bool,
    /// How often the call that is followed happens for each run of that template.
    times: Times,
    /// The calls of each template; a template that is reached in several ways has them once.
    calls: HashMap<Option<Key<'m>>, Vec<(Key<'m>, Times)>>,
}

/// A template, by the manifest that holds it and its path there.
type Key<'m> = (usize, &'m FieldPath);

impl<'m> Walk<'_, 'm> {
    fn named(&self, name: &str, scope: &Scope) -> Option<(usize, &'m Body)> {
        let manifests: &'m [Manifest] = self.library.manifests;
        scope.manifests.iter().find_map(|at| {
            let templates = &manifests[*at].spec.templates;
            templates.iter().find(|body| body.name == name).map(|body| (*at, body))
        })
    }

    fn name(&mut self, name: &str, scope: &Scope) {
        if let Some((at, body)) = self.named(name, scope) {
            self.visit(at, body, scope, 0);
        }
    }

    fn visit(&mut self, manifest: usize, body: &'m Body, scope: &Scope, inline: usize) {
        if self.counts {
            self.calls.entry(self.from).or_default().push(((manifest, &body.path), self.times));
        }
        if !self.seen.insert((manifest, &body.path, scope.referenced, scope.hook)) {
            return;
        }
        let (referenced, hook) = (scope.referenced, scope.hook);
        let usage = Usage { manifest, body, inline, referenced, hook, times: Times::default() };
        self.ahead.push((usage, scope.clone()));
    }

    /// Follows all templates that were found, and the ones they lead to.
    fn finish(mut self) -> Reach<'m> {
        let mut followed = HashSet::new();
        while let Some((usage, scope)) = self.ahead.pop() {
            let Usage { manifest, body, inline, .. } = usage;
            self.reach.usages.push(usage);
            let key = (manifest, &body.path);
            // The calls of a template that is reached in another way as well are counted already.
            (self.from, self.counts) = (Some(key), followed.insert(key));
            self.hooks(&body.hooks, manifest, &body.name, &scope);
            for call in &body.calls {
                self.times =
                    call.times.each(if body.retries { Times { least: 1, most: 2 } } else { Times::ONCE });
                match &call.target {
                    Target::Named(name) => self.name(name, &scope),
                    Target::Inline(inner) => self.visit(manifest, inner, &scope, inline + 1),
                    Target::Ref(reference) => {
                        self.follow(reference, manifest, &call.path, &body.name, scope.hook);
                    }
                    Target::None => {}
                }
                self.hooks(&call.hooks, manifest, &body.name, &scope);
            }
        }
        let times = self.counted();
        for usage in &mut self.reach.usages {
            usage.times = times.get(&(usage.manifest, &usage.body.path)).copied().unwrap_or_default();
        }
        self.reach
    }

    /// Returns how often one run comes to each template. Each grows at most twice, so rings come to an end.
    fn counted(&self) -> HashMap<Key<'m>, Times> {
        let mut counted: HashMap<Key<'m>, Times> = HashMap::new();
        let mut grown = vec![(None, Times::ONCE)];
        while let Some((from, more)) = grown.pop() {
            for (key, times) in self.calls.get(&from).into_iter().flatten() {
                let before = counted.entry(*key).or_default();
                let after = before.plus(more.each(*times));
                if after != *before {
                    grown.push((Some(*key), after.beyond(*before)));
                    *before = after;
                }
            }
        }
        counted
    }

    fn hooks(&mut self, hooks: &'m [Hook], manifest: usize, template: &str, scope: &Scope) {
        self.times = Times::PERHAPS;
        for hook in hooks {
            match &hook.target {
                Target::Named(name) => self.name(name, scope),
                Target::Ref(reference) => self.follow(reference, manifest, &hook.path, template, true),
                Target::Inline(_) | Target::None => {}
            }
        }
    }

    /// Returns the reference with the values of the workflow's own parameters, as Argo's validation sees it: it puts them
    /// into each template before it looks at what that refers to (`validateTemplate`, workflow/validate/validate.go@v4.0.5).
    fn as_validated(&self, reference: &TemplateRef) -> TemplateRef {
        let mut known = reference.clone();
        for at in self.library.roots_of(self.root) {
            for (name, value) in &self.library.manifests[at].spec.parameters {
                for variable in [
                    format!("{{{{workflow.parameters.{name}}}}}"),
                    format!("{{{{ workflow.parameters.{name} }}}}"),
                ] {
                    known.name = known.name.replace(&variable, value);
                    known.template = known.template.replace(&variable, value);
                }
            }
        }
        known
    }

    fn follow(
        &mut self,
        reference: &TemplateRef,
        manifest: usize,
        path: &FieldPath,
        template: &str,
        hook: bool,
    ) {
        let path = path.key("templateRef");
        let reference = &self.as_validated(reference);
        let target = format!("{}/{}", reference.name, reference.template);
        let dynamic = target.contains("{{");
        let found = self.library.find(reference, self.root).filter(|_| !dynamic);
        let scope = |at| Scope { manifests: vec![at], referenced: true, hook };
        let body = found.and_then(|at| self.named(&reference.template, &scope(at)));
        match body {
            Some((at, body)) => self.visit(at, body, &scope(at), 0),
            None => {
                let known = self.reach.missing.iter().any(|m| (m.manifest, &m.path) == (manifest, &path));
                if !known {
                    let template = template.to_owned();
                    self.reach.missing.push(Missing { manifest, path, template, target, dynamic });
                }
            }
        }
    }
}
