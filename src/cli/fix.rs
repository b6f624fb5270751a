//! `fix` rewrites manifests so that Argo collects their artifacts.

pub mod lifecycle;

use crate::cli::kube_flags::{ArgoFlags, KubeFlags};
use crate::cli::lint::gather::settings;
use crate::cli::lint::reading::{Others, read};
use crate::cli::shared_flags::{AlsoFlags, ControllerFlags, FileFlags, VersionFlags};
use crate::cli::storage::StorageFlags;
use crate::cli::streams::Streams;
use crate::cli::values::repository;
use crate::error::{Error, exit};
use crate::files;
use crate::files::{Input, encoding};
use crate::fix::beyond::{is_of_cluster, missing_accounts};
use crate::fix::checked::{Checked, Surroundings, Wishes};
use crate::fix::outcome::{Fixed, Refusal};
use crate::fix::{checked, defaults};
use crate::output::escape::escape;
use crate::output::text::plural;
use crate::syntax::diagnostics::Finding;
use crate::syntax::source::Source;
use argo_gc_core::argo::artifact::Strategy;
use argo_gc_core::argo::kube_names::is_subdomain;
use argo_gc_core::argo::version::NEWEST;
use argo_gc_core::model::bucket::Bucket;
use argo_gc_core::reason::Reason;
use clap::Args;
use jiff::Timestamp;
use similar::TextDiff;
use std::collections::BTreeSet;
use std::io;
use std::io::Write;
use std::path::Path;

/// Rewrites manifests so that their artifacts are collected
///
/// Inline templates become named templates of the same workflow; what their bodies took from the enclosing
/// template goes in as parameters. Only the places concerned are edited: comments and layout of the rest stay.
/// What can't be moved without changing what it does is left, and named on standard error, and so is what would make
/// things worse: a strategy on storage from which Argo can't delete, a collection of what another run, a cache or a
/// given manifest needs, or a part of the inline templates where Argo then refuses the rest. What lint still finds in the result is named as well. Shows a diff unless --write is given.
#[derive(Debug, Args)]
#[command(mut_arg("also", |arg| arg.requires("lifecycle").help_heading(None)))]
#[command(mut_arg("also_max_age", |arg| arg.hide(true).help_heading(None)))]
#[command(mut_arg("files", |arg| {
    arg.help("Files, directories or - (standard input): YAML or JSON")
        .required_unless_present_any(["defaults", "lifecycle"])
}))]
#[command(mut_arg("argo_version", |arg| {
    arg.help("Version of the controller [default: that of a Deployment among the files, else the newest known]")
}))]
#[command(after_help = "Examples:
  kubectl argo-gc fix -f workflow.yaml                shows the changes
  kubectl argo-gc fix -f workflow.yaml --write        makes them
  kubectl argo-gc fix -f manifests/ -R --strategy OnWorkflowDeletion --write
  kubectl argo-gc fix -f workflow.yaml --unique-keys | patch -p0
  kubectl argo-gc fix --defaults --argo-version v3.7.0
  kubectl argo-gc fix --lifecycle 30 --repository gs://ml-artifacts > rule.json

Exit status: 0 done, changes or not (unlike kubectl diff); 1 error; 2 wrong usage; 4 some files could not be read \
or written, some places had to be left, or with --lifecycle some references could not be read; 130 interrupted.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    from: FileFlags,
    /// Sets this strategy, OnWorkflowDeletion or OnWorkflowCompletion, for every workflow and template that sets none.
    #[arg(long, value_parser = strategy, value_name = "STRATEGY")]
    strategy: Option<Strategy>,
    /// Puts {{workflow.uid}}/ before keys that every run would share, and {{pod.name}}/ before those that several steps
    /// or attempts of one run would, unless a manifest given reads them.
    #[arg(long)]
    unique_keys: bool,
    /// Shows what would change as a unified diff [default].
    #[arg(long, conflicts_with = "write")]
    diff: bool,
    /// Changes the files.
    #[arg(long)]
    write: bool,
    /// Prints defaults for the controller's ConfigMap instead, and what they do not reach.
    #[arg(long, conflicts_with_all = ["files", "recursive", "unique_keys", "diff", "write"])]
    defaults: bool,
    /// Prints a rule for a bucket instead, by which objects older than so many days are deleted, and says which of
    /// them are still needed today.
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500), requires = "repository",
          conflicts_with_all = ["defaults", "strategy", "unique_keys", "diff", "write"])]
    lifecycle: Option<u32>,
    /// With --lifecycle: where, as gs://BUCKET/PREFIX, s3://BUCKET/PREFIX or an Azure container's URL.
    #[arg(long, value_parser = repository, value_name = "URL", requires = "lifecycle")]
    repository: Option<(Bucket, String)>,
    #[command(flatten)]
    also: AlsoFlags,
    /// Sets the service account of GC pods wherever something is to be collected and none is set. With --defaults: the
    /// one that is printed [default: artifact-gc].
    #[arg(long, value_parser = account, value_name = "NAME", conflicts_with = "lifecycle")]
    service_account: Option<String>,
    #[command(flatten)]
    controller: VersionFlags,
    #[command(flatten)]
    controllers: ControllerFlags,
    // Only --lifecycle reads storage and, without files, a cluster.
    #[command(flatten)]
    storage: StorageFlags,
    #[command(flatten)]
    pub(crate) kube: KubeFlags,
    #[command(flatten)]
    argo: ArgoFlags,
}

