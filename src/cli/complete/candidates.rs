//! Reads the candidates that come from the cluster and the kubeconfig, within the time that a user waits.

use crate::cli::command_line::command;
use crate::cli::kube_flags;
use crate::cluster::access::Access;
use crate::cluster::client::Cluster;
use crate::cluster::names::{Configured, Named};
use argo_gc_core::argo::meta::Meta;
use argo_gc_core::argo::names;
use clap::ArgMatches;
use clap_complete::engine::CompletionCandidate;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

/// The time for all requests together. With the start of the process the answer takes less than two seconds.
const PATIENCE: Duration = Duration::from_millis(1200);

/// The cluster to ask, and the deadline.
pub(crate) struct Candidates {
    access: Access,
    /// The words of the line so far.
    typed: Vec<OsString>,
    deadline: Instant,
}

impl Candidates {
    /// Takes the cluster from the flags of a line. Its first word is the program.
    pub fn new(line: &[OsString]) -> Arc<Self> {
        let mut access = typed(line).map(|flags| kube_flags::access(&flags)).unwrap_or_default();
        access.request_timeout = Some(PATIENCE);
        Arc::new(Self { access, typed: line.to_vec(), deadline: Instant::now() + PATIENCE })
    }

    pub fn configured(&self, which: fn(&Configured) -> &Vec<String>) -> Vec<CompletionCandidate> {
        let names = Configured::read(self.access.kubeconfig.as_deref());
        which(&names).iter().map(CompletionCandidate::new).collect()
    }

    /// The namespaces of the cluster, or those of the kubeconfig's contexts if the cluster does not list them.
    pub fn namespaces(&self) -> Vec<CompletionCandidate> {
        let found = self.ask(Named::Namespaces);
        if found.is_empty() {
            let mut named = Configured::read(self.access.kubeconfig.as_deref()).namespaces;
            named.sort();
            named.dedup();
            return named.into_iter().map(CompletionCandidate::new).collect();
        }
        found.into_iter().map(|meta| CompletionCandidate::new(meta.name)).collect()
    }

    /// The workflows, with their phases.
    pub fn workflows(&self) -> Vec<CompletionCandidate> {
        let candidate = |meta: Meta| {
            let phase = meta.label(names::PHASE).to_owned();
            CompletionCandidate::new(meta.name).help((!phase.is_empty()).then(|| phase.into()))
        };
        let mut found = self.ask(Named::Workflows);
        found.retain(|meta| !self.typed.iter().any(|word| *word == *meta.name));
        found.into_iter().map(candidate).collect()
    }

    /// The keys of labels and, after `=`, their values. The part before the last comma is repeated as it is.
    pub fn selectors(&self, typed: &OsStr) -> Vec<CompletionCandidate> {
        let Some(typed) = typed.to_str() else { return Vec::new() };
        let before = &typed[..typed.rfind(',').map_or(0, |at| at + 1)];
        let key = typed[before.len()..].split_once('=').map(|(key, _)| key);
        let mut found = BTreeSet::new();
        for (label, value) in self.ask(Named::Workflows).into_iter().flat_map(|meta| meta.labels) {
            match key {
                None => found.insert(format!("{before}{label}=")),
                Some(key) if key == label => found.insert(format!("{before}{label}={value}")),
                Some(_) => false,
            };
        }
        found.retain(|candidate| candidate.starts_with(typed));
        found.into_iter().map(CompletionCandidate::new).collect()
    }

    /// Returns what was read before the deadline. The thread is not joined, because the server may never answer.
    fn ask(&self, what: Named) -> Vec<Meta> {
        let found: Arc<Mutex<Vec<Meta>>> = Arc::default();
        let (done, wait) = mpsc::channel::<()>();
        let (access, into) = (self.access.clone(), Arc::clone(&found));
        std::thread::spawn(move || {
            let _done = done;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let Ok(runtime) = runtime else { return };
            let take = |page| into.lock().unwrap_or_else(PoisonError::into_inner).extend::<Vec<Meta>>(page);
            runtime.block_on(async {
                if let Ok(cluster) = Cluster::connect(&access).await {
                    let _ = cluster.names(what, take).await;
                }
            });
        });
        let _ = wait.recv_timeout(self.deadline.saturating_duration_since(Instant::now()));
        std::mem::take(&mut *found.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Parses the flags before the word that is being typed, and ignores errors. The first word of `line` is the program.
fn typed(line: &[OsString]) -> Option<ArgMatches> {
    let mut matches = command().ignore_errors(true).try_get_matches_from(line).ok()?;
    while let Some((_, verb)) = matches.remove_subcommand() {
        matches = verb;
    }
    Some(matches)
}
