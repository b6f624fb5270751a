//! What the cluster and the kubeconfig have names for, asked within the time a person waits.

use crate::cli::complete::typed;
use crate::cli::kube_flags;
use crate::cluster::access::Access;
use crate::cluster::client::Cluster;
use crate::cluster::names::{Configured, Named};
use argo_gc_core::argo::meta::Meta;
use argo_gc_core::argo::names;
use clap_complete::engine::CompletionCandidate;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

/// For everything, from the start; with the process's own start it stays below two seconds.
const PATIENCE: Duration = Duration::from_millis(1200);

/// Where to ask, and until when.
pub(crate) struct Known {
    access: Access,
    /// Words that stand there already.
    typed: Vec<OsString>,
    deadline: Instant,
}

impl Known {
    /// By the flags of a line, its first word being the program.
    pub fn new(line: &[OsString]) -> Arc<Self> {
        let mut access = typed(line).map(|flags| kube_flags::access(&flags)).unwrap_or_default();
        access.request_timeout = Some(PATIENCE);
        Arc::new(Self { access, typed: line.to_vec(), deadline: Instant::now() + PATIENCE })
    }

    pub fn configured(&self, which: fn(&Configured) -> &Vec<String>) -> Vec<CompletionCandidate> {
        let names = Configured::read(self.access.kubeconfig.as_deref());
        which(&names).iter().map(CompletionCandidate::new).collect()
    }

    /// The cluster's, and those of the kubeconfig's contexts where it doesn't tell.
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

    /// With their phases.
    pub fn workflows(&self) -> Vec<CompletionCandidate> {
        let candidate = |meta: Meta| {
            let phase = meta.label(names::PHASE).to_owned();
            CompletionCandidate::new(meta.name).help((!phase.is_empty()).then(|| phase.into()))
        };
        let mut found = self.ask(Named::Workflows);
        found.retain(|meta| !self.typed.iter().any(|word| *word == *meta.name));
        found.into_iter().map(candidate).collect()
    }

    /// Keys of labels, and after `=` their values; the part before the last comma stays as it is.
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

    /// Whatever came before the deadline. The thread is left behind: what it waits for may never come.
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
