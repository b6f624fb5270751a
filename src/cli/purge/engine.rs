//! `--engine` hands a saved plan over to another system, for more objects than one machine should delete.

use crate::cli::purge::arguments::{Arguments, Engine};
use crate::cli::storage::StorageFlags;
use crate::cli::streams::Streams;
use crate::cli::template::{CONTAINER_SECURITY, POD_SECURITY, argo_token, fill, items, quoted};
use crate::cluster::argo_server::address::has_own_token;
use crate::error::Error;
use crate::output::escape::escape;
use crate::output::text::plural;
use crate::purge::batch;
use crate::purge::plan_file::Plan;
use argo_gc_core::model::engine::StorageEngine;
use clap::ValueEnum;
use std::io::Write;
use std::path::Path;

/// The number of shards if `--shards` is not given.
const SHARDS: u32 = 8;

/// Refuses combinations of flags that no engine can carry out, before anything is read.
pub(crate) fn check(arguments: &Arguments) -> Result<(), Error> {
    if (arguments.engine != Engine::Local || arguments.shard.is_some()) && arguments.plan.is_none() {
        return Err(Error::usage(
            "--engine and --shard take a saved plan: make one with --plan-out, and name it with --plan",
        ));
    }
    let theirs = [
        ("--plan-location", arguments.plan_location.is_some(), Engine::Argo),
        ("--shards", arguments.shards.is_some(), Engine::Argo),
        ("--image", arguments.image.is_some(), Engine::Argo),
        ("--argo-token-secret", arguments.argo_token_secret.is_some(), Engine::Argo),
        ("--engine-out", arguments.engine_out.is_some(), Engine::GcsBatch),
    ];
    if let Some((flag, _, engine)) =
        theirs.into_iter().find(|(_, is_given, engine)| *is_given && arguments.engine != *engine)
    {
        let name = engine.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        return Err(Error::usage(format!("{flag} requires --engine {name}")));
    }
    if arguments.engine != Engine::Argo {
        return Ok(());
    }
    match &arguments.plan_location {
        None => {
            return Err(Error::usage("--engine argo requires --plan-location, where its pods find the plan"));
        }
        Some((bucket, _)) if bucket.engine() != StorageEngine::Gcs => {
            return Err(Error::usage("--plan-location has to be a gs:// address"));
        }
        Some((_, key)) if key.is_empty() => {
            return Err(Error::usage("--plan-location has to name the object, as gs://BUCKET/KEY"));
        }
        Some(_) => {}
    }
    if arguments.image.is_none() {
        return Err(Error::usage(
            "--engine argo requires --image, an image of this plugin that the cluster can pull",
        )
        .hint("docs/in-cluster.md shows how to make it: docker build -t IMAGE . && docker push IMAGE"));
    }
    if let Some(why) = beyond_pods(arguments) {
        return Err(Error::usage(why));
    }
    check_token(arguments)
}

/// What the pods have no part in, although it says what may be deleted.
fn beyond_pods(arguments: &Arguments) -> Option<&'static str> {
    if !arguments.what.also.also.is_empty() {
        return Some("--also can't be used with --engine argo: its pods don't have the file");
    }
    if arguments.storage.store_root.is_some() {
        return Some("--store-root can't be used with --engine argo: its pods don't have the directory");
    }
    if arguments.storage.has_identities() {
        return Some("--identity can't be used with --engine argo: its pods don't have the file");
    }
    if arguments.secrets.use_workflow_secrets {
        return Some("--use-workflow-secrets can't be used with --engine argo: its pods read no Secrets");
    }
    StorageFlags::follows_variables().then_some(
        "AWS_ENDPOINT_URL can't be used with --engine argo: its pods don't have it, and refuse a plan of another \
         storage; make the plan with --endpoint-override s3.amazonaws.com=URL",
    )
}

/// Who has a token of its own here needs it there, too: its value is in no manifest.
fn check_token(arguments: &Arguments) -> Result<(), Error> {
    let names_server = !arguments.argo.carried()?.is_empty();
    match (&arguments.argo_token_secret, names_server) {
        (Some(_), false) => Err(Error::usage("--argo-token-secret requires --argo-server")),
        (None, true) if has_own_token() => Err(Error::usage(
            "the pods of --engine argo don't have ARGO_TOKEN: name a Secret that holds it, with --argo-token-secret",
        )
        .hint("kubectl create secret generic NAME --from-literal=token=\"$ARGO_TOKEN\"; or unset ARGO_TOKEN, and the pods use their account's own token")),
        _ => Ok(()),
    }
}

