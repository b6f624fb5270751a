//! The container of a printed manifest, run in a file system like a pod's.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::Ran;
use super::gcs::Gcs;
use super::kube::ApiServer;

/// The only object of a kind.
pub fn of_kind<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    let mut found = objects.iter().filter(|object| object["kind"] == kind);
    let one = found.next().unwrap_or_else(|| panic!("no {kind}"));
    assert!(found.next().is_none(), "a second {kind}");
    one
}

/// The pod spec of a manifest, and its container.
pub fn pod(objects: &[Value]) -> (Value, Value) {
    match objects.iter().find(|object| object["kind"] == "CronJob") {
        Some(job) => {
            let spec = &job["spec"]["jobTemplate"]["spec"]["template"]["spec"];
            (spec.clone(), spec["containers"][0].clone())
        }
        None => {
            let spec = &of_kind(objects, "CronWorkflow")["spec"]["workflowSpec"];
            (spec.clone(), spec["templates"][0]["container"].clone())
        }
    }
}

/// A file system with what the image and the mounts of a pod hold, and nothing else: no home, no kubeconfig, nothing
/// writable but two folders. The plugin tested is not the static one, so the system's libraries are lent to it.
const POD: &str = r#"
root=$1; given=$2; plugin=$3; shift 3
mount -t tmpfs tmpfs "$root"
for folder in usr lib lib64; do
  if [ -L "/$folder" ]; then cp -P "/$folder" "$root/"; elif [ -d "/$folder" ]; then
    mkdir "$root/$folder"; mount --rbind "/$folder" "$root/$folder"
  fi
done
account=$root/var/run/secrets/kubernetes.io/serviceaccount
mkdir -p "$root/etc/argo-gc" "$root/tmp" "$root/var/lib/argo-gc" "$account" "$root/dev"
cp "$given/policy.yaml" "$root/etc/argo-gc/"
cp "$given/token" "$given/ca.crt" "$given/namespace" "$account/"
mkdir -p "$root/etc/ssl/certs"; cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
cp "$plugin" "$root/kubectl-argo_gc"
: > "$root/dev/null"; mount --bind /dev/null "$root/dev/null"
: > "$root/dev/termination-log"; mount --bind "$given/termination-log" "$root/dev/termination-log"
mount -o remount,ro "$root"
mount -t tmpfs tmpfs "$root/tmp"
mount -t tmpfs tmpfs "$root/var/lib/argo-gc"
if touch "$root/touched" 2>/dev/null; then echo "the root can be written to" >&2; exit 99; fi
code=0; chroot "$root" /kubectl-argo_gc "$@" || code=$?
cp -R "$root/var/lib/argo-gc/." "$given/state/"
exit $code
"#;

/// A pod of the cluster: its container's arguments, environment and account.
pub struct Pod {
    folder: TempDir,
    args: Vec<String>,
    env: Vec<(String, String)>,
}

impl Pod {
    /// Mounts what a kubelet would; the token is one that the server gives out for the account.
    pub fn of(server: &ApiServer, objects: &[Value]) -> Self {
        let (spec, container) = pod(objects);
        let folder = TempDir::new().unwrap();
        let account = spec["serviceAccountName"].as_str().unwrap();
        let mut namespaces = objects.iter().filter_map(|object| object["metadata"]["namespace"].as_str());
        let namespace = namespaces.next().expect("a namespace");
        // A report of `inspect` has no policy.
        let config = objects.iter().find(|object| object["kind"] == "ConfigMap");
        if let Some(config) = config {
            let mounted = &spec["volumes"][0]["configMap"]["name"];
            assert_eq!(
                (mounted, &container["volumeMounts"][0]["mountPath"]),
                (&config["metadata"]["name"], &json!("/etc/argo-gc"))
            );
        }
        let policy = config.map_or("", |config| config["data"]["policy.yaml"].as_str().unwrap());
        let token = Ran::of(server.kubectl(["create", "token", account, "-n", namespace])).ends_with(0).out;
        let (host, port, certificate) = server.address();
        fs::copy(certificate, folder.path().join("ca.crt")).unwrap();
        for (name, text) in [
            ("token", token.trim()),
            ("namespace", namespace),
            ("policy.yaml", policy),
            ("termination-log", ""),
        ] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        fs::create_dir(folder.path().join("state")).unwrap();
        fs::create_dir(folder.path().join("root")).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let args = container["args"].as_array().unwrap().iter().map(text).collect();
        let mut env: Vec<(String, String)> = container["env"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|variable| (text(&variable["name"]), text(&variable["value"])))
            .collect();
        env.push(("KUBERNETES_SERVICE_HOST".to_owned(), host));
        env.push(("KUBERNETES_SERVICE_PORT".to_owned(), port));
        Self { folder, args, env }
    }

    /// Runs it as the manifest says, besides pointing it at the test's object store.
    pub fn run(&self, gcs: &Gcs) -> Ran {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "--", "sh", "-euc", POD, "pod"]);
        command.args([&path("root"), &path(""), env!("CARGO_BIN_EXE_kubectl-argo_gc")]).args(&self.args);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs(self.env.iter().cloned()).env("STORAGE_EMULATOR_HOST", gcs.url());
        Ran::of(command)
    }

    /// What it says of itself as it ends.
    pub fn message(&self) -> String {
        fs::read_to_string(self.folder.path().join("termination-log")).unwrap()
    }

    /// Journals that were left.
    pub fn journals(&self) -> usize {
        fs::read_dir(self.folder.path().join("state/argo-gc")).map_or(0, Iterator::count)
    }
}
