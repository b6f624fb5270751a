//! `--use-workflow-secrets` across namespaces: whose Secret opens which bucket.

use crate::support::faulty_storage::{FaultyStorage, asked_as, empty};
use crate::support::kube::{ADMIN, ApiServer};
use crate::support::purge::{Ran, in_minio, in_minio_with, minio_secret, protections};
use serde_json::{Value, json};
use std::process::Command;
use tempfile::TempDir;

/// A cluster, a server that stands for MinIO, and an account of the environment.
pub struct World {
    pub server: ApiServer,
    pub storage: FaultyStorage,
    pub state: TempDir,
    pub runtime: tokio::runtime::Runtime,
}

impl World {
    pub fn start() -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let storage = runtime.block_on(empty());
        let (server, state) = (ApiServer::start(), TempDir::new().unwrap());
        Self { server, storage, state, runtime }
    }

    fn run(&self, line: &str) -> Ran {
        let line = format!("{line} --use-workflow-secrets");
        self.run_with(&line, &self.storage.url(), &[])
    }

    /// As the environment's account, with more variables; `url` is where MinIO is.
    pub fn run_with(&self, line: &str, url: &str, environment: &[(&str, &str)]) -> Ran {
        let over = format!("minio:9000={url}");
        let words = ["argo-gc"].into_iter().chain(line.split(' '));
        let mut command: Command = self.server.kubectl_as(ADMIN, words);
        command.args(["--endpoint-override", &over, "-v", "9"]);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
            command.env_remove(name);
        }
        command.env("AWS_ACCESS_KEY_ID", "AKAMBIENT").env("AWS_SECRET_ACCESS_KEY", "hunter2-ambient");
        command.env("AWS_EC2_METADATA_DISABLED", "true").envs(environment.iter().copied());
        command.env("XDG_STATE_HOME", self.state.path()).env_remove("STORAGE_EMULATOR_HOST");
        self.storage.asked.lock().unwrap().clear();
        let ran = Ran::of(command);
        assert!(!format!("{}{}", ran.out, ran.err).contains("hunter2"), "{ran:#?}");
        ran
    }

    /// Who looked into the bucket: all that asked, and those with this key.
    pub fn asked(&self, bucket: &str, key: &str) -> (usize, usize) {
        let credential = format!("Credential={key}/");
        asked_as(&self.storage.asked.lock().unwrap(), bucket, |asked| {
            asked.authorization.contains(&credential)
        })
    }

    /// A workflow of a namespace in the bucket of the other one.
    pub fn shares(&self, mut workflow: Value) {
        workflow["metadata"]["name"] = json!("shares");
        workflow["status"]["artifactRepositoryRef"]["artifactRepository"]["s3"]["bucket"] = json!("of-a");
        self.server.apply(workflow);
    }
}

const READS: [&str; 2] = [
    "inspect -A --check -o json",
    "purge -A --all --dry-run=client --repository s3://of-a@minio:9000 --repository s3://of-b@minio:9000 -o json",
];

/// Some asked, and none but these.
#[track_caller]
pub fn all(found: (usize, usize)) {
    assert!(found.0 > 0 && found.0 == found.1, "{found:?}");
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_secret_opens_the_bucket_it_stands_beside_and_no_other_workflows_on_apiserver() {
    let world = World::start();
    world.server.apply(minio_secret("team-a", "cred", "AKA"));
    world.server.apply(minio_secret("team-b", "cred", "AKB"));
    world.server.apply(in_minio_with("team-a", "of-a", "cred"));
    world.server.apply(in_minio_with("team-b", "of-b", "cred"));
    for line in READS {
        world.run(line).ends_with(0);
        all(world.asked("of-a", "AKA"));
        all(world.asked("of-b", "AKB"));
    }

    // Another team names another account for the first team's bucket, or none: neither is used.
    for (workflow, words) in [
        (in_minio_with("team-b", "x", "cred"), "Secret team-b/cred; Secret team-a/cred"),
        (in_minio("team-b", "x"), "Secret team-a/cred; none"),
    ] {
        world.shares(workflow);
        for line in READS {
            let ran = world.run(line).ends_with(0);
            assert!(ran.out.contains(&format!("different accounts for it ({words})")), "{ran:#?}");
            assert_eq!(world.asked("of-a", "AKB").1 + world.asked("of-a", "AKAMBIENT").1, 0, "{line}");
            all(world.asked("of-b", "AKB"));
        }
        // What was certain by the first page is not by the second.
        let paged = world.run("inspect -A --check -o json --chunk-size 1").ends_with(0);
        assert!(paged.out.contains(&format!("different accounts for it ({words})")), "{paged:#?}");
        assert_eq!(world.asked("of-a", "AKB").1 + world.asked("of-a", "AKAMBIENT").1, 0);
        let plan = world.run(READS[1]).json();
        assert_eq!(protections(&plan), ["no-certain-location"; 1], "{plan}");
        assert_eq!(world.asked("of-a", "AKA").0, 0);
    }

    // A copy of the first team's Secret is the same account.
    world.server.apply(minio_secret("team-b", "copy", "AKA"));
    world.shares(in_minio_with("team-b", "x", "copy"));
    for line in READS {
        let ran = world.run(line).ends_with(0);
        assert!(!ran.out.contains("is not asked for"), "{ran:#?}");
        all(world.asked("of-a", "AKA"));
    }

    // What is named and can't be read is no reason to take another account.
    world.shares(in_minio_with("team-a", "x", "missing"));
    let plan = world.run(READS[1]).ends_with(0).json();
    assert!(plan.to_string().contains("Secret team-a/missing: "), "{plan}");
    assert_eq!(world.asked("of-a", "AKA").0, 0);
    // With an empty key Argo goes on to another account; nobody knows here whose that is.
    world.server.apply(json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "namespace": "team-a", "name": "missing" },
        "stringData": { "accesskey": "", "secretkey": "hunter2" },
    }));
    let plan = world.run(READS[1]).ends_with(0).json();
    assert!(plan.to_string().contains("Secret team-a/missing has no text in accesskey"), "{plan}");
    assert_eq!(world.asked("of-a", "").0, 0);
    // An account named by hand comes first.
    let file = world.state.path().join("key");
    std::fs::write(&file, "[default]\naws_access_key_id=AKHAND\naws_secret_access_key=hunter2\n").unwrap();
    let identity = format!("{} --identity s3://of-a@minio:9000={}", READS[1], file.display());
    world.run(&identity).ends_with(0);
    all(world.asked("of-a", "AKHAND"));
    all(world.asked("of-b", "AKB"));
}
