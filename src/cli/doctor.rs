//! `doctor` shows why artifact GC is stuck or failing, and how to fix it.

use crate::cli::hints::purge_command;
use crate::cli::kube_flags::KubeFlags;
use crate::cli::shared_flags::{FileFlags, ScopeFlags, VersionFlags};
use crate::cli::streams::Streams;
use crate::cli::warnings::report;
use crate::cluster::client::Cluster;
use crate::cluster::pages::{Body, PageQuery};
use crate::error::{Error, exit};
use crate::files;
use crate::files::{InputError, Object};
use crate::output::doctor::{Diagnosis, Format, write, write_yaml};
use crate::output::text::plural;
use crate::scan::files::FileContext;
use crate::scan::selection::{Seen, Selection};
use argo_gc_core::argo::list::{Item, Malformed, decode, object};
use argo_gc_core::argo::workflow::Workflow;
use argo_gc_core::assess::assess;
use argo_gc_core::doctor::account::{Answer, Standing};
use argo_gc_core::doctor::facts::{RepositoryFacts, repositories_of};
use argo_gc_core::doctor::symptom::Account;
use argo_gc_core::doctor::{Doctor, facts};
use argo_gc_core::inspection::Inspection;
use argo_gc_core::model::context::{Context, Controllers, Related};
use argo_gc_core::model::gap::Gap;
use argo_gc_core::model::scope::Scope;
use clap::Args;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// The name by which a ConfigMap of repositories is known.
const REPOSITORIES: &str = "artifact-repositories";

/// Says why artifact GC is stuck or failing, by cause, and how to fix each
///
/// Begins with what is known of the controller: version, instance ID, switches, defaults, and repositories whose
/// keys can collide. Then the causes, each with the workflows concerned, what shows it, and the exact command or
/// YAML that fixes it. Never writes anything; access reviews ask the server and store nothing.
#[derive(Debug, Args)]
#[command(mut_arg("all_namespaces", |arg| arg.conflicts_with("names")))]
#[command(after_help = "Examples:
  kubectl argo-gc doctor                       the context's namespace
  kubectl argo-gc doctor -A                    the whole cluster
  kubectl argo-gc doctor train-x7k2p           one workflow
  kubectl argo-gc doctor -f workflows.yaml     what files show
  kubectl argo-gc doctor -A --yaml | kubectl apply -f -      grants what GC pods lack

Exit status: 0 done, whether something was found or not; 1 error; 2 wrong usage; 4 some objects could not be read; \
130 interrupted.")]
pub(crate) struct Arguments {
    /// Workflows by name [default: all].
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    scope: ScopeFlags,
    #[command(flatten)]
    from: FileFlags,
    /// Output format.
    #[arg(short, long, value_enum, default_value = "text", value_name = "FORMAT")]
    output: Format,
    /// Prints only the objects that fix it, for kubectl apply -f -.
    #[arg(long, conflicts_with = "output")]
    yaml: bool,
    #[command(flatten)]
    controller: VersionFlags,

    #[command(flatten)]
    pub(crate) kube: KubeFlags,
}

/// A diagnosis in progress.
#[derive(Default)]
struct Ward {
    doctor: Doctor,
    inspection: Inspection,
    seen: Seen,
    malformed: bool,
}

/// The facts, other than workflows, that the diagnosis is made of.
struct Surroundings {
    context: Context,
    repositories: Vec<RepositoryFacts>,
    standings: BTreeMap<Account, Standing>,
    /// Whether every workflow of the place was read.
    whole: bool,
    origin: Scope,
    /// The name of the place in a sentence.
    place: String,
}

impl Arguments {
    pub async fn run(self, streams: &mut Streams, now: Timestamp) -> Result<u8, Error> {
        if self.from.files.is_empty() {
            self.on_cluster(streams, now).await
        } else {
            self.on_files(streams, now)
        }
    }

