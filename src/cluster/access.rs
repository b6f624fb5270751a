//! How to reach the cluster: kubeconfig, context, identity, time-out.

use crate::cluster::api_client::check_segment;
use crate::cluster::argo_server::ArgoServer;
use crate::cluster::argo_server::address::{ArgoAddress, is_loopback};
use crate::cluster::buffer::Pool;
use crate::cluster::client::Cluster;
use crate::error::Error;
use kube::client::{Client, ClientBuilder};
use kube::config::{AuthInfo, Config, ExecConfig, KubeConfigOptions, Kubeconfig, KubeconfigError};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What kubectl's flags of the same names say.
#[derive(Debug, Clone, Default)]
pub struct Access {
    pub kubeconfig: Option<PathBuf>,
    pub context: Option<String>,
    pub cluster: Option<String>,
    pub user: Option<String>,
    pub namespace: Option<String>,
    pub as_user: Option<String>,
    pub as_groups: Vec<String>,
    pub as_uid: Option<String>,
    /// For each request; none for no limit.
    pub request_timeout: Option<Duration>,
    /// An Argo server, for what only it can read.
    pub argo_server: Option<ArgoAddress>,
}

impl Cluster {
    /// Loads the configuration as kubectl does; falls back to a pod's own account where there is none.
    ///
    /// Nothing is sent yet.
    ///
    /// # Errors
    /// The kubeconfig is missing, damaged, or lacks what the flags name.
    pub async fn connect(access: &Access) -> Result<Self, Error> {
        let (mut config, context) = configure(access).await?;
        if let Some(namespace) = access.namespace.as_ref().filter(|namespace| !namespace.is_empty()) {
            config.default_namespace.clone_from(namespace);
        }
        check_segment("namespace", &config.default_namespace)?;
        trim_token_file(&mut config.auth_info);
        let timeout = access.request_timeout.filter(|timeout| !timeout.is_zero());
        let own = config.auth_info.clone();
        let auth = &mut config.auth_info;
        if access.as_user.is_some() {
            auth.impersonate.clone_from(&access.as_user);
        }
        if !access.as_groups.is_empty() {
            auth.impersonate_groups = Some(access.as_groups.clone());
        }
        if access.as_uid.is_some() {
            auth.impersonate_uid.clone_from(&access.as_uid);
        }
        // kube's own retries are a controller's and wait for minutes; ours are in `Cluster::get`.
        config.default_retry = false;
        let authority = config.cluster_url.authority().map(ToString::to_string).unwrap_or_default();
        // Compressing costs more than it spares where the bytes never leave the machine.
        config.disable_compression |= is_loopback(config.cluster_url.host().unwrap_or_default());
        let namespace = config.default_namespace.clone();
        let plugin = auth.exec.clone();
        let builder = ClientBuilder::try_from(config).map_err(|error| {
            let plugin = plugin.filter(|_| matches!(error, kube::Error::Auth(_)));
            blame(plugin, Error::from_kube(&authority, &error))
        })?;
        let client: Client = builder.build();
        let argo_server = access.argo_server.as_ref().map(|address| ArgoServer::new(address, &own, timeout));
        let argo_server = argo_server.transpose()?.map(Arc::new);
        Ok(Self {
            client,
            namespace,
            host: authority,
            context,
            timeout,
            buffers: Pool::default(),
            first_answer: Arc::default(),
            argo_server,
        })
    }
}

async fn configure(access: &Access) -> Result<(Config, Option<String>), Error> {
    let options = KubeConfigOptions {
        context: access.context.clone(),
        cluster: access.cluster.clone(),
        user: access.user.clone(),
    };
    let file = match &access.kubeconfig {
        Some(path) => Kubeconfig::read_from(path),
        None => read_default(),
    };
    match file {
        Ok(file) => {
            if let Some(user) = &access.user
                && !file.auth_infos.iter().any(|named| named.name == *user)
            {
                return Err(Error::new(format!("auth info \"{user}\" does not exist")));
            }
            let context = access.context.clone().or_else(|| file.current_context.clone());
            let config = Config::from_custom_kubeconfig(file, &options).await;
            Ok((config.map_err(|error| Error::from_kubeconfig(&error))?, context))
        }
        Err(error) if access.kubeconfig.is_none() && is_absent(&error) => match Config::incluster() {
            Ok(config) => Ok((config, None)),
            Err(_) => Err(Error::from_kubeconfig(&error)
                .hint("name a file with --kubeconfig, or inspect files: kubectl argo-gc inspect -f FILE")),
        },
        Err(error) => Err(Error::from_kubeconfig(&error)),
    }
}

/// As [`Kubeconfig::read`], but passes over files of `KUBECONFIG` that aren't there, as kubectl does.
pub(crate) fn read_default() -> Result<Kubeconfig, KubeconfigError> {
    let all = Kubeconfig::read();
    let (Err(error), Some(list)) = (&all, std::env::var_os("KUBECONFIG")) else { return all };
    if !is_absent(error) {
        return all;
    }
    let there = std::env::split_paths(&list).filter(|path| path.exists()).map(Kubeconfig::read_from);
    there.reduce(|merged, next| merged?.merge(next?)).unwrap_or(all)
}

/// There is no kubeconfig at all, rather than a damaged one.
fn is_absent(error: &KubeconfigError) -> bool {
    match error {
        KubeconfigError::FindPath => true,
        KubeconfigError::ReadConfig(cause, _) => cause.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}

/// Token files commonly end with a newline, which kube would put into the header as it is.
fn trim_token_file(auth: &mut AuthInfo) {
    if let (None, Some(path)) = (&auth.token, &auth.token_file)
        && let Ok(text) = std::fs::read_to_string(path)
        && text.trim() != text
    {
        auth.token = Some(text.trim().to_owned().into());
    }
}

/// Names the credential plugin at which connecting may have failed.
fn blame(plugin: Option<ExecConfig>, error: Error) -> Error {
    let Some(plugin) = plugin else { return error };
    let error = match plugin.command {
        Some(command) => error.hint(format!("the kubeconfig's user gets its credentials from {command}")),
        None => error,
    };
    match plugin.install_hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}
