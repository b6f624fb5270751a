//! Flags of kubectl and of argo.

use crate::cluster::access::Access;
use crate::cluster::argo_server::address::{AddressError, ArgoAddress, TypedAddress};
use crate::duration;
use crate::error::Error;
use clap::{ArgMatches, Args};
use std::path::PathBuf;
use std::time::Duration;

/// The values of a workflow's `status.phase`.
pub(crate) const PHASES: [&str; 5] = ["Pending", "Running", "Succeeded", "Failed", "Error"];

/// The help of -n where several namespaces can be given.
pub(crate) const NAMESPACES: &str = "Namespace to look in, or several, as ml,etl [default: the context's]";

/// Flags that mean what they mean in kubectl.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Cluster")]
pub(crate) struct KubeFlags {
    /// Kubeconfig file to use.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Kubeconfig context to use.
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// Kubeconfig cluster to use.
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// Kubeconfig user to use.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Namespace to look in [default: the context's].
    #[arg(short, long, value_parser = one_namespace, value_name = "NAME")]
    pub namespace: Option<String>,
    /// User to impersonate.
    #[arg(long = "as", value_name = "USER")]
    as_user: Option<String>,
    /// Group to impersonate; may be given several times.
    #[arg(long = "as-group", value_name = "GROUP", requires = "as_user")]
    as_groups: Vec<String>,
    /// UID to impersonate.
    #[arg(long, value_name = "UID", requires = "as_user")]
    as_uid: Option<String>,
    /// Limit for a single request, such as 30s; 0 for none [default: no limit, but 90s without a byte end it].
    #[arg(long, value_name = "DURATION", value_parser = duration::request_timeout)]
    request_timeout: Option<Duration>,
    /// Objects to ask for at a time; 0 for all at once.
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub chunk_size: u32,
}

/// Flags that mean what they mean in argo, for what only an Argo server can read.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Argo server")]
pub(crate) struct ArgoFlags {
    /// Argo server to read offloaded nodes and archived workflows from, as HOST:PORT or URL.
    ///
    /// The token is ARGO_TOKEN, or else the kubeconfig user's own; --as does not count there. An empty value names
    /// none, whatever ARGO_SERVER is.
    #[arg(long, env = "ARGO_SERVER", hide_env_values = true, value_name = "SERVER")]
    argo_server: Option<String>,
    /// Path the Argo server is served below.
    #[arg(
        long,
        env = "ARGO_BASE_HREF",
        hide_env_values = true,
        default_value = "",
        hide_default_value = true,
        value_name = "PATH",
        hide_short_help = true
    )]
    argo_base_href: String,
    /// Whether an Argo server named without a scheme uses TLS.
    #[arg(long, env = "ARGO_SECURE", hide_env_values = true, default_value = "true", num_args = 0..=1,
          require_equals = true, default_missing_value = "true", value_parser = unless_false, value_name = "BOOL",
          hide_short_help = true)]
    argo_secure: bool,
    /// Takes any certificate of the Argo server, which lets others read the token.
    #[arg(long, env = "ARGO_INSECURE_SKIP_VERIFY", hide_env_values = true, default_value = "false",
          num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = if_true,
          value_name = "BOOL", hide_short_help = true)]
    argo_insecure_skip_verify: bool,
}

/// Refuses several namespaces, where just one can be meant.
fn one_namespace(text: &str) -> Result<String, String> {
    match text.contains(',') {
        true => Err("name one namespace".to_owned()),
        false => Ok(text.to_owned()),
    }
}

/// Parses ARGO_SECURE as the argo CLI does.
fn unless_false(text: &str) -> Result<bool, String> {
    Ok(text != "false")
}

/// Parses ARGO_INSECURE_SKIP_VERIFY as the argo CLI does.
fn if_true(text: &str) -> Result<bool, String> {
    Ok(text == "true")
}

impl KubeFlags {
    pub fn access(&self) -> Access {
        Access {
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
            cluster: self.cluster.clone(),
            user: self.user.clone(),
            namespace: self.one_namespace().map(str::to_owned),
            as_user: self.as_user.clone(),
            as_groups: self.as_groups.clone(),
            as_uid: self.as_uid.clone(),
            request_timeout: self.request_timeout,
            argo_server: None,
        }
    }
}

impl KubeFlags {
    /// The namespaces of -n; none if it is not given.
    pub fn namespaces(&self) -> Vec<String> {
        let given = self.namespace.as_deref().unwrap_or_default();
        given.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }

