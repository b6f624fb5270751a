//! Commands that are printed for the user to run next. They reach the same cluster and storage as the run that prints them.

use crate::cli::kube_flags::{ArgoFlags, KubeFlags};
use crate::cli::storage::StorageFlags;
use crate::error::Error;

/// The flags that every next command needs.
pub(crate) struct FollowUp(Vec<String>);

impl FollowUp {
    /// Of a run with these flags.
    ///
    /// # Errors
    /// The address of the Argo server is none.
    pub fn of(
        kube: &KubeFlags,
        argo: Option<&ArgoFlags>,
        storage: Option<&StorageFlags>,
    ) -> Result<Self, Error> {
        let mut flags = kube.same();
        if let Some(argo) = argo {
            flags.extend(argo.carried()?);
        }
        flags.extend(storage.map(StorageFlags::same).unwrap_or_default());
        Ok(Self(flags))
    }

    /// With more flags, which not every command takes.
    pub fn and(mut self, flags: impl IntoIterator<Item = String>) -> Self {
        self.0.extend(flags);
        self
    }

    /// Those of the storage alone.
    pub fn of_storage(storage: &StorageFlags) -> Self {
        Self(storage.same())
    }

    /// A command of the plugin, to be typed as it is.
    pub fn command<'a>(&'a self, words: impl IntoIterator<Item = &'a str>) -> String {
        let words = words.into_iter().chain(self.0.iter().map(String::as_str)).map(quoted);
        format!("kubectl argo-gc {}", words.collect::<Vec<_>>().join(" "))
    }

    /// The flags, each after a space.
    pub fn flags(&self) -> String {
        self.0.iter().map(|flag| format!(" {}", quoted(flag))).collect()
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=@,+%{}".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_a_shell() {
        let flags = FollowUp(vec!["--context=my cluster".to_owned(), "--as=it's".to_owned()]);
        let command = flags.command(["purge", "--plan", "plan.json"]);
        assert_eq!(command, r"kubectl argo-gc purge --plan plan.json '--context=my cluster' '--as=it'\''s'");
        assert_eq!(flags.flags(), r" '--context=my cluster' '--as=it'\''s'");
    }
}
