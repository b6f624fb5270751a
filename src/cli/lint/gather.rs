//! Reads the manifests for `lint` from files, from a cluster, or from both.

use crate::cli::kube_flags::KubeFlags;
use crate::cli::lint::reading;
use crate::cli::lint::reading::{Others, Unread};
use crate::cli::lint::skipped::Skipped;
use crate::cli::shared_flags::{ControllerFlags, FileFlags, ScopeFlags, VersionFlags};
use crate::cluster::accounts::MAX_ACCOUNTS;
use crate::cluster::client::Cluster;
use crate::cluster::controllers::ControllerQuery;
use crate::error::Error;
use crate::files;
use crate::syntax::diagnostics::{Origin, Span};
use crate::syntax::kustomize;
use crate::syntax::manifests::{Manifests, manifests};
use crate::syntax::source::Source;
use argo_gc_core::argo::list::Malformed;
use argo_gc_core::argo::related::{ConfigMap, Deployment};
use argo_gc_core::argo::version::{NEWEST, Version};
use argo_gc_core::lint::accounts;
use argo_gc_core::lint::path::{FieldError, FieldPath};
use argo_gc_core::lint::settings::Settings;
use argo_gc_core::lint::types::{Manifest, ManifestKind};
use argo_gc_core::lint::within::{Within, within};
use argo_gc_core::model::account::{Account, Answer, Standing};
use argo_gc_core::model::context::Controller;
use argo_gc_core::model::gap::Gap;
use argo_gc_core::model::scope::Scope;
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::PathBuf;

/// The flags that say what is read.
pub(crate) struct Inputs<'a> {
    pub from: &'a FileFlags,
    /// With files: whether the cluster is read as well.
    pub connected: bool,
    /// Whether files that are no manifests are skipped, whatever they are.
    pub skip_foreign: bool,
    pub scope: &'a ScopeFlags,
    pub controller: &'a VersionFlags,
    pub controllers: &'a ControllerFlags,
    pub kube: &'a KubeFlags,
}

/// All manifests that were read, and where each came from.
pub(crate) struct Gathered {
    pub manifests: Vec<Manifest>,
    pub origins: Vec<Origin>,
    pub sources: Vec<Source>,
    pub settings: Settings,
    /// The parts of the cluster that could not be read.
    pub gaps: Vec<Gap>,
    /// A sentence for each file or object that could not be read.
    pub problems: Vec<String>,
    /// What was left out, and why.
    pub notes: Vec<Gap>,
    pub source: Scope,
    skipped: Skipped,
}

impl Gathered {
    pub async fn of(inputs: &Inputs<'_>, stdin: &mut (dyn Read + Send)) -> Result<Self, Error> {
        let mut gathered = Self {
            manifests: Vec::new(),
            origins: Vec::new(),
            sources: Vec::new(),
            settings: Settings::default(),
            gaps: Vec::new(),
            problems: Vec::new(),
            notes: Vec::new(),
            source: Scope { kind: "files".to_owned(), ..Scope::default() },
            skipped: Skipped::default(),
        };
        gathered.source.namespace.clone_from(&inputs.kube.namespace);
        if !inputs.from.files.is_empty() {
            gathered.files(inputs, stdin)?;
        }
        let mut version = gathered.settings.controllers_version();
        if inputs.from.files.is_empty() || inputs.connected {
            version = gathered.cluster(inputs, version).await?;
        }
        gathered.settings.version = inputs.controller.argo_version.or(version).unwrap_or(NEWEST);
        Ok(gathered)
    }

    fn files(&mut self, inputs: &Inputs<'_>, stdin: &mut (dyn Read + Send)) -> Result<(), Error> {
        let named = files::inputs(&inputs.from.files, inputs.from.recursive)?;
        self.source.files = inputs.from.files.iter().map(|path| path.display().to_string()).collect();
        let others = Others::of(named.len(), inputs.skip_foreign);
        for input in &named {
            match reading::read(input, stdin, others) {
                Ok(source) => self.sources.push(source),
                Err(Unread::Problem(problem)) if named.len() == 1 => return Err(Error::new(problem)),
                Err(unread) => self.unread(unread),
            }
        }
        let (settings, problems) =
            settings(&self.sources, inputs.controllers.controller_namespace.as_deref());
        self.settings = settings;
        self.problems.extend(problems);
        let namespace = inputs.kube.namespace.as_deref().unwrap_or_default();
        let changed = kustomize::changed(&self.sources);
        for at in 0..self.sources.len() {
            self.source(at, namespace, changed.contains_key(&at), others);
        }
        self.note_kustomizations(&changed);
        self.notes.extend(self.skipped.notes());
        Ok(())
    }

