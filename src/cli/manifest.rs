//! `manifest` prints objects that run the plugin in the cluster on a schedule, and admission policies.

pub mod admission;

use crate::cli::manifest::admission::PolicyFlags;
use crate::cli::push_flags::PushFlags;
use crate::cli::streams::Streams;
use crate::cli::template::{CONTAINER_SECURITY, POD_SECURITY, argo_token, fill, items, quoted};
use crate::cli::values;
use crate::cli::values::{AcceptedParser, image, secret};
use crate::cluster::unread::Accepted;
use crate::error::{Error, exit};
use crate::files::policy;
use crate::webhook::MessageFormat;
use argo_gc_core::model::bucket::Bucket;
use clap::{Args, ValueEnum};
use std::io::Write;
use std::path::PathBuf;

/// The roles. They are the same for users and for the scheduled run.
const RBAC: &str = include_str!("../../docs/rbac.yaml");

const ACCOUNT: &str = include_str!("manifest/account.yaml");

const CRON_JOB: &str = include_str!("manifest/cronjob.yaml");

const CRON_WORKFLOW: &str = include_str!("manifest/cronworkflow.yaml");

const CONTAINER: &str = include_str!("manifest/container.yaml");

const VOLUMES: &str = include_str!("manifest/volumes.yaml");

/// What only a purge and its dry run need.
const CONFIG_MAP: &str = include_str!("manifest/configmap.yaml");

const STATE_VARIABLE: &str = include_str!("manifest/state_variable.yaml");

/// The address of --webhook.
const WEBHOOK_VARIABLE: &str = include_str!("manifest/webhook_variable.yaml");

/// The credentials of --push.
const PUSH_VARIABLES: &str = include_str!("manifest/push_variables.yaml");

const PURGE_MOUNTS: &str = include_str!("manifest/purge_mounts.yaml");

const PURGE_VOLUMES: &str = include_str!("manifest/purge_volumes.yaml");

/// What a purge did becomes the message of its pod, and with it of Argo's node.
const SUMMARY: &str = "--summary=/dev/termination-log";

/// The policy if none is given.
const POLICY: &str = include_str!("manifest/policy.yaml");

/// Prints manifests: reports and purges on a schedule, and admission policies
///
/// For a schedule: a ServiceAccount with only the permissions that are used, a ConfigMap with a policy, and a CronJob,
/// or Argo's own CronWorkflow, that runs a container as nobody in particular, with nothing writable but two volumes.
/// Unless a purge is asked for, it only reports what a purge would do.
///
/// As `policy`: ValidatingAdmissionPolicies, with which the API server itself (Kubernetes 1.30 or later) warns of
/// manifests whose artifacts will not be collected, or refuses them. An object with the label argo-gc/exempt, whatever
/// its value, passes. Nothing is asked of a cluster.
#[derive(Debug, Args)]
#[command(mut_arg("push", |arg| arg.help("As of inspect and purge: the Pushgateway that takes the metrics of each run, such as \
    http://pushgateway:9091")))]
#[command(mut_arg("push_label", |arg| arg.help("As of inspect and purge: labels of the metrics, such as cluster=prod")))]
#[command(after_help = "Examples:
  kubectl argo-gc manifest cronjob --image IMAGE | kubectl apply -f -
  kubectl argo-gc manifest cronworkflow --image IMAGE --schedule '30 2 * * 0'
  kubectl argo-gc manifest cronjob --image IMAGE --mode purge --policy p.yaml
  kubectl argo-gc manifest cronjob --image IMAGE -n gc -- --only logs
  kubectl argo-gc manifest cronjob --image IMAGE --mode inspect
  kubectl argo-gc manifest policy | kubectl apply -f -
  kubectl argo-gc manifest policy --action deny --rule inline,logs-only

docs/in-cluster.md shows how to make the image, and who the account is at the buckets; docs/admission.md how to introduce \
policies.