    async fn on_cluster(self, streams: &mut Streams, now: Timestamp) -> Result<u8, Error> {
        let cluster = Cluster::connect(&self.kube.access()).await?;
        let namespace = (!self.scope.all_namespaces).then(|| cluster.namespace().to_owned());
        let place = namespace.as_deref();
        let mut bodies = cluster.workflows(PageQuery {
            namespace: namespace.clone(),
            names: self.names.clone(),
            chunk_size: self.kube.chunk_size,
            ..PageQuery::default()
        });
        // The first page shows whether the cluster answers at all. The other pages wait for the related objects.
        let (mut next, (mut controllers, mut related, gaps)) =
            tokio::try_join!(async { bodies.recv().await.transpose() }, async {
                Ok(cluster.related(place).await)
            })?;
        controllers.version = self.controller.argo_version;
        let mut ward = Ward::default();
        // Each account is reviewed below and has an answer of its own.
        ward.inspection.gaps = gaps.into_iter().filter(|gap| gap.what != "access reviews").collect();
        let (events, (repositories, more)) =
            tokio::join!(cluster.pod_events(place, &mut related), cluster.configured_repositories(place));
        ward.inspection.gaps.extend(events.into_iter().chain(more));
        let context = Context { now, controllers, related };
        while let Some(body) = next {
            ward.body(&body, &context)?;
            next = bodies.recv().await.transpose()?;
        }
        let empty = ward.inspection.summary.workflows == 0 && !ward.malformed;
        if let Some(namespace) = place.filter(|_| empty) {
            cluster.ensure_namespace(namespace).await?;
        }
        ward.settle(&context);
        let standings = cluster.standings(&ward.doctor.accounts()).await;
        let unseen = standings.values().find(|standing| standing.exists == Answer::Unknown);
        ward.inspection.gaps.extend(unseen.map(|standing| Gap {
            what: "service accounts".to_owned(),
            why: standing.why.clone(),
            effect: "whether those of GC pods exist can't be told".to_owned(),
        }));
        let origin = Scope {
            kind: "cluster".to_owned(),
            context: cluster.context().map(str::to_owned),
            server: Some(cluster.host().to_owned()),
            namespace: namespace.clone(),
            filtered: !self.names.is_empty(),
            files: Vec::new(),
        };
        let whole = self.names.is_empty() && !ward.malformed;
        let place = namespace.map_or_else(|| "the cluster".to_owned(), |name| format!("{name} namespace"));
        let beside = Surroundings { context, repositories, standings, whole, origin, place };
        self.show(streams, ward, beside)
    }

    /// Diagnoses files. A first pass reads the related objects, and a second pass assesses the workflows.
    fn on_files(self, streams: &mut Streams, now: Timestamp) -> Result<u8, Error> {
        let inputs = files::inputs(&self.from.files, self.from.recursive)?;
        let mut ward = Ward::default();
        let mut beside = FileContext::default();
        let mut repositories = Vec::new();
        // A pipe can't be read twice.
        let mut held: Vec<Box<Workflow>> = Vec::new();
        for input in &inputs {
            let once = input.is_read_once();
            let read = files::read(input, &mut *streams.input, &mut |object, _| {
                match object {
                    Object::Workflow(workflow) if once => held.push(workflow),
                    Object::ConfigMap(config) if config.metadata.name == REPOSITORIES => {
                        repositories_of(&config, &mut repositories, &mut ward.inspection.gaps);
                    }
                    Object::Malformed(bad) => ward.malformed(format!("{} in {input}", bad.name), bad.error),
                    object => beside.add(object),
                }
                true
            });
            match read {
                Err(InputError::Io(name, cause)) if inputs.len() > 1 => {
                    ward.malformed(name, cause.to_string())
                }
                Err(error @ InputError::Syntax { .. }) => {
                    ward.malformed("the rest of the input".to_owned(), error.to_string());
                }
                other => other?,
            }
        }
        let mut context = Context { now, controllers: Controllers::default(), related: Related::default() };
        beside.settle(&mut context, self.controller.argo_version);
        let selection = Selection {
            names: self.names.clone(),
            namespace: self.kube.namespace.clone(),
            ..Selection::default()
        };
        let mut take = |workflow: &mut Workflow| {
            if selection.takes(workflow) {
                ward.workflow(workflow, &context);
            }
        };
        held.iter_mut().for_each(|workflow| take(workflow));
        for input in inputs.iter().filter(|input| !input.is_read_once()) {
            // The first pass has reported objects that can't be read.
            let _ = files::read(input, &mut std::io::empty(), &mut |object, _| {
                if let Object::Workflow(mut workflow) = object {
                    take(&mut workflow);
                }
                true
            });
        }
        ward.settle(&context);
        ward.inspection.gaps.push(Gap {
            what: "the rights of service accounts".to_owned(),
            why: "files hold none".to_owned(),
            effect: "whether GC pods may do their work can't be told".to_owned(),
        });
        let origin = Scope {
            kind: "files".to_owned(),
            namespace: self.kube.namespace.clone(),
            filtered: !self.names.is_empty(),
            files: self.from.files.iter().map(|path| path.display().to_string()).collect(),
            ..Scope::default()
        };
        let place = match inputs.as_slice() {
            [input] => input.to_string(),
            inputs => plural(inputs.len() as u64, "file"),
        };
        let standings = BTreeMap::new();
        let beside = Surroundings { context, repositories, standings, whole: false, origin, place };
        self.show(streams, ward, beside)
    }

