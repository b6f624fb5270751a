//! `doctor` shows why artifact GC is stuck or failing, and how to fix it.

use crate::cli::follow_up::FollowUp;
use crate::cli::hints::purge_command;
use crate::cli::kube_flags::{ArgoFlags, KubeFlags, NAMESPACES};
use crate::cli::scope::Where;
use crate::cli::select::SelectFlags;
use crate::cli::shared_flags::{ControllerFlags, FileFlags, ScopeFlags, VersionFlags};
use crate::cli::streams::Streams;
use crate::cli::values::{namespaces, phase, workflow_name};
use crate::cli::warnings::{report, tell_controllers, warn_of_repeated};
use crate::cluster::accounts::{ConfiguredRepositories, MAX_ACCOUNTS};
use crate::cluster::client::Cluster;
use crate::cluster::unread::{Accepted, Unread};
use crate::error::{Error, exit};
use crate::files;
use crate::output::doctor::{Diagnosis, Format, write, write_yaml};
use crate::output::text::plural;
use crate::scan::assess::{Assessor, live};
use crate::scan::assess_files;
use crate::scan::assess_files::FilesRead;
use crate::scan::begin::{Begun, begin};
use crate::scan::examine::Examination;
use crate::scan::foreseen;
use crate::scan::request::{ClusterRequest, FilesRequest};
use crate::scan::selection::{Name, Selection};
use argo_gc_core::argo::related::ConfigMap;
use argo_gc_core::doctor::facts;
use argo_gc_core::doctor::facts::RepositoryFacts;
use argo_gc_core::doctor::purges::{PurgeStep, Purges};
use argo_gc_core::model::account::{Account, Answer, Standing};
use argo_gc_core::model::context::Context;
use argo_gc_core::model::gap::Gap;
use argo_gc_core::model::scope::Scope;
use argo_gc_core::plan::rules::Allowed;
use clap::Args;
use jiff::Timestamp;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Archived workflows have no collection that could be stuck, so only nodes are read from the Argo server.
const ARGO_SERVER: &str = "Argo server to read offloaded nodes from, as HOST:PORT or URL";

const ARGO_TOKEN: &str = "The token is ARGO_TOKEN, or else the kubeconfig user's own; --as does not count there. An empty \
    value names none, whatever ARGO_SERVER is.";

/// Says why artifact GC is stuck or failing, by cause, and how to fix each
///
/// Begins with what is known of the controller: version, instance ID, switches, defaults, and repositories whose
/// keys can collide. Then the causes, each with the workflows concerned, what shows it, and the exact command or
/// YAML that fixes it. Never writes anything; access reviews ask the server and store nothing.
#[derive(Debug, Args)]
#[command(mut_arg("all_namespaces", |arg| arg.conflicts_with("names")))]
#[command(mut_arg("namespace", |arg| arg.value_parser(namespaces).help(NAMESPACES)))]
#[command(mut_arg("argo_server", |arg| arg.help(ARGO_SERVER).long_help(format!("{ARGO_SERVER}.\n\n{ARGO_TOKEN}"))))]
#[command(after_help = "Examples:
  kubectl argo-gc doctor                       the context's namespace
  kubectl argo-gc doctor -A                    the whole cluster
  kubectl argo-gc doctor train-x7k2p           one workflow
  kubectl argo-gc doctor -A -l app=etl --older 1d
  kubectl argo-gc doctor -f workflows.yaml     what files show
  kubectl argo-gc doctor -A --yaml | kubectl apply -f -    grants what lacks

Exit status: 0 done, whether something was found or not; 1 error; 2 wrong usage; 4 some objects could not be read; \
130 interrupted.")]
pub(crate) struct Arguments {
    /// Workflows by name [default: all].
    #[arg(value_name = "NAME", value_parser = workflow_name)]
    names: Vec<Name>,
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
    controllers: ControllerFlags,

    /// Only workflows with these labels, such as app=etl,stage!=test.
    #[arg(short = 'l', long, value_name = "LABELS", conflicts_with = "files", help_heading = "Selection")]
    selector: Option<String>,
    /// Only workflows in these phases, such as Failed,Error.
    #[arg(long, value_delimiter = ',', value_parser = phase, value_name = "PHASE", help_heading = "Selection")]
    status: Vec<String>,
    #[command(flatten)]
    select: SelectFlags,