/// Writes the files or the manifest that the engine needs. Nothing is deleted here. A plan is given as it was saved, and as
/// far as it may be carried out now.
pub(crate) fn hand_over(
    arguments: &Arguments,
    (saved, now_allowed): (&Plan, &Plan),
    streams: &mut Streams,
) -> Result<(), Error> {
    if arguments.engine == Engine::Argo && !saved.head.also.is_empty() {
        return Err(Error::refused("the engine's pods can't read the references of other clusters again")
            .hint("carry it out here, with --also, or make a plan without --also"));
    }
    match arguments.engine {
        // The pods read the saved plan, and look again what of it they may carry out.
        Engine::Argo => argo(arguments, saved, streams)?,
        _ => gcs_batch(arguments, now_allowed, streams)?,
    }
    streams.out.flush()?;
    Ok(())
}

/// The flags of this run that its pods need as well: each of them reads the cluster and the storage again.
fn carried(arguments: &Arguments) -> Result<Vec<String>, Error> {
    let mut flags = arguments.argo.carried()?;
    flags.extend(arguments.what.accept_unread.iter().map(|source| format!("--accept-unread={source}")));
    let controllers = &arguments.what.controllers.controller_namespace;
    flags.extend(controllers.as_ref().map(|name| format!("--controller-namespace={name}")));
    let version = arguments.what.controller.argo_version;
    flags.extend(version.map(|version| format!("--argo-version={version}")));
    flags.push(format!("--plan-max-age={}s", arguments.plan_max_age.as_secs()));
    flags.extend(arguments.kube.carried());
    flags.extend(arguments.storage.carried());
    Ok(flags)
}

fn gcs_batch(arguments: &Arguments, plan: &Plan, streams: &mut Streams) -> Result<(), Error> {
    let folder = arguments.engine_out.as_deref().unwrap_or(Path::new("gcs-batch"));
    for batch::Job { bucket, manifest, request, objects } in batch::write(plan, folder)? {
        let name = bucket.name();
        streams.say(escape(&format!(
            "{bucket}: {} in {}, the request in {}",
            plural(objects, "object"),
            manifest.display(),
            request.display()
        )));
        writeln!(
            streams.out,
            "gcloud storage cp {} gs://MANIFEST_BUCKET/{name}.csv\n\
             gcloud storage batch-operations jobs create argo-gc-{} --bucket={name} \
             --manifest-location=gs://MANIFEST_BUCKET/{name}.csv --delete-object",
            manifest.display(),
            plan.hash.get(..8).unwrap_or_default(),
        )?;
    }
    streams.say(
        "Nothing was deleted. Google's job checks the generations, and nothing else that a purge checks: \
         neither whether a workflow runs again nor who refers to an object by then. It writes no journal, \
         marks nothing as deleted and releases no finalizer; a purge with --accept-absent after it does both \
         (docs/batch.md).",
    );
    Ok(())
}

