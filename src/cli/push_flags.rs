//! `--push`: the metrics of a run, for a Prometheus that could not ask for them while it ran.

use crate::delivery::Credentials;
use crate::error::Error;
use crate::output::escape::escape;
use crate::push::{Gateway, push};
use clap::Args;

/// A bearer token for the gateway.
const TOKEN: &str = "ARGO_GC_PUSH_TOKEN";

/// A user's name and password for the gateway.
const USER: &str = "ARGO_GC_PUSH_USER";

const PASSWORD: &str = "ARGO_GC_PUSH_PASSWORD";

/// The label that keeps reports and purges of one job apart.
const MODE: &str = "mode";

/// The metrics have these labels themselves, and a grouping key would overwrite them.
const TAKEN: [&str; 4] = [MODE, "namespace", "verdict", "reason"];

#[derive(Debug, Clone, Args)]
pub(crate) struct PushFlags {
    /// Also hands the metrics of the run to a Pushgateway, such as http://pushgateway:9091; ARGO_GC_PUSH_TOKEN, or
    /// ARGO_GC_PUSH_USER and ARGO_GC_PUSH_PASSWORD, are its credentials.
    #[arg(long, value_parser = Gateway::parse, value_name = "URL", help_heading = "Metrics")]
    push: Option<Gateway>,
    /// With --push: labels of its grouping key beside job=argo-gc and the mode, such as cluster=prod; job=NAME names another
    /// job.
    #[arg(long, value_delimiter = ',', value_parser = label, value_name = "LABEL=VALUE", requires = "push",
          help_heading = "Metrics")]
    push_label: Vec<(String, String)>,
}

/// What a run did, as far as its metrics are concerned. The words are those of `manifest --mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Inspect,
    /// A purge's dry run.
    Report,
    Purge,
}

impl Mode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inspect => "inspect",
            Self::Report => "report",
            Self::Purge => "purge",
        }
    }
}

/// Parses a label of a grouping key.
fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it is not of the form cluster=prod")?;
    let ordinary = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !begins || !name.chars().all(ordinary) || name.starts_with("__") {
        return Err(format!("{name:?} is no name of a label"));
    }
    if TAKEN.contains(&name) {
        return Err(format!("the metrics have a label {name} of their own"));
    }
    match (name, value) {
        ("job", "") => Err("a job has a name".to_owned()),
        _ => Ok((name.to_owned(), value.to_owned())),
    }
}

impl PushFlags {
    /// Whether metrics are asked for.
    pub fn is_given(&self) -> bool {
        self.push.is_some()
    }

    /// The flags as the arguments of another run.
    pub fn args(&self) -> Vec<String> {
        let push = self.push.iter().map(|gateway| format!("--push={}", gateway.address()));
        let labels = self.push_label.iter().map(|(name, value)| format!("--push-label={name}={value}"));
        push.chain(labels).collect()
    }

    /// The grouping key: the job, the mode, and what the user adds or names otherwise.
    fn key(&self, mode: Mode) -> Vec<(String, String)> {
        let given = |name: &str| self.push_label.iter().rfind(|(label, _)| label == name).cloned();
        let job = given("job").unwrap_or_else(|| ("job".to_owned(), "argo-gc".to_owned()));
        let mut key = vec![job, (MODE.to_owned(), mode.as_str().to_owned())];
        for (name, _) in &self.push_label {
            if !key.iter().any(|(there, _)| there == name) {
                key.extend(given(name));
            }
        }
        key
    }

    /// Hands over the metrics of a run, and returns what prevented it. What the run did is done all the same.
    pub async fn hand_over(&self, mode: Mode, metrics: &str) -> Option<Error> {
        let gateway = self.push.as_ref()?;
        match credentials() {
            Ok(credentials) => {
                let pushed = push(gateway, &self.key(mode), &credentials, metrics).await;
                pushed.err().map(|failure| match failure.status {
                    Some(401 | 403) => error(gateway, &failure.why)
                        .hint(format!("the credentials are those of {TOKEN}, or of {USER} and {PASSWORD}")),
                    Some(300..=399 | 404 | 405) => error(gateway, &failure.why).hint(
                        "is --push the address of a Pushgateway? Prometheus itself takes no metrics there",
                    ),
                    _ => error(gateway, &failure.why),
                })
            }
            Err(why) => Some(error(gateway, &why)),
        }
    }
}

fn error(gateway: &Gateway, why: &str) -> Error {
    let place = gateway.place();
    Error::new(escape(&format!("pushing the metrics to {place}: {why}; all else was done as it says")))
}

/// The credentials of the environment.
fn credentials() -> Result<Credentials, String> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let token = variable(TOKEN);
    match (token, variable(USER), variable(PASSWORD)) {
        (Some(_), Some(_), _) => Err(format!("both {TOKEN} and {USER} are set")),
        (Some(token), None, _) => Credentials::token(TOKEN, token),
        (None, Some(user), password) => Ok(Credentials::User(user, password.unwrap_or_default())),
        (None, None, Some(_)) => Err(format!("{PASSWORD} is set without {USER}")),
        (None, None, None) => Ok(Credentials::Nobody),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_key_has_a_job_and_the_mode_first() {
        let key = |labels: &[&str]| {
            let push_label = labels.iter().map(|text| label(text).unwrap()).collect();
            let key = PushFlags { push: None, push_label }.key(Mode::Report);
            key.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",")
        };
        assert_eq!(key(&[]), "job=argo-gc,mode=report");
        assert_eq!(key(&["cluster=a=b", "job=nightly"]), "job=nightly,mode=report,cluster=a=b");
        assert_eq!(key(&["a=1", "b=", "a=2"]), "job=argo-gc,mode=report,a=2,b=");
    }

    #[test]
    fn a_label_has_a_name_that_is_free() {
        for wrong in ["", "cluster", "=x", "1a=x", "a-b=x", "__a=x", "mode=x", "namespace=ml", "job="] {
            assert!(label(wrong).is_err(), "{wrong}");
        }
    }
}