fn strategy(text: &str) -> Result<Strategy, String> {
    match Strategy::from(text) {
        known @ (Strategy::OnWorkflowCompletion | Strategy::OnWorkflowDeletion) => Ok(known),
        _ => Err("use OnWorkflowCompletion or OnWorkflowDeletion".to_owned()),
    }
}

fn account(text: &str) -> Result<String, String> {
    match is_subdomain(text) {
        true => Ok(text.to_owned()),
        false => Err("the name of a service account has lower-case letters, digits, - and .".to_owned()),
    }
}

impl Arguments {
    pub async fn run(self, streams: &mut Streams, now: Timestamp) -> Result<u8, Error> {
        if let (Some(days), Some(place)) = (self.lifecycle, &self.repository) {
            return self.tried(days, place, streams, now).await;
        }
        if self.defaults {
            let strategy = self.strategy.unwrap_or(Strategy::OnWorkflowDeletion);
            let version = self.controller.argo_version.unwrap_or(NEWEST);
            let account = self.service_account.as_deref().unwrap_or("artifact-gc");
            let text = defaults::defaults(&strategy, account, version).map_err(Error::new)?;
            write!(streams.out, "{text}")?;
            return Ok(exit::DONE);
        }
        let inputs = once_each(files::inputs(&self.from.files, self.from.recursive)?);
        let is_read_once = inputs.iter().any(Input::is_read_once);
        if self.write && is_read_once {
            return Err(Error::usage("standard input can't be written to; leave out --write"));
        }
        let (mut read_from, mut sources) = (Vec::new(), Vec::new());
        let mut trouble = false;
        for input in &inputs {
            match read(input, &mut *streams.input, Others::of(inputs.len(), false)) {
                Ok(source) => {
                    read_from.push(input);
                    sources.push(source);
                }
                Err(problem) if inputs.len() == 1 => return Err(Error::new(problem)),
                Err(problem) => {
                    streams.say(Error::new(problem));
                    trouble = true;
                }
            }
        }
        let Checked { fixed, left } = self.fixed(&sources, streams)?;
        let mut done = Done::default();
        for ((input, source), fixed) in read_from.iter().zip(&sources).zip(&fixed) {
            done.one(input, source, fixed, self.write, streams)?;
        }
        let Done { changed, files, of_cluster, failed, refused } = done;
        streams.out.flush()?;
        let (places, files) = (plural(changed as u64, "place"), plural(files as u64, "file"));
        streams.say(match (changed, self.write) {
            (0, _) if failed => "Nothing was changed.".to_owned(),
            (0, _) => "Nothing to change.".to_owned(),
            (_, true) => format!("Changed {places} in {files}."),
            // Standard input can't be written to.
            (_, false) if is_read_once => format!("Would change {places}."),
            (_, false) => format!("Would change {places} in {files}; --write does it."),
        });
        left.iter().for_each(|finding| streams.say(escape(&self.still(finding))));
        for name in of_cluster {
            streams.say(escape(&format!(
                "Note: {name} was read from a cluster. Change the manifest that it was applied from too, or the next apply \
                 undoes this."
            )));
        }
        tell_accounts(&fixed, streams);
        Ok(if trouble || failed || refused { exit::PARTIAL } else { exit::DONE })
    }

    /// Makes all edits, and checks the result by what the files show of the controller.
    fn fixed(&self, sources: &[Source], streams: &mut Streams) -> Result<Checked, Error> {
        let (mut settings, problems) = settings(sources, self.controllers.controller_namespace.as_deref());
        for problem in problems {
            streams.say(escape(&format!("Warning: {problem}")));
        }
        let version = self.controller.argo_version.or(settings.controllers_version());
        settings.version = version.unwrap_or(NEWEST);
        let around = Surroundings {
            settings: &settings,
            namespace: self.kube.namespace.as_deref().unwrap_or_default(),
        };
        let wishes = Wishes {
            strategy: self.strategy.as_ref(),
            account: self.service_account.as_deref(),
            unique_keys: self.unique_keys,
        };
        checked::fix(sources, around, wishes)
            .map_err(|(at, fault)| Error::new(format!("{}: {fault}", sources[at].name)))
    }

