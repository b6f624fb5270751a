//! `--engine` hands a saved plan over to another system, for more objects than one machine should delete.

use crate::cli::purge::arguments::{Arguments, Engine};
use crate::cli::streams::Streams;
use crate::cli::template::{CONTAINER_SECURITY, POD_SECURITY, fill, quoted};
use crate::error::{Error, exit};
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
        ("--engine-out", arguments.engine_out.is_some(), Engine::GcsBatch),
    ];
    if let Some((flag, _, engine)) =
        theirs.into_iter().find(|(_, is_given, engine)| *is_given && arguments.engine != *engine)
    {
        let name = engine.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        return Err(Error::usage(format!("{flag} goes with --engine {name} only")));
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
    match arguments.image {
        Some(_) => Ok(()),
        None => Err(Error::usage(
            "--engine argo requires --image, an image of this plugin that the cluster can pull",
        )
        .hint("docs/in-cluster.md shows how to make it: docker build -t IMAGE . && docker push IMAGE")),
    }
}

/// Writes the files or the manifest that the engine needs. Nothing is deleted here.
pub(crate) fn hand_over(arguments: &Arguments, plan: &Plan, streams: &mut Streams) -> Result<u8, Error> {
    if arguments.engine == Engine::Argo && !plan.head.also.is_empty() {
        return Err(Error::refused("the engine's pods can't look at the references of other clusters again")
            .hint("carry it out here, with --also, or make a plan without --also"));
    }
    match arguments.engine {
        Engine::Argo => argo(arguments, plan, streams)?,
        _ => gcs_batch(arguments, plan, streams)?,
    }
    streams.out.flush()?;
    Ok(exit::DONE)
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
        "Nothing was deleted. Google's job heeds the generations, and nothing else that a purge looks at: not whether a \
         workflow runs again, nor who refers to an object by then. It writes no journal, marks nothing as deleted and \
         releases no finalizer; a purge with --accept-absent after it does both (docs/batch.md).",
    );
    Ok(())
}

/// Prints a workflow that takes the plan as an input artifact and has the journal of each shard as an output artifact.
fn argo(arguments: &Arguments, plan: &Plan, streams: &mut Streams) -> Result<(), Error> {
    // `check` made sure that both are given.
    let (Some((bucket, key)), Some(image)) = (&arguments.plan_location, &arguments.image) else {
        return check(arguments);
    };
    let text = fill(include_str!("engine/argo.yaml"), "@POD_SECURITY@", POD_SECURITY);
    // The user's texts are filled in last, so that nothing in them is taken for a placeholder.
    let text = fill(&text, "@CONTAINER_SECURITY@", CONTAINER_SECURITY)
        .replace("@HASH@", plan.hash.get(..8).unwrap_or_default())
        .replace("@SHARDS@", &arguments.shards.unwrap_or(SHARDS).to_string())
        .replace("@OBJECTS@", &plan.tail.totals.objects.to_string())
        .replace("@BUCKET@", &quoted(bucket.name()))
        .replace("@IMAGE@", &quoted(image))
        .replace("@KEY@", &quoted(key));
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
