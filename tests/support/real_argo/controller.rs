//! The real workflow-controller, as a process beside the API server.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::super::Ran;
use super::super::kube::ApiServer;
use super::super::server::Server;

/// The release that `tests/run` builds.
pub const VERSION: &str = "v4.0.5";

/// Where the main controller lives, and its account's name.
pub const NAMESPACE: &str = "argo";

/// A controller that runs until it is dropped.
pub struct Controller {
    server: Server,
    directory: TempDir,
}

/// What makes a controller differ from Argo's defaults.
#[derive(Default)]
pub struct Settings<'a> {
    /// Fields of its ConfigMap over the tests' own, each a text of YAML.
    pub config: Value,
    /// Further variables of its environment.
    pub env: &'a [(&'a str, &'a str)],
    /// Further arguments.
    pub arguments: &'a [&'a str],
}

impl Controller {
    /// Starts a controller in a namespace, where its objects are made: account, rights, configuration, Deployment.
    pub fn start(server: &ApiServer, namespace: &str, bucket: &str, settings: &Settings<'_>) -> Self {
        let mut data = json!({
            // Texts of YAML end with a line's end: a single line is taken for a plain text.
            // Its port is every controller's: several can't have it.
            "metricsConfig": "enabled: false\n",
            "artifactRepository": format!(
                "gcs: {{ bucket: {bucket}, keyFormat: '{{{{workflow.namespace}}}}/{{{{workflow.name}}}}/{{{{pod.name}}}}' }}\n"
            ),
        });
        for (name, text) in settings.config.as_object().into_iter().flatten() {
            data[name] = text.clone();
        }
        let env: Vec<Value> =
            settings.env.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
        let labels = json!({ "app": "workflow-controller" });
        server.apply(json!([
            { "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "argo", "namespace": namespace } },
            { "apiVersion": "v1", "kind": "ConfigMap", "data": data,
              "metadata": { "name": "workflow-controller-configmap", "namespace": namespace } },
            { "apiVersion": "apps/v1", "kind": "Deployment",
              "metadata": { "name": "workflow-controller", "namespace": namespace },
              "spec": {
                  "replicas": 1,
                  "selector": { "matchLabels": labels },
                  "template": { "metadata": { "labels": labels }, "spec": {
                      "serviceAccountName": "argo",
                      "containers": [{
                          "name": "workflow-controller", "env": env, "args": settings.arguments,
                          "image": format!("quay.io/argoproj/workflow-controller:{VERSION}"),
                      }],
                  }},
              },
              "status": { "replicas": 1, "readyReplicas": 1, "availableReplicas": 1 } },
        ]));
        server.let_manage(namespace);

        let directory = TempDir::with_prefix("argo-gc-controller-").expect("a temporary directory");
        let kubeconfig = directory.path().join("kubeconfig");
        let token = Ran::of(server.kubectl(["create", "token", "argo", "-n", namespace, "--duration=24h"]));
        let text = fs::read_to_string(server.kubeconfig()).expect("the administrator's");
        let mut config: Value = serde_json::from_str(&text).expect("JSON");
        config["users"][0]["user"]["token"] = json!(token.ends_with(0).out.trim());
        config["contexts"][0]["context"]["namespace"] = json!(namespace);
        fs::write(&kubeconfig, config.to_string()).expect("a kubeconfig");

        let program = super::super::program("ARGO_GC_TEST_ARGO").display().to_string();
        // It looks again at once at what it would leave alone for ten seconds.
        let mut words =
            vec!["LEADER_ELECTION_DISABLE=true".to_owned(), "DEFAULT_REQUEUE_TIME=500ms".to_owned()];
        words.extend(settings.env.iter().map(|(name, value)| format!("{name}={value}")));
        words.push(program);
        words.push(format!("--kubeconfig={}", kubeconfig.display()));
        words.extend(["--executor-image=argoexec", "--qps=500", "--burst=1000"].map(str::to_owned));
        words.extend(settings.arguments.iter().map(|word| (*word).to_owned()));
        let log = directory.path().join("controller.log");
        let server = Server::start(Path::new("env"), &words, log, directory.path());
        Self { server, directory }
    }

    /// What it has written so far.
    pub fn log(&self) -> String {
        let log = fs::read(self.directory.path().join("controller.log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// The last lines that name something, or the last at all if it has ended.
    pub fn log_of(&self, name: &str) -> String {
        let log = self.log();
        let has_ended = self.server.has_ended();
        let lines: Vec<&str> = log.lines().filter(|line| has_ended || line.contains(name)).collect();
        let end = if has_ended { "The controller has ended:\n" } else { "" };
        format!("{end}{}", lines[lines.len().saturating_sub(25)..].join("\n"))
    }
}