    /// Prints the diagnosis.
    fn show(self, streams: &mut Streams, ward: Ward, beside: Surroundings) -> Result<u8, Error> {
        let Ward { doctor, mut inspection, malformed, .. } = ward;
        let Surroundings { context, repositories: others, standings, whole, origin, place } = beside;
        let (causes, accounts) = doctor.finish(&standings, &context, whole, &purge_command);
        let (controllers, mut repositories) = facts::controllers(&context.controllers);
        repositories.extend(others);
        for controller in &context.controllers.seen {
            let problems = controller.config.iter().flat_map(|config| &config.problems);
            inspection.gaps.extend(problems.map(|problem| Gap {
                what: format!("the configuration of controller {}/{}", controller.namespace, controller.name),
                why: problem.clone(),
                effect: "that setting is not known".to_owned(),
            }));
        }
        let diagnosis = Diagnosis {
            now: context.now,
            origin,
            place,
            controllers,
            controllers_complete: context.controllers.complete,
            repositories,
            accounts,
            causes,
            inspection: &inspection,
        };
        match self.yaml {
            true => write_yaml(&mut streams.out, &diagnosis)?,
            false => write(&mut streams.out, &diagnosis, self.output)?,
        }
        streams.out.flush()?;
        report(streams, &inspection, &diagnosis.place);
        Ok(if malformed { exit::PARTIAL } else { exit::DONE })
    }
}

impl Ward {
    /// Adds the workflows of a response body.
    fn body(&mut self, body: &Body, context: &Context) -> Result<(), Error> {
        let mut take = |item: Item<Workflow>| match item {
            Item::Object(mut workflow) => {
                // A list that expired starts over, and no workflow may count twice.
                if self.seen.is_new(&workflow.metadata.uid) {
                    self.workflow(&mut workflow, context);
                }
            }
            Item::Malformed(Malformed { name, error }) => self.malformed(format!("workflow {name}"), error),
        };
        match body {
            Body::Page(bytes) => decode(bytes, take)
                .map_err(|error| Error::new(format!("reading a page of workflows: {error}")))?,
            Body::One(bytes) => {
                take(object::<Workflow>(&String::from_utf8_lossy(bytes)));
            }
        }
        Ok(())
    }

    fn workflow(&mut self, workflow: &mut Workflow, context: &Context) {
        self.doctor.notice(workflow, context);
        let assessment = assess(workflow, context);
        if let Some(assessment) = self.inspection.add(assessment) {
            self.doctor.examine(&assessment, context);
        }
    }

    /// Adds the assessments that waited for others.
    fn settle(&mut self, context: &Context) {
        for assessment in self.inspection.finish() {
            self.doctor.examine(&assessment, context);
        }
    }

    fn malformed(&mut self, what: String, why: String) {
        self.malformed = true;
        self.inspection.gaps.push(Gap { what, why, effect: "it was left out".to_owned() });
    }
}