Exit status: 0 done; 1 error; 2 wrong usage.")]
pub(crate) struct Arguments {
    /// What runs it, or looks at manifests.
    #[arg(value_enum, value_name = "KIND")]
    kind: Kind,
    /// What it does.
    #[arg(long, value_enum, default_value = "report", value_name = "MODE")]
    mode: Mode,
    /// Only workflows of these namespaces, such as ml,etl [default: of all].
    #[arg(long, value_delimiter = ',', value_parser = values::namespace, value_name = "NAMES")]
    namespaces: Vec<String>,
    /// The image of this plugin, which the Dockerfile makes; required for a schedule.
    #[arg(long, value_parser = image, value_name = "IMAGE",
          required_if_eq_any([("kind", "cronjob"), ("kind", "cronworkflow")]))]
    image: Option<String>,
    /// When it runs, as a cron schedule in the cluster's time, mostly UTC.
    #[arg(long, value_parser = schedule, default_value = "17 3 * * *", value_name = "CRON")]
    schedule: String,
    /// Namespace for its objects, which has to be there.
    #[arg(short, long, value_parser = label, default_value = "argo", value_name = "NAME")]
    namespace: String,
    /// Name of its objects.
    #[arg(long, value_parser = name, default_value = "argo-gc", value_name = "NAME")]
    name: String,
    /// For OpenShift, which gives the pod a user and a group itself: none are set.
    #[arg(long)]
    openshift: bool,
    /// Policy for the ConfigMap; - is standard input [default: the newest 3 runs and 7 days are kept].
    #[arg(long, value_name = "FILE", help_heading = "Purge")]
    policy: Option<PathBuf>,
    /// Also deletes failed runs.
    #[arg(long, help_heading = "Purge")]
    failed: bool,
    /// As of purge: another place where deleting is allowed, such as gs://BUCKET/PREFIX.
    #[arg(long, value_parser = values::repository, value_name = "URL", help_heading = "Purge")]
    repository: Vec<(Bucket, String)>,
    /// As of purge: proceeds even if SOURCE can't be read, although it may refer to what is deleted.
    #[arg(long, value_delimiter = ',', value_parser = AcceptedParser, value_name = "SOURCE",
          help_heading = "Purge")]
    accept_unread: Vec<Accepted>,
    /// As of purge: refuses a plan of more objects than this.
    #[arg(long, default_value_t = 10_000, value_name = "N", help_heading = "Purge")]
    max_objects: u64,
    /// PersistentVolumeClaim for the journals, which `undo` needs [default: none, and they are deleted with the pod].
    #[arg(long, value_parser = label, value_name = "NAME", help_heading = "Purge")]
    journal_claim: Option<String>,
    /// With --argo-server after --: the Secret from whose field `token` it takes ARGO_TOKEN [default: it uses its account's
    /// own token].
    #[arg(long, value_parser = secret, value_name = "NAME", help_heading = "Purge")]
    argo_token_secret: Option<String>,
    #[command(flatten)]
    push: PushFlags,
    /// With --push: the Secret with its credentials, in the field `token`, or in `username` and `password`.
    #[arg(long, value_parser = secret, value_name = "NAME", requires = "push", help_heading = "Metrics")]
    push_secret: Option<String>,
    /// Posts how each run ended: the Secret that has the URL, in the field `url`.
    #[arg(long, value_parser = secret, value_name = "NAME", help_heading = "Webhook")]
    webhook_secret: Option<String>,
    /// As of inspect and purge: who reads it.
    #[arg(
        long,
        value_enum,
        default_value = "json",
        value_name = "FORMAT",
        requires = "webhook_secret",
        help_heading = "Webhook"
    )]
    webhook_format: MessageFormat,
    #[command(flatten)]
    admission: PolicyFlags,
    /// Further flags of purge, or of inspect, after --.
    #[arg(last = true, allow_hyphen_values = true, value_name = "FLAG")]
    more: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lower")]
enum Kind {
    /// A CronJob of Kubernetes.
    CronJob,
    /// A CronWorkflow of Argo.
    CronWorkflow,
    /// Admission policies of the API server.
    Policy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// Shows everything that leaks, however young it is; with permissions to read only.
    Inspect,
    /// A purge's dry run, with permissions to read only.
    Report,
    /// A purge.
    Purge,
}

/// Parses a DNS label, which is what Kubernetes accepts as a namespace.
fn label(text: &str) -> Result<String, String> {
    let ordinary = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let ends = |c: char| c != '-';
    match text.chars().all(ordinary) && text.starts_with(ends) && text.ends_with(ends) && text.len() <= 63 {
        true => Ok(text.to_owned()),
        false => Err("a name has lower-case letters, digits and - within, 63 at the most".to_owned()),
    }
}

/// Parses the name of a CronJob. It is shorter than other names, because Kubernetes appends to it.
fn name(text: &str) -> Result<String, String> {
    match label(text)?.len() > 52 {
        true => Err("the name of a CronJob has 52 letters at the most".to_owned()),
        false => Ok(text.to_owned()),
    }
}