    /// The namespaces of -n if there are several: of one that does not exist nothing would be shown beside the others.
    pub fn several_namespaces(&self) -> Vec<String> {
        let namespaces = self.namespaces();
        if namespaces.len() > 1 { namespaces } else { Vec::new() }
    }

    /// The namespace of -n, if it names just one.
    pub fn one_namespace(&self) -> Option<&str> {
        self.namespace.as_deref().filter(|name| !name.contains(','))
    }

    /// The flags by which another command here reaches the same cluster as the same user, whatever its namespace.
    pub fn same(&self) -> Vec<String> {
        let kubeconfig = self.kubeconfig.as_ref().map(|path| path.display().to_string());
        let flags = [
            ("kubeconfig", kubeconfig.as_ref()),
            ("context", self.context.as_ref()),
            ("cluster", self.cluster.as_ref()),
            ("user", self.user.as_ref()),
            ("as", self.as_user.as_ref()),
            ("as-uid", self.as_uid.as_ref()),
        ];
        let given = flags.into_iter().filter_map(|(flag, value)| Some(format!("--{flag}={}", value?)));
        given.chain(self.as_groups.iter().map(|group| format!("--as-group={group}"))).collect()
    }

    /// The flags by which a run elsewhere reads the cluster in the same way. Who reads it, and where it is, differs there.
    pub fn carried(&self) -> Vec<String> {
        let timeout = self.request_timeout.map(|time| format!("--request-timeout={}s", time.as_secs()));
        [format!("--chunk-size={}", self.chunk_size)].into_iter().chain(timeout).collect()
    }
}

impl ArgoFlags {
    /// The flags that name the same Argo server; none if there is none.
    ///
    /// # Errors
    /// As [`Self::beside`].
    pub fn carried(&self) -> Result<Vec<String>, Error> {
        let Some(address) = self.argo_server()? else { return Ok(Vec::new()) };
        let insecure = address.is_insecure().then(|| "--argo-insecure-skip-verify".to_owned());
        Ok([format!("--argo-server={}", address.url())].into_iter().chain(insecure).collect())
    }

    /// Returns the access to the cluster and to its Argo server.
    ///
    /// # Errors
    /// The address of the Argo server is none.
    pub fn beside(&self, kube: &KubeFlags) -> Result<Access, Error> {
        Ok(Access { argo_server: self.argo_server()?, ..kube.access() })
    }

    /// Returns the Argo server if one is named. A variable that is set but empty names none.
    fn argo_server(&self) -> Result<Option<ArgoAddress>, Error> {
        let Some(server) = self.argo_server.as_deref().map(str::trim).filter(|server| !server.is_empty())
        else {
            return Ok(None);
        };
        let address = ArgoAddress::parse(TypedAddress {
            server,
            secure: self.argo_secure,
            insecure: self.argo_insecure_skip_verify,
            base_href: &self.argo_base_href,
        });
        address.map(Some).map_err(|AddressError { shown, why }| {
            Error::usage(format!("invalid --argo-server \"{shown}\": {why}"))
        })
    }
}

/// Returns the access that the flags of an incomplete command line give, whatever its verb.
pub(crate) fn access(typed: &ArgMatches) -> Access {
    fn get<T: Clone + Send + Sync + 'static>(typed: &ArgMatches, id: &str) -> Option<T> {
        typed.try_get_one::<T>(id).ok().flatten().cloned()
    }
    let groups = typed.try_get_many::<String>("as_groups").ok().flatten();
    Access {
        kubeconfig: get(typed, "kubeconfig"),
        context: get(typed, "context"),
        cluster: get(typed, "cluster"),
        user: get(typed, "user"),
        namespace: get(typed, "namespace"),
        as_user: get(typed, "as_user"),
        as_groups: groups.map(|groups| groups.cloned().collect()).unwrap_or_default(),
        as_uid: get(typed, "as_uid"),
        request_timeout: None,
        argo_server: None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_wrong_address_is_refused_without_its_password() {
        for wrong in ["ftp://argo", "https://", ":2746", "https://me:secret@argo", "argo:2746/?x=1", "a b"] {
            let flags = ArgoFlags {
                argo_server: Some(wrong.to_owned()),
                argo_base_href: String::new(),
                argo_secure: true,
                argo_insecure_skip_verify: false,
            };
            let error = flags.argo_server().unwrap_err().to_string();
            assert!(
                error.starts_with("error: invalid --argo-server") && !error.contains("secret"),
                "{error}"
            );
        }
    }
}
