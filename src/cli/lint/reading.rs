//! Reads the files that `lint` and `fix` are given.

use crate::files::encoding;
use crate::files::{Input, InputError};
use crate::syntax::kustomize;
use crate::syntax::source::{Looks, Source};
use std::fs::File;
use std::io;
use std::io::Read;
use std::path::{Path, PathBuf};

/// How files are taken that are no manifests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Others {
    /// The only file that was given has to be a manifest.
    Refuse,
    /// What is clearly another tool's is left out.
    LeaveOut,
    /// So is what may be a manifest or can't be read, unless it says that it is Argo's.
    Skip,
}

impl Others {
    /// What holds for as many inputs.
    pub fn of(inputs: usize, skip: bool) -> Self {
        match (inputs, skip) {
            (_, true) => Self::Skip,
            (1, false) => Self::Refuse,
            _ => Self::LeaveOut,
        }
    }

    /// Whether a source may hold a value that is no object.
    fn bear(self, looks: Looks, source: &Source) -> bool {
        match self {
            Self::Refuse => false,
            Self::LeaveOut => looks == Looks::Foreign || kustomize::is_kustomization(source),
            Self::Skip => looks < Looks::Argo,
        }
    }

    /// A fault of a file with something of Argo's. Only the templates of charts may have any.
    pub fn fault(self, file: &str, problem: String) -> Unread {
        match chart(Path::new(file)).filter(|_| self == Self::Skip) {
            Some(chart) => {
                tracing::debug!(why = problem, "skipped");
                Unread::Template { file: file.to_owned(), chart: chart.to_owned() }
            }
            None => Unread::Problem(problem),
        }
    }
}

/// An input that was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unread {
    /// A sentence with the name and the place.
    #[error("{0}")]
    Problem(String),
    /// It holds no object.
    #[error("{0} holds no Kubernetes object")]
    Foreign(String),
    /// It can't be read, and doesn't name Argo's API.
    #[error("{0} can't be read")]
    Unreadable(String),
    /// A template of the Helm chart in that folder, which holds something of Argo's.
    #[error("{file} is a template of a Helm chart")]
    Template { file: String, chart: PathBuf },
}

/// Reads a whole input. A problem names the input and the place in it.
pub(crate) fn read(input: &Input, stdin: &mut (dyn Read + Send), others: Others) -> Result<Source, Unread> {
    let name = input.to_string();
    let mut bytes = Vec::new();
    let result = match input {
        Input::Stdin => stdin.read_to_end(&mut bytes),
        Input::File(path) => File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)),
    };
    if let Err(error) = result {
        // A link in a folder may lead nowhere.
        let is_nothing = error.kind() == io::ErrorKind::NotFound && others == Others::Skip;
        let problem = InputError::Io(name.clone(), error).to_string();
        return Err(if is_nothing { unreadable(name, &problem) } else { Unread::Problem(problem) });
    }
    let is_ours = others != Others::Skip || names_argo(&String::from_utf8_lossy(&bytes));
    let fault = |fault: String| {
        let problem = format!("{name}: {fault}");
        if is_ours { others.fault(&name, problem) } else { unreadable(name.clone(), &problem) }
    };
    let text = encoding::text(bytes).map_err(fault)?;
    let source = Source::parse(name.clone(), text).map_err(|error| fault(error.to_string()))?;
    let Some(foreign) = &source.foreign else { return Ok(source) };
    let problem = format!("{name}: {}", foreign.fault);
    if !others.bear(foreign.looks, &source) {
        return Err(others.fault(&name, problem));
    }
    // A kustomization says what becomes of other files.
    if others == Others::Skip && source.documents.is_empty() && !kustomize::is_kustomization(&source) {
        tracing::debug!(why = problem, "skipped");
        return Err(Unread::Foreign(name));
    }
    Ok(source)
}

fn unreadable(name: String, why: &str) -> Unread {
    tracing::debug!(why, "skipped");
    Unread::Unreadable(name)
}

/// The folder of the Helm chart that a file is a template of.
fn chart(file: &Path) -> Option<&Path> {
    let folders = file.ancestors().skip(1);
    let mut templates = folders.filter(|folder| folder.file_name().is_some_and(|name| name == "templates"));
    templates.find_map(|folder| folder.parent().filter(|chart| chart.join("Chart.yaml").is_file()))
}

/// Whether a text that can't be read has an object of Argo's API, outside of comments.
fn names_argo(text: &str) -> bool {
    /// What may stand around a key and its value.
    const AROUND: [char; 4] = [' ', '\t', '"', '\''];
    // UTF-16 has a zero beside each letter.
    let text = text.replace('\0', "");
    let mut lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines.any(|line| {
        line.match_indices("argoproj.io/").any(|(at, _)| {
            let key = line[..at].trim_end_matches(AROUND).strip_suffix(':');
            key.is_some_and(|key| key.trim_end_matches(AROUND).ends_with("apiVersion"))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_argos_says_so_by_its_api() {
        for text in [
            "apiVersion: argoproj.io/v1alpha1\nkind: [",
            "- 'apiVersion' : \"argoproj.io/v1alpha1\"\n",
            r#"{"items":[{"apiVersion":"argoproj.io/v1alpha1","kind"#,
            "a\0p\0i\0V\0e\0r\0s\0i\0o\0n\0:\0 \0a\0r\0g\0o\0p\0r\0o\0j\0.\0i\0o\0/\0",
        ] {
            assert!(names_argo(text), "{text}");
        }
        for text in [
            "",
            "# apiVersion: argoproj.io/v1alpha1\n",
            "https://argoproj.io/v1",
            "annotations: {argoproj.io/x: y}",
            "apiVersion:\n  argoproj.io/v1",
            "see apiVersion argoproj.io/v1alpha1",
        ] {
            assert!(!names_argo(text), "{text}");
        }
    }
}
