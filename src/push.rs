//! Metrics of a run that is over before Prometheus could ask for them: they are handed to a Pushgateway, which keeps them.

use crate::delivery::{Credentials, Delivery, Failure, address, deliver};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Method, Url};

/// The text format that every Pushgateway reads.
const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The address of a Pushgateway, without a path of its own.
#[derive(Debug, Clone)]
pub struct Gateway(Url);

impl Gateway {
    /// Reads an address such as `http://pushgateway:9091`, below a path if a proxy serves it there.
    ///
    /// # Errors
    /// It is no such address, or holds more than that. A password is not repeated.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = address(text, "http://pushgateway:9091")?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err("only a host, a port and a path belong there".to_owned());
        }
        if url.path().contains("/metrics") {
            return Err("leave out the path from /metrics on: it is made of the grouping key".to_owned());
        }
        Ok(Self(url))
    }

    /// The scheme, the host and the port.
    pub fn place(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// The whole address.
    pub fn address(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }

    /// The address of a group: what is put there replaces what this group had, and nothing else.
    fn group(&self, key: &[(String, String)]) -> String {
        let mut address = self.address().to_owned() + "/metrics";
        for (label, value) in key {
            address += &segment(label, value);
        }
        address
    }
}

/// A label of a grouping key as two parts of a path. A value that could mean something else there is encoded.
fn segment(label: &str, value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    match value {
        "" => format!("/{label}@base64/="),
        _ if value.chars().all(plain) && !value.chars().all(|c| c == '.') => format!("/{label}/{value}"),
        _ => format!("/{label}@base64/{}", URL_SAFE_NO_PAD.encode(value)),
    }
}

/// Replaces the metrics of a group.
///
/// # Errors
/// The gateway refused them, or did not take them within several tries.
pub async fn push(
    gateway: &Gateway,
    key: &[(String, String)],
    credentials: &Credentials,
    metrics: &str,
) -> Result<(), Failure> {
    let address = gateway.group(key);
    let address =
        address.parse().map_err(|_| Failure { status: None, why: format!("{address} is no address") })?;
    let delivery = Delivery { method: Method::PUT, address, kind: FORMAT, body: metrics.to_owned() };
    deliver(&delivery, credentials).await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn address(gateway: &str, key: &[(&str, &str)]) -> String {
        let key: Vec<_> = key.iter().map(|(label, value)| ((*label).into(), (*value).into())).collect();
        Gateway::parse(gateway).unwrap().group(&key)
    }

    /// The encoding is the one of Pushgateway's README, section "URL".
    #[test]
    fn a_group_is_a_path_in_which_no_value_means_something_else() {
        assert_eq!(
            address("http://push:9091", &[("job", "argo-gc"), ("mode", "purge")]),
            "http://push:9091/metrics/job/argo-gc/mode/purge"
        );
        assert_eq!(address("https://h/gate/", &[("job", "a")]), "https://h/gate/metrics/job/a");
        let key =
            [("path", "/var/tmp"), ("none", ""), ("up", ".."), ("text", "a b?#%"), ("name", "Prometheus")];
        assert_eq!(
            address("http://h", &key),
            "http://h/metrics/path@base64/L3Zhci90bXA/none@base64/=/up@base64/Li4\
             /text@base64/YSBiPyMl/name/Prometheus"
        );
    }

    #[test]
    fn an_address_has_no_secret_and_no_group() {
        for wrong in [
            "",
            "pushgateway:9091",
            "ftp://h",
            "http://user:pass@h",
            "http://user@h",
            "http://h/?a=b",
            "http://h/#a",
            "http://h/metrics/job/x",
        ] {
            let why = Gateway::parse(wrong).unwrap_err();
            assert!(!why.contains("pass"), "{why}");
        }
        assert_eq!(Gateway::parse("http://h:9091/gate").unwrap().place(), "http://h:9091");
    }
}