    #[command(flatten)]
    kube: KubeFlags,
    #[command(flatten)]
    argo: ArgoFlags,
}

/// The facts, other than workflows, that the diagnosis is made of.
struct Surroundings {
    context: Arc<Context>,
    repositories: Vec<RepositoryFacts>,
    /// The `artifact-repositories` ConfigMaps, by namespace.
    maps: BTreeMap<String, ConfigMap>,
    /// What a purge won't be able to read, beside nodes.
    unread: Vec<Unread>,
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
        let cluster = Cluster::connect(&self.argo.beside(&self.kube)?).await?.telling(&streams.progress);
        cluster.ensure_namespaces(&self.kube.several_namespaces()).await?;
        let place = Where::of(&self.kube, self.scope.all_namespaces, &self.names, Some(cluster.namespace()));
        let (names, namespaces) = place.asked(&self.names)?;
        let selection = self.select.selection(Vec::new(), self.status.clone(), now);
        let request = ClusterRequest {
            namespace: place.reads,
            names,
            label_selector: self.selector.clone(),
            field_selector: None,
            chunk_size: self.kube.chunk_size,
            selection: Selection { namespaces, ..selection },
            argo_version: self.controller.argo_version,
            controller_namespace: self.controllers.controller_namespace.clone(),
        };
        let namespace = request.namespace.as_deref();
        let Begun { mut context, gaps, bodies } = begin(&cluster, &request, None, now).await?;
        let mut examination = Examination::default();
        // Each account is reviewed below and has an answer of its own.
        let own = |gap: &Gap| !matches!(gap.what.as_str(), "access reviews" | "service accounts");
        examination.inspection.gaps = gaps.into_iter().filter(own).collect();
        let (events, ConfiguredRepositories { found: repositories, mut maps, gaps }) = tokio::join!(
            cluster.pod_events(namespace, &mut context.related),
            cluster.configured_repositories(namespace)
        );
        examination.inspection.gaps.extend(events.into_iter().chain(gaps));
        let context = Arc::new(context);
        let assessor = Arc::new(Assessor {
            context: Arc::clone(&context),
            selection: request.selection.clone(),
            needs: Box::new(|_| true),
            identities: None,
            store: None,
            sets_aside: true,
            endangered: None,
            // Each account is reviewed below.
            accounts: None,
            keeps_workflows: true,
        });
        live(bodies.into_stream(), &assessor, cluster.argo_server(), &mut examination).await?;
        if let Some(namespace) = namespace.filter(|_| examination.is_empty()) {
            cluster.ensure_namespace(namespace).await?;
        }
        examination.settle(&context);
        let standings = cluster.standings(&examination.doctor.accounts(), MAX_ACCOUNTS).await;
        let unseen = standings.values().find(|standing| standing.exists == Answer::Unknown);
        examination.inspection.gaps.extend(unseen.map(|standing| Gap {
            what: "service accounts".to_owned(),
            why: standing.why.clone(),
            effect: "it is unknown whether those of GC pods exist".to_owned(),
        }));
        let mut unread = Vec::new();
        if examination.doctor.has_symptoms() {
            cluster.repository_maps(&context.controllers, namespace, &mut maps).await;
            unread = foreseen::of_cluster(&cluster, &context, namespace).await;
        }
        let origin = Scope {
            kind: "cluster".to_owned(),
            context: cluster.context().map(str::to_owned),
            server: Some(cluster.host().to_owned()),
            namespace: request.namespace.clone(),
            filtered: self.is_filtered(),
            ..Scope::default()
        };
        let whole = !self.is_filtered() && !examination.malformed;
        let place = match request.namespace {
            Some(name) => format!("{name} namespace"),
            None => "the cluster".to_owned(),
        };
        let beside = Surroundings { context, repositories, maps, unread, standings, whole, origin, place };
        self.show(streams, examination, beside)
    }

    fn on_files(self, streams: &mut Streams, now: Timestamp) -> Result<u8, Error> {
        let selection = self.select.selection(self.names.clone(), self.status.clone(), now);
        let request = FilesRequest {
            inputs: files::inputs(&self.from.files, self.from.recursive)?,
            selection: Selection { namespaces: self.kube.namespaces(), ..selection },
            argo_version: self.controller.argo_version,
            controller_namespace: self.controllers.controller_namespace.clone(),
            endangered: None,
            holds_pipes: true,
        };
        let mut examination = Examination::default();
        let FilesRead { context, repeated, .. } =
            assess_files::read(&request, &mut *streams.input, now, &mut examination)?;
        examination.settle(&context);
        let accounts = examination.doctor.accounts();
        let standings: BTreeMap<Account, Standing> = accounts
            .iter()
            .filter_map(|account| Some((account.clone(), context.related.standing(account)?)))
            .collect();
        let known =
            |account: &&Account| standings.get(account).is_some_and(|standing| !standing.is_unknown());
        let unknown = accounts.iter().find(|account| !known(account));
        let why = match (context.related.roles.are_none(), unknown) {
            (true, _) => Some("files hold none".to_owned()),
            (false, Some(account)) => {
                Some(format!("the roles among the files don't determine those of {account}"))
            }
            (false, None) => None,
        };
        examination.inspection.gaps.extend(why.map(|why| Gap {
            what: "the permissions of service accounts".to_owned(),
            why,
            effect: "it is unknown whether GC pods may do their work".to_owned(),
        }));
        warn_of_repeated(repeated, streams);
        let origin = Scope {
            kind: "files".to_owned(),
            namespace: self.kube.one_namespace().map(str::to_owned),
            filtered: self.is_filtered(),
            files: self.from.files.iter().map(|path| path.display().to_string()).collect(),
            ..Scope::default()
        };
        let place = match request.inputs.as_slice() {
            [input] => input.to_string(),
            inputs => plural(inputs.len() as u64, "file"),
        };
        let beside = Surroundings {
            unread: foreseen::of_files(&context),
            maps: std::mem::take(&mut examination.maps),
            context: Arc::new(context),
            repositories: std::mem::take(&mut examination.repositories),
            standings,
            whole: false,
            origin,
            place,
        };
        self.show(streams, examination, beside)
    }

    /// Whether a flag leaves out workflows of the namespace, cluster or files.
    fn is_filtered(&self) -> bool {
        !self.names.is_empty()
            || self.selector.is_some()
            || !self.status.is_empty()
            || self.select.is_filter()
    }

    /// Prints the diagnosis.
    fn show(
        self,
        streams: &mut Streams,
        examination: Examination,
        beside: Surroundings,
    ) -> Result<u8, Error> {
        let Examination { doctor, mut inspection, malformed, .. } = examination;
        let Surroundings { context, repositories: others, maps, mut unread, standings, whole, origin, place } =
            beside;
        unread.extend(foreseen::nodes(&inspection));
        let unread: Vec<&Unread> = unread.iter().collect();
        let accept = (!unread.is_empty()).then(|| format!("--accept-unread={}", Accepted::exactly(&unread)));
        let same = FollowUp::of(&self.kube, Some(&self.argo), None)?;
        let same = same.and([self.controllers.same(), self.controller.same(), accept].into_iter().flatten());
        let (same, has_purges) = (same.flags(), Cell::new(false));
        let command = |step: &PurgeStep<'_>| {
            has_purges.set(true);
            purge_command(step) + &same
        };
        let allowed = |named: Option<&str>| Allowed::configured(&context.controllers, named, &maps);
        let purges = Purges { command: &command, allowed: &allowed };
        let (causes, accounts) = doctor.finish(&standings, &context, whole, purges);
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
            false => write(&mut streams.out, streams.width, &diagnosis, self.output)?,
        }
        streams.out.flush()?;
        tell_controllers(&context.controllers, streams);
        report(streams, &inspection, &diagnosis.place);
        if has_purges.get() && !self.yaml {
            tell_accepted(&unread, streams);
        }
        Ok(if malformed { exit::PARTIAL } else { exit::DONE })
    }
}

/// Says what the commands of purges accept as unread, and how it can be read instead.
fn tell_accepted(unread: &[&Unread], streams: &mut Streams) {
    if unread.is_empty() {
        return;
    }
    let way = match unread.iter().all(|unread| unread.is_of_argo()) {
        true => "with --argo-server HOST:PORT it is read instead",
        false => "with permission to read it, leave --accept-unread out",
    };
    let what: Vec<String> = unread.iter().map(ToString::to_string).collect();
    streams.say(format!(
        "Warning: the purges above take the risk that something refers to what they delete, for this can't be read: {}; {way}",
        what.join("; ")
    ));
}