    /// What is still to be done in the result, and the flag that does it.
    fn still(&self, finding: &Finding) -> String {
        let flag = match Reason::from_code(finding.code) {
            Some(Reason::NoStrategy) if self.strategy.is_none() => "; --strategy sets one",
            Some(Reason::DefaultServiceAccount) => {
                ", which may do that only if a role allows it; --service-account names another"
            }
            Some(Reason::GcsMissing | Reason::RetryAttempts | Reason::SharedKey) if !self.unique_keys => {
                "; --unique-keys tells them apart"
            }
            _ => "",
        };
        let Finding { code, why, .. } = finding;
        format!("Left: {}: {} ({code}): {why}{flag}", finding.place(), finding.severity.as_str())
    }
}

/// What was done with the fixed texts.
#[derive(Default)]
struct Done<'s> {
    /// Places that were changed, or would be.
    changed: usize,
    files: usize,
    of_cluster: Vec<&'s str>,
    /// Whether a file could not be written.
    failed: bool,
    refused: bool,
}

impl<'s> Done<'s> {
    /// Writes or shows one text. A file that can't be written is named, and the others are written all the same.
    fn one(
        &mut self,
        input: &Input,
        source: &'s Source,
        fixed: &Fixed,
        write: bool,
        streams: &mut Streams,
    ) -> Result<(), Error> {
        for Refusal { line, column, what, why } in &fixed.refused {
            streams.say(format!("Warning: {}:{line}:{column}: left {what} as it is: {why}", source.name));
            self.refused = true;
        }
        if fixed.text == source.text {
            return Ok(());
        }
        match input {
            Input::File(path) if write => {
                if let Err(why) = replace(path, &source.text, &fixed.text) {
                    streams.say(Error::new(format!("writing {}: {why}", source.name)));
                    self.failed = true;
                    return Ok(());
                }
            }
            _ => show(streams, source, &fixed.text)?,
        }
        self.changed += fixed.changed;
        self.files += 1;
        if source.documents.iter().any(|document| is_of_cluster(&document.value)) {
            self.of_cluster.push(&source.name);
        }
        Ok(())
    }
}

/// The inputs without those that name a file again, as a link or another path does: the second edit would be one of a text
/// that is no longer there.
fn once_each(inputs: Vec<Input>) -> Vec<Input> {
    let mut seen = BTreeSet::new();
    let is_new = |input: &Input| match input {
        Input::File(path) => path.canonicalize().map_or(true, |path| seen.insert(path)),
        Input::Stdin => true,
    };
    inputs.into_iter().filter(is_new).collect()
}

/// Says which service accounts the collection needs that the files don't hold.
fn tell_accounts(fixed: &[Fixed], streams: &mut Streams) {
    let sources: Vec<Source> =
        fixed.iter().filter_map(|fixed| Source::parse(String::new(), fixed.text.clone()).ok()).collect();
    let documents = sources.iter().flat_map(|source| &source.documents);
    let missing = missing_accounts(documents.map(|document| &document.value));
    if missing.is_empty() {
        return;
    }
    let names: Vec<&str> = missing.iter().map(String::as_str).collect();
    let (accounts, each) = if names.len() == 1 { ("account", "It") } else { ("accounts", "Each") };
    streams.say(escape(&format!(
        "Note: GC pods run as service {accounts} {}, not among the files. {each} has to exist in the workflows' namespace, \
         with the permissions of a GC pod: while a workflow waits there, `kubectl argo-gc doctor --yaml` prints what is \
         missing.",
        names.join(", ")
    )));
}

/// Prints a unified diff. On a terminal, control characters are escaped.
fn show(streams: &mut Streams, source: &Source, text: &str) -> io::Result<()> {
    let diff = TextDiff::from_lines(source.text.as_str(), text);
    let diff = diff.unified_diff().context_radius(3).header(&source.name, &source.name).to_string();
    if !streams.out_is_terminal {
        return streams.out.write_all(diff.as_bytes());
    }
    diff.lines().try_for_each(|line| writeln!(streams.out, "{}", escape(line.trim_end_matches('\r'))))
}

/// Replaces a file's content atomically and keeps its mode. If the path is a link, the file it points to is replaced.
///
/// # Errors
/// It can't be written, or its text is no longer the given one.
fn replace(path: &Path, given: &str, text: &str) -> io::Result<()> {
    let path = path.canonicalize()?;
    let mode = path.metadata()?.permissions();
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.as_file().set_permissions(mode)?;
    // As late as can be: an editor may have saved the file since it was read.
    if encoding::text(std::fs::read(&path)?).ok().as_deref() != Some(given) {
        return Err(io::Error::other("the file has been changed since it was read; try again"));
    }
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_file_that_was_changed_meanwhile_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.yaml");
        std::fs::write(&path, "new: text\n").unwrap();
        let error = replace(&path, "old: text\n", "fixed: text\n").unwrap_err();
        assert!(error.to_string().contains("changed since it was read"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new: text\n");
        replace(&path, "new: text\n", "fixed: text\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "fixed: text\n");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
