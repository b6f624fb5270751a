//! Reads the candidates that come from the cluster, the kubeconfig, storage and files, within the time that a user waits.

use crate::cli::command_line::command;
use crate::cli::complete::places::Places;
use crate::cli::directories::Folders;
use crate::cli::kube_flags;
use crate::cli::storage::StorageFlags;
use crate::cli::values::repository;
use crate::cluster::access::Access;
use crate::cluster::client::Cluster;
use crate::cluster::controllers::ControllerQuery;
use crate::cluster::names::{Configured, Named};
use crate::purge::{journal_list, plan_find};
use argo_gc_core::argo::meta::Meta;
use argo_gc_core::argo::names;
use clap::{ArgMatches, FromArgMatches};
use clap_complete::engine::{CompletionCandidate, PathCompleter, ValueCompleter};
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

/// The time for all requests together. With the start of the process the answer takes less than two seconds.
const PATIENCE: Duration = Duration::from_millis(1200);

/// The cluster to ask, and the deadline.
pub(crate) struct Candidates {
    access: Access,
    /// The storage to ask; none if the verb asks none.
    storage: Option<StorageFlags>,
    /// The words of the line so far.
    typed: Vec<OsString>,
    deadline: Instant,
}

impl Candidates {
    /// Takes the cluster from the flags of a line. Its first word is the program.
    pub fn new(line: &[OsString]) -> Arc<Self> {
        let mut access = typed(line).map(|flags| kube_flags::access(&flags)).unwrap_or_default();
        access.request_timeout = Some(PATIENCE);
        Arc::new(Self {
            access,
            storage: storage(line),
            typed: line.to_vec(),
            deadline: Instant::now() + PATIENCE,
        })
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

    /// The places in storage that begin with what is typed: folder by folder what a listing shows, if the bucket is
    /// typed, and else the repositories of the cluster.
    pub fn locations(&self, typed: &OsStr) -> Vec<CompletionCandidate> {
        let Some(typed) = typed.to_str() else { return Vec::new() };
        let mut found = match Places::of(typed) {
            Some(places) => self.listed(places),
            None => self.repositories(),
        };
        found.retain(|place| place.starts_with(typed));
        found.into_iter().map(CompletionCandidate::new).collect()
    }

    /// The buckets of the cluster's repositories.
    pub fn buckets(&self) -> Vec<CompletionCandidate> {
        let repositories = self.repositories();
        let buckets: BTreeSet<String> =
            repositories.iter().filter_map(|place| Some(repository(place).ok()?.0.to_string())).collect();
        buckets.into_iter().map(CompletionCandidate::new).collect()
    }

    /// The repositories of the cluster; with `--store-root` the buckets of that directory.
    fn repositories(&self) -> BTreeSet<String> {
        if let Some(root) = self.storage.as_ref().and_then(|flags| flags.store_root.as_ref()) {
            let folders = std::fs::read_dir(root).into_iter().flatten().flatten();
            let names = folders.filter_map(|folder| folder.file_name().into_string().ok());
            return names.map(|name| format!("gs://{name}/")).collect();
        }
        let access = self.access.clone();
        self.within(move |into: Arc<Mutex<BTreeSet<String>>>| async move {
            let Ok(cluster) = Cluster::connect(&access).await else { return };
            let (controllers, _) = cluster.controllers(ControllerQuery::default()).await;
            let allowed = cluster.repositories(&controllers, Some(cluster.namespace())).await;
            locked(&into).extend(allowed.places());
        })
    }

    /// What a bucket shows; nothing if it can't be read in time, because a part of it would look like the whole.
    fn listed(&self, places: Places) -> BTreeSet<String> {
        let Some(flags) = self.storage.clone() else { return BTreeSet::new() };
        self.within(move |into| async move {
            let Ok(store) = flags.open() else { return };
            if let Some(found) = places.list(&store).await {
                *locked(&into) = found;
            }
        })
    }

    fn ask(&self, what: Named) -> Vec<Meta> {
        let access = self.access.clone();
        self.within(move |into: Arc<Mutex<Vec<Meta>>>| async move {
            if let Ok(cluster) = Cluster::connect(&access).await {
                let _ = cluster.names(what, |page| locked(&into).extend(page)).await;
            }
        })
    }

    /// Returns what a question put into its answer before the deadline. Its thread is not joined, because who is asked may
    /// never answer.
    fn within<T, F>(&self, ask: impl FnOnce(Arc<Mutex<T>>) -> F + Send + 'static) -> T
    where
        T: Default + Send + 'static,
        F: Future<Output = ()>,
    {
        let found: Arc<Mutex<T>> = Arc::default();
        let (done, wait) = mpsc::channel::<()>();
        let into = Arc::clone(&found);
        std::thread::spawn(move || {
            let _done = done;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            if let Ok(runtime) = runtime {
                runtime.block_on(ask(into));
            }
        });
        let _ = wait.recv_timeout(self.deadline.saturating_duration_since(Instant::now()));
        std::mem::take(&mut *locked(&found))
    }

    /// The journals of past runs, where they are written unless a flag named another place.
    pub fn journals(&self, typed: &OsStr) -> Vec<CompletionCandidate> {
        let folder = Folders::of_user().journals();
        let paths = folder.and_then(|folder| journal_list::paths(&folder).ok()).unwrap_or_default();
        let begins =
            |path: &PathBuf| path.as_os_str().as_encoded_bytes().starts_with(typed.as_encoded_bytes());
        paths.into_iter().filter(begins).map(CompletionCandidate::new).collect()
    }

    /// The saved plans in the folder that is typed, or in the current one.
    pub fn plans(self: &Arc<Self>, typed: &OsStr) -> Vec<CompletionCandidate> {
        let deadline = self.deadline;
        let is_plan = move |path: &Path| Instant::now() < deadline && plan_find::is_plan(path);
        let mut found = PathCompleter::any().filter(is_plan).complete(typed);
        found.retain(|candidate| !candidate.get_value().as_encoded_bytes().ends_with(b"/"));
        found
    }
}

fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Parses the flags of storage. Their defaults are there only if nothing is wrong with the line, so the flag whose value is
/// being typed is left out if need be.
fn storage(line: &[OsString]) -> Option<StorageFlags> {
    (0..=2).find_map(|left_out| {
        let flags = typed(line.get(..line.len().checked_sub(left_out)?)?)?;
        flags.try_contains_id("store_root").ok()?;
        StorageFlags::from_arg_matches(&flags).ok()
    })
}

/// Parses the flags before the word that is being typed, and ignores errors. The first word of `line` is the program.
fn typed(line: &[OsString]) -> Option<ArgMatches> {
    let mut matches = command().ignore_errors(true).try_get_matches_from(line).ok()?;
    while let Some((_, verb)) = matches.remove_subcommand() {
        matches = verb;
    }
    Some(matches)
}
