//! What can be done afterwards: the cause told, manifests fixed, rights granted, and what is left purged.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use super::stage::{OTHERS, Stage, said};
use crate::doctor::{commands, words};
use crate::support::Ran;
use crate::support::real_argo::BUCKET;

impl Stage {
    /// What `inspect` and `doctor` say of those that hang.
    pub fn diagnose(&mut self) {
        let ask = |verb: &str| {
            self.argo.argo_gc(&[verb, "-A", "-l", "suite=cases", "-o", "json"]).ends_with(0).json()
        };
        let (found, diagnosis) = (said(&ask("inspect")), ask("doctor"));
        let mut rows = Vec::new();
        for case in self.cases.iter().filter(|case| case.hangs()) {
            if !case.then.is_empty() {
                let (verdicts, _) = found.get(&case.name).cloned().unwrap_or_default();
                rows.push((case.name.clone(), "then", format!("{verdicts:?}"), format!("{:?}", case.then)));
            }
            let groups = diagnosis["causes"].as_array().expect("causes").iter();
            let concerns = |group: &&Value| {
                let mut names = group["names"].as_array().into_iter().flatten();
                names.any(|one| one["name"] == case.name.as_str())
            };
            let causes: BTreeSet<&str> =
                groups.filter(concerns).filter_map(|group| group["cause"].as_str()).collect();
            let right: BTreeSet<&str> = case.doctor.as_deref().into_iter().collect();
            rows.push((case.name.clone(), "doctor", format!("{causes:?}"), format!("{right:?}")));
        }
        for (name, what, found, right) in rows {
            self.expect(&name, what, found, right);
        }
    }

    /// Each inline case, fixed, is collected wholly.
    pub fn fix(&mut self) {
        let used =
            |given: &&Value| ["inside", "deep-inside"].iter().any(|name| given["metadata"]["name"] == *name);
        let mut manifests: Vec<Value> = self.given.iter().filter(used).cloned().collect();
        let cured = self
            .cases
            .iter()
            .filter(|case| case.is_cured_by_fix() || case.doctor.as_deref() == Some("inline-templates"));
        manifests.extend(cured.map(|case| case.workflow_of("fixed", &format!("{}-fixed", case.name))));
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("inline.yaml");
        let texts: Vec<String> =
            manifests.iter().map(|manifest| serde_saphyr::to_string(manifest).expect("YAML")).collect();
        fs::write(&file, texts.join("---\n")).expect("written");
        let ran = self.argo.argo_gc(&["fix", "-f", &file.display().to_string(), "--write"]);
        assert!(matches!(ran.code, Some(0 | 4)), "{ran:#?}");
        let fixed = fs::read_to_string(&file).expect("a file");
        // The templates that the first runs used stay as they are.
        let mut documents: Vec<Value> = serde_saphyr::from_multiple(&fixed).expect("YAML");
        for document in &mut documents {
            let text = document.to_string();
            let text = text
                .replace("\"inside\"", "\"inside-fixed\"")
                .replace("\"deep-inside\"", "\"deep-inside-fixed\"");
            *document = serde_json::from_str(&text).expect("JSON");
        }
        self.are_collected("fixed", documents);
    }

    /// Runs of which nothing is left once they were deleted.
    fn are_collected(&mut self, suite: &str, manifests: Vec<Value>) {
        let before = self.argo.cluster.written().len();
        self.argo.create(manifests);
        self.completed(suite);
        self.quiet(suite);
        let all = self.workflows(suite);
        for (name, workflow) in &all {
            self.remove(workflow["metadata"]["namespace"].as_str().expect("a namespace"), name);
        }
        self.settles(suite, |workflows| workflows.is_empty());
        // One that hangs is told with what its status says.
        let left = self.workflows(suite).into_iter();
        let left: Vec<String> =
            left.map(|(name, workflow)| format!("{name}: {}", workflow["status"])).collect();
        self.expect(suite, "hang", left, Vec::new());
        let written: Vec<_> = self
            .argo
            .cluster
            .written()
            .split_off(before)
            .into_iter()
            .filter(|object| all.contains_key(&object.workflow))
            .collect();
        assert!(written.len() >= all.len(), "{suite}: {written:?}");
        for object in written {
            let is_there = self.is_there(&object.place.bucket, &object.place.key);
            self.expect(&object.workflow, &format!("{} is there", object.place.key), is_there, false);
        }
    }

