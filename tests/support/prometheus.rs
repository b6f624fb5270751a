//! A real Pushgateway and a real Prometheus that asks it every second, with the rules of docs/monitoring.

use super::server::Server;
use super::{free_port, program};
use reqwest::Method;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The rules as a plain Prometheus reads them; JSON is YAML.
pub fn rules() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/monitoring/rules.yaml");
    let object: Value = serde_saphyr::from_str(&fs::read_to_string(path).expect("the rules")).expect("YAML");
    assert_eq!(object["kind"], "PrometheusRule");
    object["spec"].to_string()
}

/// A program of the package that `tests/run` brings.
pub fn tool(name: &str) -> PathBuf {
    program("ARGO_GC_TEST_PROMETHEUS").join(name)
}

pub struct Prometheus {
    // Servers end before their folder is removed.
    _servers: [Server; 2],
    gateway: u16,
    port: u16,
    _folder: TempDir,
}

impl Prometheus {
    pub fn start() -> Self {
        let folder = TempDir::new().expect("a directory");
        let path = |name: &str| folder.path().join(name);
        let (gateway, port) = (free_port(), free_port());
        fs::write(path("rules.yaml"), rules()).expect("a file");
        let config = json!({
            "global": { "scrape_interval": "1s", "evaluation_interval": "1s" },
            "rule_files": [path("rules.yaml")],
            "scrape_configs": [{
                "job_name": "pushgateway", "honor_labels": true,
                "static_configs": [{ "targets": [format!("127.0.0.1:{gateway}")] }],
            }],
        });
        fs::write(path("config.yaml"), config.to_string()).expect("a file");
        let start = |name: &str, port: u16, more: &[String]| {
            let data = path(&format!("data-{name}"));
            fs::create_dir(&data).expect("a folder");
            let mut arguments = vec![format!("--web.listen-address=127.0.0.1:{port}")];
            arguments.extend(more.iter().cloned());
            Server::start(&tool(name), &arguments, path(&format!("{name}.log")), &data)
        };
        let servers = [
            start("prometheus-pushgateway", gateway, &[]),
            start(
                "prometheus",
                port,
                &[
                    format!("--config.file={}", path("config.yaml").display()),
                    format!("--storage.tsdb.path={}", path("data-prometheus").display()),
                ],
            ),
        ];
        let started = Self { _servers: servers, gateway, port, _folder: folder };
        for port in [gateway, port] {
            started.wait("it is ready", || ask(port, "/-/ready", &[]).is_some());
        }
        started
    }

    /// The address to push to.
    pub fn gateway(&self) -> String {
        format!("http://127.0.0.1:{}", self.gateway)
    }

    /// Deletes a group of the gateway.
    pub fn delete(&self, path: &str) {
        let taken = request(Method::DELETE, self.gateway, path, &[]);
        assert!(taken.is_some(), "{path} is not deleted");
    }

    /// The samples of an expression, now.
    pub fn query(&self, expression: &str) -> Vec<Value> {
        let answer = self.api("query", &[("query", expression)]);
        answer["data"]["result"].as_array().unwrap_or_else(|| panic!("{expression}: {answer}")).clone()
    }

    /// An answer of Prometheus' API.
    pub fn api(&self, path: &str, query: &[(&str, &str)]) -> Value {
        let answer = ask(self.port, &format!("/api/v1/{path}"), query);
        serde_json::from_str(&answer.unwrap_or_else(|| panic!("{path} {query:?} is refused"))).expect("JSON")
    }

    /// Waits until something holds.
    pub fn wait(&self, what: &str, holds: impl Fn() -> bool) {
        let start = Instant::now();
        while !holds() {
            let words = self._servers.each_ref().map(Server::last_words);
            assert!(start.elapsed() < Duration::from_secs(90), "{what}: not within 90 seconds: {words:#?}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

fn ask(port: u16, path: &str, query: &[(&str, &str)]) -> Option<String> {
    request(Method::GET, port, path, query)
}

/// The text of a good answer.
fn request(method: Method, port: u16, path: &str, query: &[(&str, &str)]) -> Option<String> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let request = client.request(method, format!("http://127.0.0.1:{port}{path}")).query(query);
        let answer = request.send().await.ok()?.error_for_status().ok()?;
        answer.text().await.ok()
    })
}
