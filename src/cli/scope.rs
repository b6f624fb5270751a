//! Where workflows are looked for: by -n, by -A, and by names that have a namespace.

use crate::cli::kube_flags::KubeFlags;
use crate::error::Error;
use crate::scan::selection::Name;
use std::collections::BTreeSet;

/// A namespace and a name in it.
pub(crate) type Place = (String, String);

/// The namespaces and names that flags choose.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Where {
    /// Namespaces of names without one, and of all workflows if there are no names; empty for all namespaces.
    pub namespaces: Vec<String>,
    /// The one namespace to read; none to read all.
    pub reads: Option<String>,
}

impl Where {
    /// Of flags; `default` is the namespace if none is named, none of which is all.
    pub fn of(kube: &KubeFlags, all_namespaces: bool, names: &[Name], default: Option<&str>) -> Self {
        let given = kube.namespaces();
        let namespaces: Vec<String> = match (all_namespaces, given.is_empty()) {
            (true, _) => Vec::new(),
            (false, true) => default.map(str::to_owned).into_iter().collect(),
            (false, false) => given,
        };
        let plain = names.is_empty() || names.iter().any(|name| name.namespace.is_none());
        let of_names = names.iter().filter_map(|name| name.namespace.as_ref());
        let mut read: BTreeSet<&String> = of_names.collect();
        read.extend(namespaces.iter().filter(|_| plain));
        let everywhere = plain && namespaces.is_empty();
        let reads = match (everywhere, read.len()) {
            (false, 1) => read.first().map(|name| (*name).clone()),
            _ => None,
        };
        Self { namespaces, reads }
    }

    /// The namespace and name of each of the names, to be asked for one by one; without names the namespaces to select.
    ///
    /// # Errors
    /// A name without a namespace may be in several.
    pub fn asked(&self, names: &[Name]) -> Result<(Vec<Place>, Vec<String>), Error> {
        let place = |name: &Name| match (&name.namespace, self.namespaces.as_slice()) {
            (Some(namespace), _) | (None, [namespace]) => Ok((namespace.clone(), name.name.clone())),
            _ => Err(Error::usage(format!("{name} may be in several namespaces; write NAMESPACE/{name}"))),
        };
        let places = names.iter().map(place).collect::<Result<Vec<_>, Error>>()?;
        let namespaces = if places.is_empty() { self.namespaces.clone() } else { Vec::new() };
        Ok((places, namespaces))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::cli::values::{namespaces, workflow_name};
    use clap::{Args, FromArgMatches};

    #[test]
    fn what_is_read_covers_what_is_named() {
        for (flag, all, names, within, reads) in [
            ("", false, "", "team", Some("team")),
            ("ml", false, "a", "ml", Some("ml")),
            ("", false, "ml/a ml/b", "team", Some("ml")),
            ("", false, "ml/a b", "team", None),
            ("", false, "ml/a etl/b", "team", None),
            ("ml,etl", false, "", "ml etl", None),
            ("", true, "", "", None),
            ("", true, "ml/a", "", Some("ml")),
            ("", true, "ml/a b", "", None),
        ] {
            let command = KubeFlags::augment_args(clap::Command::new("x"))
                .mut_arg("namespace", |arg| arg.value_parser(namespaces));
            let words = match flag {
                "" => vec!["x"],
                flag => vec!["x", "-n", flag],
            };
            let kube = KubeFlags::from_arg_matches(&command.try_get_matches_from(words).unwrap()).unwrap();
            let names: Vec<Name> =
                names.split_whitespace().map(|name| workflow_name(name).unwrap()).collect();
            let found = Where::of(&kube, all, &names, Some("team"));
            assert_eq!(
                (found.namespaces.join(" ").as_str(), found.reads.as_deref()),
                (within, reads),
                "{names:?}"
            );
        }
    }

    #[test]
    fn names_have_their_kind_or_namespace_before_them() {
        let read = |text| workflow_name(text).map(|name| name.to_string());
        for (text, name) in
            [("a", "a"), ("wf/a", "a"), ("ml/a", "ml/a"), ("workflow.argoproj.io/ml/a", "ml/a")]
        {
            assert_eq!(read(text).as_deref(), Ok(name));
        }
        for wrong in ["", "/a", "ml/", "a/b/c", "wf/", "M L/a"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
