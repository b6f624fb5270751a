//! `man` writes the manual pages, for packagers.

use crate::error::{Error, exit};
use clap::{Args, Command};
use clap_mangen::Man;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Writes the manual pages into a directory
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Where; it is made if need be.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

impl Arguments {
    /// Writes the pages of `command`, which is that of the whole plugin.
    pub fn run(self, command: Command) -> Result<u8, Error> {
        let failed = |path: &Path, error: std::io::Error| Error::new(format!("{}: {error}", path.display()));
        std::fs::create_dir_all(&self.directory).map_err(|error| failed(&self.directory, error))?;
        let mut command = command.disable_help_subcommand(true);
        command.build();
        for (name, command) in pages("kubectl-argo-gc".to_owned(), command) {
            let path = self.directory.join(format!("{name}.1"));
            let version = format!("kubectl argo-gc {}", env!("CARGO_PKG_VERSION"));
            let page = Man::new(command.display_name(name)).source(version).manual("kubectl argo-gc");
            let written = File::create(&path).and_then(|mut file| page.render(&mut file));
            written.map_err(|error| failed(&path, error))?;
        }
        Ok(exit::DONE)
    }
}

/// Writes the page of a command, and those of its verbs.
fn pages(name: String, command: Command) -> Vec<(String, Command)> {
    let verbs: Vec<Command> = command.get_subcommands().filter(|verb| !verb.is_hide_set()).cloned().collect();
    let verbs = verbs
        .into_iter()
        .flat_map(|verb| pages(format!("{name}-{}", verb.get_name()), verb))
        .collect::<Vec<_>>();
    [(name, command)].into_iter().chain(verbs).collect()
}