/// Parses a schedule. Only the number of fields is checked, a common mistake: the server checks their contents.
fn schedule(text: &str) -> Result<String, String> {
    let plain = text.chars().all(|c| c.is_ascii_graphic() || c == ' ');
    let fields = text.split_whitespace().count();
    match plain && (fields == 5 || fields > 0 && text.starts_with('@')) {
        true => Ok(text.to_owned()),
        false => {
            Err("a schedule has five fields, such as '17 3 * * *', or is @daily and the like".to_owned())
        }
    }
}

impl Arguments {
    /// Prints the manifests. `check` parses the command line that will run in the cluster.
    pub fn run(
        self,
        streams: &mut Streams,
        check: impl FnOnce(Vec<String>) -> Result<(), clap::Error>,
    ) -> Result<u8, Error> {
        if self.kind == Kind::Policy {
            streams.out.write_all(self.admission.manifest(&self.name).as_bytes())?;
            return Ok(exit::DONE);
        }
        let policy = match &self.policy {
            Some(path) => policy::text(path, &mut *streams.input)?,
            None => POLICY.to_owned(),
        };
        self.ensure_of_mode()?;
        // A wrong command line is refused now rather than when the job runs.
        let line = ["kubectl argo-gc".to_owned()].into_iter().chain(self.args());
        if let Err(error) = check(line.collect()) {
            let words = error.render().to_string();
            let words = words.lines().next().unwrap_or_default();
            return Err(Error::usage(words.strip_prefix("error: ").unwrap_or(words))
                .hint(format!("what comes after -- are flags of kubectl argo-gc {}", self.verb())));
        }
        let names_server = |word: &String| word == "--argo-server" || word.starts_with("--argo-server=");
        if self.argo_token_secret.is_some() && !self.more.iter().any(names_server) {
            return Err(Error::usage("--argo-token-secret requires --argo-server, after --"));
        }
        let text = self.manifest(&policy);
        streams.out.write_all(text.as_bytes())?;
        Ok(exit::DONE)
    }

    fn manifest(&self, policy: &str) -> String {
        let rights = match self.mode {
            Mode::Inspect | Mode::Report => "inspect",
            Mode::Purge => "purge",
        };
        let workload = if self.kind == Kind::CronWorkflow { CRON_WORKFLOW } else { CRON_JOB };
        let state = match &self.journal_claim {
            None => "emptyDir: {}".to_owned(),
            Some(claim) => format!("persistentVolumeClaim:\n    claimName: {}", quoted(claim)),
        };
        let token = match argo_token(self.argo_token_secret.as_deref()) {
            none if none.is_empty() => none,
            token => format!("- {token}"),
        };
        let container = fill(CONTAINER, "@CONTAINER_SECURITY@", CONTAINER_SECURITY);
        let container = container.replace("@IMAGE@", &quoted(self.image.as_deref().unwrap_or_default()));
        let container = fill(&container, "@ARGS@", &items(&self.args()));
        let of_purge = |text: &'static str| if self.mode == Mode::Inspect { "" } else { text };
        let container = fill(&container, "@PURGE_MOUNTS@", of_purge(PURGE_MOUNTS));
        let credentials = match &self.push_secret {
            None => String::new(),
            Some(secret) => PUSH_VARIABLES.replace("@PUSH_SECRET@", &quoted(secret)),
        };
        let webhook = match &self.webhook_secret {
            None => String::new(),
            Some(secret) => WEBHOOK_VARIABLE.replace("@WEBHOOK_SECRET@", &quoted(secret)),
        };
        let variables = format!("{}{credentials}{webhook}{token}", of_purge(STATE_VARIABLE));
        let env = if variables.is_empty() {
            String::new()
        } else {
            fill("env:\n  @VARIABLES@\n", "@VARIABLES@", &variables)
        };
        let container = fill(&container, "@ENV@", &env);
        let volumes = fill(VOLUMES, "@PURGE_VOLUMES@", of_purge(PURGE_VOLUMES)).replace("@STATE@", &state);
        let config_map = of_purge(CONFIG_MAP);
        // The user's texts are filled in last, so that nothing in them is taken for a placeholder.
        let security = if self.openshift { without_ids(POD_SECURITY) } else { POD_SECURITY.to_owned() };
        let text = fill(&format!("{ACCOUNT}{config_map}{workload}"), "@POD_SECURITY@", &security);
        let text = fill(&text, "@VOLUMES@", &volumes)
            .replace("@ROLE@", &role(rights))
            .replace("@NAMESPACE@", &self.namespace)
            .replace("@NAME@", &self.name)
            .replace("@SCHEDULE@", &quoted(&self.schedule));
        fill(&text, "@CONTAINER@", &container).replacen("@POLICY@", &block(policy), 1)
    }

