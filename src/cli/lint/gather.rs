//! Reads the manifests for `lint` from files, from a cluster, or from both.

use crate::cli::kube_flags::KubeFlags;
use crate::cli::shared_flags::{ControllerFlags, FileFlags, ScopeFlags, VersionFlags};
use crate::cluster::client::Cluster;
use crate::cluster::controllers::ControllerQuery;
use crate::error::Error;
use crate::files;
use crate::files::{Input, InputError};
use crate::syntax::diagnostics::{Origin, place};
use crate::syntax::source::Source;
use argo_gc_core::argo::config::ControllerConfig;
use argo_gc_core::argo::list::Malformed;
use argo_gc_core::argo::related::ConfigMap;
use argo_gc_core::argo::version::NEWEST;
use argo_gc_core::argo::version::Version;
use argo_gc_core::lint::path::FieldError;
use argo_gc_core::lint::types::{Manifest, ManifestKind, Settings};
use argo_gc_core::model::gap::Gap;
use argo_gc_core::model::scope::Scope;
use serde::Deserialize;
use std::io::Read;

/// The flags that say what is read.
pub(crate) struct Inputs<'a> {
    pub from: &'a FileFlags,
    /// With files: whether the cluster is read as well.
    pub connected: bool,
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
    /// A sentence for each file that was left out because it holds no Kubernetes object.
    pub notes: Vec<String>,
    pub source: Scope,
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
        };
        gathered.source.namespace.clone_from(&inputs.kube.namespace);
        if !inputs.from.files.is_empty() {
            gathered.files(inputs, stdin)?;
        }
        let mut version = None;
        if inputs.from.files.is_empty() || inputs.connected {
            version = gathered.cluster(inputs).await?;
        }
        gathered.settings.version = inputs.controller.argo_version.or(version).unwrap_or(NEWEST);
        Ok(gathered)
    }

    fn files(&mut self, inputs: &Inputs<'_>, stdin: &mut (dyn Read + Send)) -> Result<(), Error> {
        let named = files::inputs(&inputs.from.files, inputs.from.recursive)?;
        self.source.files = inputs.from.files.iter().map(|path| path.display().to_string()).collect();
        for input in &named {
            match read(input, stdin, named.len() == 1) {
                Ok(source) => self.source(source, inputs.kube.namespace.as_deref()),
                Err(problem) if named.len() == 1 => return Err(Error::new(problem)),
                Err(problem) => self.problems.push(problem),
            }
        }
        Ok(())
    }

    fn source(&mut self, source: Source, namespace: Option<&str>) {
        let at = self.sources.len();
        if let Some(fault) = &source.foreign {
            self.notes.push(format!("Note: left out what is no Kubernetes object: {}: {fault}", source.name));
        }
        for (number, document) in source.documents.iter().enumerate() {
            if document.kind == "ConfigMap"
                && let Ok(config) = ConfigMap::deserialize(&document.value)
            {
                self.configure(&ControllerConfig::parse(&config));
            }
            let Some(kind) = ManifestKind::from_name(&document.kind) else { continue };
            match Manifest::read(kind, &document.value) {
                Ok(mut manifest) => {
                    if manifest.namespace.is_empty() && kind != ManifestKind::ClusterWorkflowTemplate {
                        manifest.namespace = namespace.unwrap_or_default().to_owned();
                    }
                    self.manifests.push(manifest);
                    self.origins.push(Origin::File { source: at, document: number });
                }
                Err(FieldError { path, message }) => {
                    let place = place(&source, number, &path);
                    let (file, line, column) = (place.file, place.line, place.column);
                    self.problems.push(format!("{file}: line {line} column {column}: {path}: {message}"));
                }
            }
        }
        self.sources.push(source);
    }

    /// Reads the cluster's templates. If there are files, the templates are only used to resolve references.
    async fn cluster(&mut self, inputs: &Inputs<'_>) -> Result<Option<Version>, Error> {
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
            match Manifest::read(kind, &object) {
                Ok(manifest) if from_files && !kind.is_template() => drop(manifest),
                Ok(mut manifest) => {
                    manifest.beside = from_files;
                    self.manifests.push(manifest);
                    self.origins.push(Origin::Cluster);
                }
                Err(FieldError { path, message }) => {
                    let name = object["metadata"]["name"].as_str().unwrap_or_default();
                    self.problems.push(format!("{}/{name}: {path}: {message}", kind.as_str()));
                }
            }
        }
        for Malformed { name, error } in beyond.malformed {
            self.problems.push(format!("{name}: {error}"));
        }
        self.gaps.extend(beyond.gaps);
        let config = beyond.controllers.seen.first().and_then(|controller| controller.config.as_ref());
        if let Some(config) = config.filter(|_| self.settings.repository.is_none()) {
            self.configure(config);
        }
        let mut versions = beyond.controllers.seen.iter().map(|controller| controller.version);
        let first = versions.next().flatten();
        let version = first.filter(|first| versions.all(|other| other == Some(*first)));
        if version.is_none() && inputs.controller.argo_version.is_none() {
            self.gaps.push(Gap {
                what: "the controller's version".to_owned(),
                why: "no single release is running, or its Deployment can't be read".to_owned(),
                effect: format!("{NEWEST} is taken; --argo-version names another"),
            });
        }
        Ok(version)
    }

    /// Takes the default repository of a controller's configuration.
    fn configure(&mut self, config: &ControllerConfig) {
        if let Some(repository) = &config.repository {
            self.settings.archive_logs = repository.archive_logs;
            self.settings.repository = Some(repository.location.clone());
        }
    }
}

/// Reads a whole input. The error names the input and the place in it. With `only` it has to be a manifest.
pub(crate) fn read(input: &Input, stdin: &mut (dyn Read + Send), only: bool) -> Result<Source, String> {
    let name = input.to_string();
    let mut bytes = Vec::new();
    let result = match input {
        Input::Stdin => stdin.read_to_end(&mut bytes),
        Input::File(path) => std::fs::File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)),
    };
    result.map_err(|error| InputError::Io(name.clone(), error).to_string())?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{name}: this is not UTF-8 text"))?;
    let worded = |fault| format!("{name}: {fault}");
    let source = Source::parse(name.clone(), text).map_err(worded)?;
    match source.foreign.clone().filter(|_| only) {
        Some(fault) => Err(worded(fault)),
        None => Ok(source),
    }
}
