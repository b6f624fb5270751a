//! How to reach the cluster: kubeconfig, context, identity, time-out.

use crate::cluster::api_client::{ApiClient, Patience, check_segment};
use crate::cluster::argo_server::ArgoServer;
use crate::cluster::argo_server::address::ArgoAddress;
use crate::cluster::client::Cluster;
use crate::error::{Error, ErrorKind, Hint};
use crate::progress::Progress;
use kube::config::{AuthInfo, Config, ExecConfig, KubeConfigOptions, Kubeconfig, KubeconfigError};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The values of kubectl's flags of the same names.
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
    /// For each request, as kubectl means it: zero for no limit. Without it a server may be silent for a while.
    pub request_timeout: Option<Duration>,
    /// An Argo server, which alone can read offloaded nodes and the archive.
    pub argo_server: Option<ArgoAddress>,
}

impl Cluster {
    /// Loads the configuration as kubectl does, else the account of the pod it runs in. Nothing is sent yet.
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
        let patience = Patience::from(access.request_timeout);
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
        let namespace = config.default_namespace.clone();
        let plugin = auth.exec.clone();
        let api = ApiClient::new(config, patience).map_err(|error| blame(plugin, error))?;
        let argo_server = access.argo_server.as_ref().map(|address| ArgoServer::new(address, &own, patience));
        let argo_server = argo_server.transpose()?.map(Arc::new);
        Ok(Self { api, namespace, context, argo_server, progress: Progress::default() })
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
            Ok((config.map_err(Error::from_kubeconfig)?, context))
        }
        Err(error) if access.kubeconfig.is_none() && is_absent(&error) => match Config::incluster() {
            Ok(config) => Ok((config, None)),
            Err(_) => Err(Error::from_kubeconfig(error).hint(Hint::NoKubeconfig)),
        },
        Err(error) => Err(Error::from_kubeconfig(error)),
    }
}

/// Reads as [`Kubeconfig::read`] does, but skips files of `KUBECONFIG` that don't exist, as kubectl does.
pub(crate) fn read_default() -> Result<Kubeconfig, KubeconfigError> {
    let all = Kubeconfig::read();
    let (Err(error), Some(list)) = (&all, std::env::var_os("KUBECONFIG")) else { return all };
    if !is_absent(error) {
        return all;
    }
    let there = std::env::split_paths(&list).filter(|path| path.exists()).map(Kubeconfig::read_from);
    there.reduce(|merged, next| merged?.merge(next?)).unwrap_or(all)
}

/// Whether there is no kubeconfig at all, rather than a damaged one.
fn is_absent(error: &KubeconfigError) -> bool {
    match error {
        KubeconfigError::FindPath => true,
        KubeconfigError::ReadConfig(cause, _) => cause.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}

/// Removes the newline at the end of a token file, which kube would put into the header.
fn trim_token_file(auth: &mut AuthInfo) {
    if let (None, Some(path)) = (&auth.token, &auth.token_file)
        && let Ok(text) = std::fs::read_to_string(path)
        && text.trim() != text
    {
        auth.token = Some(text.trim().to_owned().into());
    }
}

/// Names the credential plugin, if an error is about credentials.
fn blame(plugin: Option<ExecConfig>, error: Error) -> Error {
    let Some(plugin) = plugin.filter(|_| error.kind == ErrorKind::Credentials) else { return error };
    let error = match plugin.command {
        Some(command) => error.hint(format!("the kubeconfig's user gets its credentials from {command}")),
        None => error,
    };
    match plugin.install_hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}
