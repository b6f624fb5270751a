//! Command lines as examples: those below the help of a verb, and those of flags that no help shows in use.

use clap::Command;

/// Each of these shows a flag in use that no help does, for [`flags_page`](crate::cli::flags_page). A test tells which flag
/// has no example at all.
const MORE: &[&str] = &[
    "inspect -A --sort-by size --check --no-headers",
    "inspect -A --color always",
    "inspect -A --argo-version v3.6.4 --controller-namespace argo",
    "inspect --field-selector metadata.name=train-x7k2p",
    "inspect -A --prefix train-",
    "inspect -A --newer 7d",
    "inspect -A --watch --interval 5m",
    "inspect -A --artifact model,main-logs --show-labels",
    "inspect -A --check --min-size 1GiB",
    "purge -n ml --older 7d --artifact main-logs --dry-run",
    "purge -n ml --field-selector metadata.name=train-x7k2p --dry-run",
    "manifest cronjob --image IMAGE --mode inspect --namespaces ml,etl",
    "explain gs://ml-artifacts/train-x7k2p/model.tgz --field-selector metadata.name=train-x7k2p",
    "orphans -n ml --repository gs://ml-artifacts/argo",
    "references -n ml",
    "lint -f workflow.yaml -n ml",
    "fix -f workflow.yaml -n ml",
    "inspect -A --instanceid blue",
    "inspect -A --verdict all",
    "inspect -A --endangered",
    "inspect -A --group-by template",
    "inspect -A --check --price 0.02",
    "inspect -A --check --inventory s3://reports/b/manifest.json",
    "inspect -A --check --credentials key.json",
    "inspect -A --check --gcs-endpoint http://localhost:4443",
    "inspect -A --check --endpoint-override minio:9000=http://localhost:9000",
    "inspect -A --check --identity gs://ml-artifacts=key.json",
    "inspect -A --check --concurrency 16",
    "inspect -A --check --qps 100",
    "inspect -A --check --use-workflow-secrets",
    "inspect -A --kubeconfig ~/.kube/other",
    "inspect -A --cluster prod",
    "inspect -A --user admin",
    "inspect -A --as system:serviceaccount:argo:argo-gc",
    "inspect -A --as alice --as-group ops",
    "inspect -A --as alice --as-uid 1000",
    "inspect -A --request-timeout 30s",
    "inspect -A --chunk-size 500",
    "inspect -A --argo-server argo.example.com:2746",
    "inspect -A --argo-server argo.example.com:2746 --argo-base-href /argo",
    "inspect -A --argo-server localhost:2746 --argo-secure=false",
    "inspect -A --argo-server localhost:2746 --argo-insecure-skip-verify",
    "inspect -A -v 1",
    "explain gs://ml-artifacts/latest --workflow train-x7k2p",
    "explain gs://ml-artifacts/latest -A --archived",
    "explain gs://ml-artifacts/latest -A --status Failed,Error",
    "explain gs://ml-artifacts/latest -A --prefix train-",
    "explain gs://ml-artifacts/latest -A --verdict kept",
    "explain gs://ml-artifacts/latest -A --only logs",
    "explain gs://ml-artifacts/latest -A --bucket ml-artifacts",
    "explain gs://ml-artifacts/latest -A --policy policy.yaml",
    "explain gs://ml-artifacts/latest -A --keep-last 3",
    "explain gs://ml-artifacts/latest -A --repository gs://ml-artifacts",
    "explain gs://ml-artifacts/latest -A --accept-unread nodes",
    "explain gs://ml-artifacts/latest -A --grace 12h",
    "explain gs://ml-artifacts/latest -A --margin 1h",
    "doctor -A -o json",
    "doctor -A --status Failed",
    "doctor -A --argo-server argo.example.com:2746",
    "purge -A --older 30d --archived",
    "purge -A --status Failed,Error --older 30d",
    "purge -n ml --prefix train- --dry-run",
    "purge -n ml --all --dry-run",
    "purge -n ml --all --verdict kept --dry-run",
    "purge -A --older 30d --bucket gs://ml-artifacts",
    "purge -A --older 30d --repository gs://old-artifacts/argo",
    "purge -A --older 30d --accept-unread nodes:ml/train-x7k2p",
    "purge -A --older 30d --also other.json --also-max-age 48h",
    "purge -A --older 7d --grace 12h",
    "purge -A --older 7d --margin 1h",
    "purge -A --older 7d --dry-run -o json",
    "purge train-x7k2p --release-finalizer",
    "purge train-x7k2p --release-finalizer --accept-absent",
    "purge -A --older 7d --max-objects 50000",
    "purge -A --older 7d --max-bytes 500GiB",
    "purge --plan plan.json --plan-max-age 72h",
    "purge --plan plan.json --shard 3/8",
    "purge --plan plan.json --engine gcs-batch",
    "purge --plan plan.json --engine gcs-batch --engine-out jobs",
    "purge --plan p.json --engine argo --image IMAGE --plan-location gs://b/p.json",
    "purge --plan p.json --engine argo --image IMAGE --plan-location gs://b/p --shards 20",
    "purge --plan p.json --engine argo --image I --plan-location gs://b/p --argo-server argo:2746 --argo-token-secret argo",
    "purge -A --older 7d --no-record",
    "purge -A --older 7d --journal purge.jsonl",
    "purge -A --older 7d --yes --summary /dev/termination-log",
    "purge -A --older 7d --yes --push https://push.example.com --push-label cluster=prod",
    "inspect -A --push http://pushgateway:9091 --push-label cluster=prod",
    "undo --list -o json",
    "undo JOURNAL --no-record",
    "undo JOURNAL --store-root buckets",
    "orphans --repository gs://shared --also other.json --also-max-age 48h",
    "orphans --repository gs://kfp --producer kfp --kfp-runs runs.json",
    "manifest cronjob --image IMAGE --webhook-secret chat --webhook-format teams",
    "inspect -A --webhook https://gc.example.com/runs --webhook-title prod",
    "purge -A --older 7d --dry-run --webhook https://gc.example.com/runs --webhook-title prod --webhook-format teams",
    "orphans -f workflows/ -R --repository gs://ml-artifacts/argo",
    "lint -f manifests/ -R --no-headers",
    "lint -f workflow.yaml --connected",
    "lint -f manifests/ -R --only uncovered",
    "fix -f workflow.yaml --diff",
    "fix -f workflow.yaml --service-account artifact-gc",
    "fix --lifecycle 30 --repository gs://shared --also other.json",
    "diff monday.json friday.json -o json",
    "diff monday.json friday.json --no-headers",
    "manifest cronjob --image IMAGE --name nightly-report",
    "manifest cronjob --image IMAGE --openshift",
    "manifest cronjob --image IMAGE --mode purge --failed",
    "manifest cronjob --image IMAGE --mode purge --repository gs://ml-artifacts",
    "manifest cronjob --image IMAGE --mode purge --accept-unread archive",
    "manifest cronjob --image IMAGE --mode purge --max-objects 50000",
    "manifest cronjob --image IMAGE --mode purge --journal-claim journals",
    "manifest cronjob --image IMAGE --push http://push:9091 --push-label cluster=prod --push-secret push",
    "manifest policy --rule inline --exempt-namespaces argo",
    "manifest cronjob --image IMAGE --argo-token-secret argo -- --argo-server argo:2746",
];

