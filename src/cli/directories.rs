//! Finds the user's directories by the environment variables of the system.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Directories of the user. One is `None` if no variable names it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Folders {
    /// The directory in which gcloud stores a login.
    pub gcloud: Option<PathBuf>,
    /// The directory in which programs keep their state.
    pub state: Option<PathBuf>,
}

impl Folders {
    /// Returns the directories of the process's user.
    pub fn of_user() -> Self {
        Self::of(cfg!(windows), |variable| std::env::var_os(variable))
    }

    /// Returns the directories that the variables name. Relative paths are ignored: the current directory may not be
    /// the user's own.
    fn of(windows: bool, variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let named = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let below = |name: &str, path: &str| named(name).map(|folder| folder.join(path));
        let state = named("XDG_STATE_HOME");
        match windows {
            true => Self {
                gcloud: below("APPDATA", "gcloud")
                    .or_else(|| below("USERPROFILE", r"AppData\Roaming\gcloud")),
                state: state
                    .or_else(|| named("LOCALAPPDATA"))
                    .or_else(|| below("USERPROFILE", r"AppData\Local")),
            },
            false => Self {
                gcloud: below("HOME", ".config/gcloud"),
                state: state.or_else(|| below("HOME", ".local/state")),
            },
        }
    }

    /// Returns the directory in which a purge writes its journal.
    pub fn journals(&self) -> Option<PathBuf> {
        self.state.as_deref().map(|state| state.join("argo-gc"))
    }

    /// Returns the file that `gcloud auth application-default login` writes, if it exists.
    pub fn gcloud_login(&self) -> Option<PathBuf> {
        let file = |folder: &Path| folder.join("application_default_credentials.json");
        self.gcloud.as_deref().map(file).filter(|path| path.is_file())
    }
}

// Only a Unix host takes the paths of these tests for absolute.
#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn folders(windows: bool, variables: &[(&str, &str)]) -> Folders {
        let find = |name: &str| variables.iter().find(|(variable, _)| *variable == name);
        Folders::of(windows, |name| find(name).map(|(_, value)| value.into()))
    }

    fn named(gcloud: &str, state: &str) -> Folders {
        let path = |text: &str| (!text.is_empty()).then(|| PathBuf::from(text));
        Folders { gcloud: path(gcloud), state: path(state) }
    }

    #[test]
    fn unix_has_them_below_the_home() {
        let of = |variables: &[(&str, &str)]| folders(false, variables);
        let home = ("HOME", "/h");
        assert_eq!(of(&[home]), named("/h/.config/gcloud", "/h/.local/state"));
        assert_eq!(of(&[home, ("XDG_STATE_HOME", "/s")]), named("/h/.config/gcloud", "/s"));
        assert_eq!(of(&[home, ("XDG_STATE_HOME", "s")]), named("/h/.config/gcloud", "/h/.local/state"));
        for none in [&[("APPDATA", "/a"), ("USERPROFILE", "/u")][..], &[("HOME", "")], &[("HOME", "h")]] {
            assert_eq!(of(none), Folders::default(), "{none:?}");
        }
    }

    #[test]
    fn windows_has_folders_of_two_kinds() {
        let of = |variables: &[(&str, &str)]| folders(true, variables);
        let profile = ("USERPROFILE", "/u");
        assert_eq!(of(&[("APPDATA", "/r"), ("LOCALAPPDATA", "/l"), profile]), named("/r/gcloud", "/l"));
        assert_eq!(of(&[profile]), named(r"/u/AppData\Roaming\gcloud", r"/u/AppData\Local"));
        assert_eq!(of(&[profile, ("XDG_STATE_HOME", "/s")]), named(r"/u/AppData\Roaming\gcloud", "/s"));
        assert_eq!(of(&[("HOME", "/h")]), Folders::default());
    }
}