    fn verb(&self) -> &'static str {
        if self.mode == Mode::Inspect { "inspect" } else { "purge" }
    }

    /// Refuses what only a purge heeds.
    fn ensure_of_mode(&self) -> Result<(), Error> {
        let given = [
            ("--policy", self.policy.is_some()),
            ("--failed", self.failed),
            ("--repository", !self.repository.is_empty()),
            ("--accept-unread", !self.accept_unread.is_empty()),
            ("--journal-claim", self.journal_claim.is_some()),
        ];
        match given.into_iter().find(|(_, is_given)| *is_given && self.mode == Mode::Inspect) {
            Some((flag, _)) => {
                Err(Error::usage(format!("{flag} can't be used with --mode inspect, which plans no delete")))
            }
            None => Ok(()),
        }
    }

    /// Returns the arguments that hand over the result of each run.
    fn handing_over(&self) -> Vec<String> {
        let mut args = self.push.args();
        if self.webhook_secret.is_some() {
            let format = self.webhook_format.to_possible_value();
            let format =
                format.map_or_else(String::new, |format| format!("--webhook-format={}", format.get_name()));
            args.extend(["--webhook=env:ARGO_GC_WEBHOOK".to_owned(), format]);
        }
        args
    }

    /// Returns the arguments of the command that runs in the cluster.
    fn args(&self) -> Vec<String> {
        let mut args: Vec<String> = vec![self.verb().into()];
        let namespaces = format!("--namespace={}", self.namespaces.join(","));
        match (self.namespaces.is_empty(), self.mode) {
            (true, _) => args.push("-A".into()),
            (false, Mode::Inspect) => args.push(namespaces),
            (false, _) => args.extend([namespaces, "--all".into()]),
        }
        match self.mode {
            Mode::Inspect => {
                args.extend(self.handing_over());
                args.extend(self.more.iter().cloned());
                return args;
            }
            Mode::Report => args.push("--dry-run".into()),
            Mode::Purge => args.extend(["--yes".into(), SUMMARY.into()]),
        }
        args.push("--policy=/etc/argo-gc/policy.yaml".into());
        args.push(format!("--max-objects={}", self.max_objects));
        if self.failed {
            args.push("--status=Succeeded,Failed,Error".into());
        }
        args.extend(self.repository.iter().map(|(bucket, prefix)| match prefix.is_empty() {
            true => format!("--repository={bucket}"),
            false => format!("--repository={bucket}/{prefix}"),
        }));
        args.extend(self.accept_unread.iter().map(|source| format!("--accept-unread={source}")));
        args.extend(self.handing_over());
        args.extend(self.more.iter().cloned());
        args
    }
}

/// Returns a pod's security context without its user and groups. OpenShift admits only those of the namespace's own range.
fn without_ids(security: &str) -> String {
    let is_id =
        |line: &&str| ["runAsUser:", "runAsGroup:", "fsGroup:"].iter().any(|id| line.trim().starts_with(id));
    security.lines().filter(|line| !is_id(line)).map(|line| format!("{line}\n")).collect()
}

/// Returns one of the two roles of docs/rbac.yaml under the account's name: nobody else uses it, so it can be changed and
/// deleted with the account.
fn role(rights: &str) -> String {
    const NAME: &str = "  name: @NAMESPACE@:@NAME@\n  labels:\n    app.kubernetes.io/name: argo-gc\n    \
                        app.kubernetes.io/instance: @NAME@\n";
    let documents = RBAC.split("\n---\n").map(|document| {
        let start = document.find("apiVersion:").unwrap_or_default();
        document[start..].trim_end()
    });
    let line = format!("  name: argo-gc-{rights}\n");
    let mut found = documents.filter(|document| document.contains(&line));
    found.next().unwrap_or_default().replace(&line, NAME)
}

/// Returns a file's text as a YAML block, or quoted if a block can't hold it unchanged.
fn block(text: &str) -> String {
    let plain =
        |c: char| c == '\n' || !c.is_control() && c != '\u{feff}' && !('\u{2028}'..='\u{2029}').contains(&c);
    let begins = text.starts_with(|c: char| !c.is_whitespace());
    match text.chars().all(plain) && begins && text.ends_with('\n') && !text.ends_with("\n\n") {
        false => quoted(text),
        true => {
            let lines = text.lines().map(|line| match line.is_empty() {
                true => "\n".to_owned(),
                false => format!("\n    {line}"),
            });
            format!("|{}", lines.collect::<String>())
        }
    }
}