    fn unread(&mut self, unread: Unread) {
        match unread {
            Unread::Problem(problem) => self.problems.push(problem),
            Unread::Foreign(file) => self.skipped.foreign.push(file),
            Unread::Unreadable(file) => self.skipped.unreadable.push(file),
            Unread::Template { file, chart } => {
                self.skipped.templates.insert(file, chart);
            }
        }
    }

    fn source(&mut self, at: usize, namespace: &str, changed: bool, others: Others) {
        let Manifests { manifests, problems, unseen } = manifests(&self.sources[at], namespace);
        for problem in problems {
            self.unread(others.fault(&self.sources[at].name, problem));
        }
        let source = &self.sources[at];
        if let Some(foreign) = source.foreign.as_ref().filter(|_| !kustomize::is_kustomization(source)) {
            let what = format!("{}: {}", source.name, foreign.fault);
            self.notes.push(left_out(what, "it is no Kubernetes object", "it was left out"));
        }
        for (mut manifest, document) in manifests {
            if manifest.is_part() && !changed {
                let what = format!("{} {manifest}", source.name);
                self.notes.push(left_out(
                    what,
                    "it has no templates, so it is a part of a manifest",
                    LINT_WHOLE,
                ));
            }
            manifest.beside = changed || manifest.is_part();
            self.manifests.push(manifest);
            self.origins.push(Origin::File { source: at, document });
        }
        for (Span { file, line, column }, why) in unseen {
            let what = format!("{file}:{line}:{column}");
            self.notes.push(left_out(what, &why, "what it leaves behind is not known"));
        }
    }

    /// Says of which files only the sum is applied.
    fn note_kustomizations(&mut self, changed: &BTreeMap<usize, PathBuf>) {
        let tops: BTreeSet<&PathBuf> = changed.values().collect();
        for top in tops {
            let files = changed.iter().filter(|(_, folder)| *folder == top);
            let files: Vec<&str> = files.map(|(at, _)| self.sources[*at].name.as_str()).collect();
            let folder = if top.as_os_str().is_empty() { ".".to_owned() } else { top.display().to_string() };
            let why = format!("the kustomization in {folder} changes what is said there");
            let effect = format!("lint its output: kustomize build {folder} | kubectl argo-gc lint -f -");
            self.notes.push(left_out(files.join(", "), &why, &effect));
        }
    }

    /// Reads the cluster's templates. If there are files, the templates are only used to resolve references.
    async fn cluster(
        &mut self,
        inputs: &Inputs<'_>,
        of_files: Option<Version>,
    ) -> Result<Option<Version>, Error> {
        let cluster = Cluster::connect(&inputs.kube.access()).await?;
        let whole = inputs.scope.all_namespaces || inputs.connected && inputs.kube.namespace.is_none();
        let namespace = (!whole).then(|| cluster.namespace().to_owned());
        let beyond = cluster
            .manifests(ControllerQuery {
                namespace: namespace.as_deref(),
                named: inputs.controllers.controller_namespace.as_deref(),
            })
            .await?;
        let from_files = !inputs.from.files.is_empty();
        if !from_files {
            self.source.kind = "cluster".to_owned();
            self.source.namespace.clone_from(&namespace);
        }
        self.source.context = cluster.context().map(str::to_owned);
        self.source.server = Some(cluster.host().to_owned());
        for (kind, object) in beyond.objects {
            self.object(kind, &object, from_files);
        }
        for Malformed { name, error } in beyond.malformed {
            self.problems.push(format!("{name}: {error}"));
        }
        self.gaps.extend(beyond.gaps);
        let mut seen = Settings::default();
        for controller in beyond.controllers.seen {
            seen.add_controller(controller.clone());
            self.problems.extend(self.settings.add_controller(controller));
        }
        beyond.repositories.iter().for_each(|config| self.settings.add_repositories(config));
        self.accounts(&cluster).await;
        let version = of_files.or_else(|| seen.controllers_version());
        if version.is_none() && inputs.controller.argo_version.is_none() {
            self.gaps.push(Gap {
                what: "the controller's version".to_owned(),
                why: "no single release is running, or its Deployment can't be read".to_owned(),
                effect: format!("{NEWEST} is assumed; --argo-version names another"),
            });
        }
        Ok(version)
    }

    /// Takes an object of the cluster, with what it holds within.
    fn object(&mut self, kind: ManifestKind, object: &Value, from_files: bool) {
        if from_files && !kind.is_template() {
            return;
        }
        let inner = within(kind.as_str(), object).within;
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
        let own = Within { kind, path: FieldPath::default(), object: object.clone() };
        let all = std::iter::once(own).chain(inner.into_iter().filter(|_| !from_files));
        for Within { kind, path, object } in all {
            match Manifest::read(kind, &object, &path) {
                Ok(mut manifest) => {
                    manifest.beside = from_files;
                    if manifest.namespace.is_empty() && kind != ManifestKind::ClusterWorkflowTemplate {
                        manifest.namespace = namespace.to_owned();
                    }
                    self.manifests.push(manifest);
                    self.origins.push(Origin::Cluster);
                }
                Err(FieldError { path, message }) => {
                    let name = object["metadata"]["name"].as_str().unwrap_or_default();
                    self.problems.push(format!("{}/{name}: {path}: {message}", kind.as_str()));
                }
            }
        }
    }