    /// What `doctor` prints to grant what GC pods lack is applied, and new runs are collected.
    pub fn cure(&mut self) {
        let yaml = self.argo.argo_gc(&["doctor", "-A", "-l", "suite=cases", "--yaml"]).ends_with(0).out;
        Ran::with_input(self.argo.server.kubectl(["apply", "-f", "-"]), yaml).ends_with(0);
        let of_rights = ["service-account-rights", "service-account-missing"];
        let cured = self
            .cases
            .iter()
            .filter(|case| case.doctor.as_deref().is_some_and(|cause| of_rights.contains(&cause)));
        let manifests =
            cured.map(|case| case.workflow_of("cured", &format!("{}-cured", case.name))).collect();
        self.are_collected("cured", manifests);
    }

    /// What leaks and what hangs is purged: what goes is the plan, and the workflows that hang go too.
    pub fn purge(&mut self) {
        let leaking = self.cases.iter().filter(|case| case.leaks_again());
        self.argo.create(
            leaking
                .map(|case| case.workflow_of("leaks", &format!("{}-again", case.name)))
                .collect::<Vec<_>>(),
        );
        self.completed("leaks");
        self.quiet("cases");
        let folder = tempfile::tempdir().expect("a folder");
        let journal = folder.path().join("journal").display().to_string();
        let repository = format!("gs://{OTHERS}");
        let mut words = vec![
            "purge",
            "-A",
            "-l",
            "suite in (cases,leaks)",
            "--status",
            "Succeeded,Failed,Error",
            "--grace",
            "0s",
        ];
        words.extend(["--release-finalizer", "--repository", &repository, "-o", "json"]);
        let plan = self.argo.argo_gc(&[words.as_slice(), &["--dry-run"]].concat()).ends_with(0).json();
        let mut planned = BTreeSet::new();
        for workflow in plan["workflows"].as_array().expect("workflows") {
            for object in workflow["delete"].as_array().expect("objects") {
                let bucket = object["bucket"].as_str().and_then(|bucket| bucket.strip_prefix("gs://"));
                let key = object["key"].as_str().expect("a key");
                planned.insert(format!("{}/{key}", bucket.expect("a bucket")));
            }
        }
        let before = self.objects();
        let ran = self.argo.argo_gc(&[words.as_slice(), &["--yes", "--journal", &journal]].concat());
        assert!(matches!(ran.code, Some(0 | 4)), "{ran:#?}");
        let gone: BTreeSet<String> = before.difference(&self.objects()).cloned().collect();
        self.expect("purge", "what is gone is the plan", gone, planned);
        self.settles("cases", |workflows| workflows.len() <= STAY.len());
        let left: BTreeSet<String> = self.workflows("cases").into_keys().collect();
        self.expect("purge", "what hangs still", left, STAY.map(str::to_owned).into());
        self.take_off();
    }

    /// Where a purge can't ask the storage, the repair that `doctor` prints takes the finalizer off.
    fn take_off(&mut self) {
        let diagnosis =
            self.argo.argo_gc(&["doctor", "-A", "-l", "suite=cases", "-o", "json"]).ends_with(0).json();
        for command in commands(&diagnosis) {
            if command.contains(" to-h") && command.starts_with("kubectl patch ") {
                Ran::of(self.argo.server.kubectl(&words(&command)[1..])).ends_with(0);
            }
        }
        self.settles("cases", |workflows| workflows.len() <= STAY.len() - 2);
        let left: BTreeSet<String> = self.workflows("cases").into_keys().collect();
        self.expect(
            "doctor",
            "what hangs still",
            left,
            STAY[..3].iter().map(|name| (*name).to_owned()).collect(),
        );
    }

    /// The objects of the suite, as `bucket/key`.
    fn objects(&self) -> BTreeSet<String> {
        let own = self.argo.keys("cases").into_iter().map(|key| format!("{BUCKET}/{key}"));
        own.chain(self.argo.gcs.keys(OTHERS).into_iter().map(|key| format!("{OTHERS}/{key}"))).collect()
    }
}

/// What a purge leaves: GC pods that are at work, what someone took away without a record, and storage that it can't ask.
const STAY: [&str; 5] = ["held-pod", "hung-pod", "lost-by-hand", "to-hdfs", "to-http"];