/// The call of this plugin with which every example begins.
const CALL: &str = "kubectl argo-gc ";

/// Returns all examples, as calls of this plugin alone. `top` is the command of all verbs.
pub fn all(top: &Command) -> Vec<String> {
    let texts = [top].into_iter().chain(top.get_subcommands()).filter(|command| !command.is_hide_set());
    let of_help = texts.flat_map(|command| below(command).lines().flat_map(calls).collect::<Vec<_>>());
    of_help.chain(MORE.iter().map(|words| format!("{CALL}{words}"))).collect()
}

/// Returns the whole text below a command's flags.
pub fn below(command: &Command) -> String {
    command.get_after_long_help().or(command.get_after_help()).map(ToString::to_string).unwrap_or_default()
}

/// Returns the calls of this plugin in a line of help: without other programs, and what is said of them behind two spaces.
pub fn calls(line: &str) -> Vec<String> {
    let line = line.trim_start().split("  ").next().unwrap_or_default();
    let parts = line.split(['|', '>', '&', '(', ')']).map(str::trim);
    parts.filter(|part| part.starts_with(CALL)).map(str::to_owned).collect()
}

/// Returns the words that a shell makes of a call, with the program as the first.
pub fn words(call: &str) -> Vec<String> {
    let Some(arguments) = call.strip_prefix(CALL) else { return Vec::new() };
    let mut words = vec![CALL.trim_end().to_owned(), String::new()];
    for (at, part) in arguments.split('\'').enumerate() {
        let is_quoted = at % 2 == 1;
        for (next, piece) in part.split(|c| c == ' ' && !is_quoted).enumerate() {
            if next > 0 {
                words.push(String::new());
            }
            if let Some(word) = words.last_mut() {
                word.push_str(piece);
            }
        }
    }
    words.retain(|word| !word.is_empty());
    words
}