/// Prints a workflow that takes the plan as an input artifact and has the journal of each shard as an output artifact.
fn argo(arguments: &Arguments, plan: &Plan, streams: &mut Streams) -> Result<(), Error> {
    // `check` made sure that both are given.
    let (Some((bucket, key)), Some(image)) = (&arguments.plan_location, &arguments.image) else {
        return check(arguments);
    };
    let shards = arguments.shards.unwrap_or(SHARDS);
    let numbers: Vec<String> = (1..=shards).map(|number| number.to_string()).collect();
    let text = fill(include_str!("engine/argo.yaml"), "@POD_SECURITY@", POD_SECURITY);
    // The user's texts are filled in last, so that nothing in them is taken for a placeholder.
    let text = fill(&text, "@CONTAINER_SECURITY@", CONTAINER_SECURITY)
        .replace("@TOKEN@", &argo_token(arguments.argo_token_secret.as_deref()))
        .replace("@HASH@", plan.hash.get(..8).unwrap_or_default())
        .replace("@SHARDS@", &shards.to_string())
        .replace("@ITEMS@", &numbers.join(", "))
        .replace("@OBJECTS@", &plan.tail.totals.objects.to_string())
        .replace("@BUCKET@", &quoted(bucket.name()))
        .replace("@IMAGE@", &quoted(image))
        .replace("@KEY@", &quoted(key));
    let text = fill(&text, "@CARRIED@", &items(&carried(arguments)?));
    write!(streams.out, "{text}")?;
    let path = arguments.plan.as_deref().unwrap_or(Path::new("plan.json"));
    streams.say(escape(&format!(
        "First: gcloud storage cp {} {}; then: kubectl create -n NAMESPACE -f FILE. Its service account needs the permissions of \
         docs/rbac.yaml and of an executor.",
        path.display(),
        bucket.uri(key)
    )));
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::*;
    use crate::cli::command_line::{Verb, parse};
    use crate::cli::purge::heeded::handed_over;

    /// These are about the reading before the hand-over, or about what is shown of it.
    const HERE: [&str; 12] = [
        "verbosity",
        "kubeconfig",
        "context",
        "cluster",
        "user",
        "as_user",
        "as_groups",
        "as_uid",
        "credentials",
        "plan",
        "output",
        "yes",
    ];

    /// These make the manifest, or another engine's files.
    const MANIFEST: [&str; 6] =
        ["engine", "engine_out", "plan_location", "shards", "image", "argo_token_secret"];

    /// No pod can apply these, so they are refused; and an age of a file that isn't there says nothing.
    const REFUSED: [&str; 5] = ["also", "also_max_age", "store_root", "identity", "use_workflow_secrets"];

    /// These a pod needs as well; with what is typed here, and what the pod gets.
    const CARRIED: [(&[&str], &str, &str); 11] = [
        (
            &["argo_server", "argo_base_href", "argo_secure"],
            "--argo-server=argo:2746 --argo-base-href=/argo --argo-secure=false",
            "--argo-server=http://argo:2746/argo",
        ),
        (&["argo_insecure_skip_verify"], "--argo-insecure-skip-verify", "--argo-insecure-skip-verify"),
        (&["accept_unread"], "--accept-unread=sensors", "--accept-unread=sensors"),
        (&["controller_namespace"], "--controller-namespace=argo", "--controller-namespace=argo"),
        (&["argo_version"], "--argo-version=3.6.1", "--argo-version=v3.6.1"),
        (&["plan_max_age"], "--plan-max-age=2d", "--plan-max-age=172800s"),
        (&["chunk_size"], "--chunk-size=7", "--chunk-size=7"),
        (&["request_timeout"], "--request-timeout=5m", "--request-timeout=300s"),
        (&["gcs_endpoint"], "--gcs-endpoint=http://gcs:4443", "--gcs-endpoint=http://gcs:4443"),
        (
            &["endpoint_override"],
            "--endpoint-override=minio:9000=http://minio.minio:9000/",
            "--endpoint-override=minio:9000=http://minio.minio:9000",
        ),
        (&["concurrency", "qps"], "--concurrency=3 --qps=5", "--concurrency=3 --qps=5"),
    ];

    fn arguments(flags: &str) -> Arguments {
        let words =
            "kubectl-argo_gc purge --plan p --engine argo --image i --plan-location gs://b/k".split(' ');
        let words = words.chain(flags.split(' ').filter(|word| !word.is_empty()));
        match parse(words).unwrap().verb {
            Verb::Purge(arguments) => *arguments,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn pods_get_every_flag_that_says_what_may_be_deleted_or_how_it_is_reached() {
        let typed: Vec<&str> = CARRIED.iter().map(|(_, typed, _)| *typed).collect();
        let wanted: Vec<&str> = CARRIED.iter().flat_map(|(.., wanted)| wanted.split(' ')).collect();
        assert_eq!(carried(&arguments(&typed.join(" "))).unwrap(), wanted);
        // Every one of them is understood there.
        let words = ["kubectl-argo_gc", "purge", "--plan", "p"].into_iter().chain(wanted);
        assert!(parse(words).is_ok());
        for id in handed_over() {
            let carried = CARRIED.iter().any(|(ids, ..)| ids.contains(&id));
            let listed = [carried, HERE.contains(&id), MANIFEST.contains(&id), REFUSED.contains(&id)];
            let count = listed.into_iter().filter(|is_listed| *is_listed).count();
            assert_eq!(count, 1, "decide whether the pods of --engine argo need `{id}`, and list it here");
        }
    }

    #[test]
    fn what_no_pod_can_heed_is_refused() {
        for (flags, words) in [
            ("--also other.json", "error: --also can't be used with --engine argo"),
            ("--store-root d", "error: --store-root can't be used with --engine argo"),
            ("--identity gs://b=key.json", "error: --identity can't be used with --engine argo"),
            ("--use-workflow-secrets", "error: --use-workflow-secrets can't be used with --engine argo"),
            ("--argo-token-secret argo", "error: --argo-token-secret requires --argo-server"),
        ] {
            let error = check(&arguments(flags)).unwrap_err();
            assert!(error.message().starts_with(words), "{error}");
        }
        assert!(check(&arguments("--argo-server=argo:2746 --argo-token-secret argo")).is_ok());
    }
}