    /// Asks the cluster what the service accounts of GC pods may do.
    async fn accounts(&mut self, cluster: &Cluster) {
        let wanted: Vec<Account> = accounts(&self.manifests, &self.settings).into_iter().collect();
        let asked = wanted.iter().map(|account| {
            let named = Some(account.namespace.as_str()).filter(|namespace| !namespace.is_empty());
            let namespace = named.unwrap_or_else(|| cluster.namespace()).to_owned();
            Account { namespace, name: account.name.clone() }
        });
        let asked: Vec<Account> = asked.collect();
        let standings = cluster.standings(&asked, MAX_ACCOUNTS).await;
        let mut unknown = BTreeSet::new();
        for (account, asked) in wanted.into_iter().zip(asked) {
            let Some(standing) = standings.get(&asked) else { continue };
            match verdict(&asked, standing) {
                Some(verdict) => {
                    self.settings.accounts.insert(account, verdict);
                }
                None => {
                    unknown.insert((asked, standing.why.clone()));
                }
            }
        }
        if let Some((account, why)) = unknown.first() {
            let more =
                if unknown.len() > 1 { format!(" and {} more", unknown.len() - 1) } else { String::new() };
            self.gaps.push(Gap {
                what: format!(
                    "the permissions of service account {}/{}{more}",
                    account.namespace, account.name
                ),
                why: why.clone(),
                effect: "whether GC pods may do their work is not known".to_owned(),
            });
        }
    }
}

/// What is amiss with a service account of GC pods; none if that is unknown.
fn verdict(account: &Account, standing: &Standing) -> Option<Result<(), String>> {
    let Account { namespace, name } = account;
    if standing.exists == Answer::No {
        return Some(Err(format!(
            "the service account {name:?} does not exist in {namespace:?}, so its GC pods are refused"
        )));
    }
    let lacks: Vec<String> = standing.lacks().iter().map(ToString::to_string).collect();
    if !lacks.is_empty() {
        return Some(Err(format!(
            "the service account {name:?} in {namespace:?} may not {}",
            lacks.join(", ")
        )));
    }
    (!standing.is_unknown()).then_some(Ok(()))
}

const LINT_WHOLE: &str = "lint what is applied, as kustomize build FOLDER | kubectl argo-gc lint -f -";

fn left_out(what: String, why: &str, effect: &str) -> Gap {
    Gap { what, why: why.to_owned(), effect: effect.to_owned() }
}

/// The settings that Deployments and ConfigMaps of files show, and what of them can't be understood. A controller without
/// its ConfigMap counts after the others.
pub(crate) fn settings(sources: &[Source], named: Option<&str>) -> (Settings, Vec<String>) {
    let (mut settings, mut problems) = (Settings::default(), Vec::new());
    let documents = || sources.iter().flat_map(|source| &source.documents);
    let of_kind = |kind: &'static str| documents().filter(move |document| document.kind == kind);
    let mut configs: Vec<ConfigMap> =
        of_kind("ConfigMap").filter_map(|document| ConfigMap::deserialize(&document.value).ok()).collect();
    let mut bare = Vec::new();
    for document in of_kind("Deployment") {
        let Ok(deployment) = Deployment::deserialize(&document.value) else { continue };
        let Some(mut controller) = Controller::from_deployment(&deployment) else { continue };
        if named.is_some_and(|named| controller.namespace != named) {
            continue;
        }
        let name = Controller::config_map_name(&deployment);
        let own = |config: &ConfigMap| {
            let namespace = &config.metadata.namespace;
            config.metadata.name == name
                && (*namespace == controller.namespace
                    || namespace.is_empty()
                    || controller.namespace.is_empty())
        };
        match configs.iter().position(own) {
            Some(at) => {
                controller.apply_config(&configs.remove(at));
                problems.extend(settings.add_controller(controller));
            }
            None => bare.push(controller),
        }
    }
    for config in &configs {
        let meta = &config.metadata;
        let controllers = meta.name.ends_with("workflow-controller-configmap")
            || ["workflowDefaults", "artifactRepository"].iter().any(|key| config.data.contains_key(*key));
        if !controllers {
            settings.add_repositories(config);
        } else if named.is_none_or(|named| meta.namespace == named) {
            problems.extend(settings.add_configuration(config));
        }
    }
    bare.into_iter().for_each(|controller| problems.extend(settings.add_controller(controller)));
    (settings, problems)
}
