//! `completion` prints the scripts for tab completion.

use crate::cli::streams::Streams;
use crate::error::{Error, exit};
use clap::{Args, ValueEnum};
use clap_complete::env::Shells;
use std::io::Write;

/// The environment variable with which a shell's script asks for candidates. It holds the shell's name.
pub const VARIABLE: &str = "ARGO_GC_COMPLETE";

/// The name of the program in shells.
const PROGRAM: &str = "kubectl-argo_gc";

/// The script that kubectl runs. Windows and other systems need different ones.
const FOR_KUBECTL: &str = if cfg!(windows) {
    include_str!("../../completions/kubectl_complete-argo_gc.cmd")
} else {
    include_str!("../../completions/kubectl_complete-argo_gc")
};

/// Prints a script that makes the tab key complete
///
/// For `kubectl argo-gc`, kubectl requires an executable file named kubectl_complete-argo_gc on the PATH, and its own
/// completion set up in the shell. For the program called by its own name, kubectl-argo_gc, the shell requires a
/// script.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kubectl argo-gc completion kubectl > ~/.local/bin/kubectl_complete-argo_gc
  chmod +x ~/.local/bin/kubectl_complete-argo_gc

Examples for kubectl-argo_gc:
  source <(kubectl argo-gc completion bash)
  kubectl argo-gc completion fish > ~/.config/fish/completions/kubectl-argo_gc.fish

Exit status: 0 done; 1 error; 2 wrong usage.")]
pub(crate) struct Arguments {
    /// What the script is for.
    #[arg(value_enum, value_name = "FOR")]
    shell: Shell,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shell {
    /// kubectl, whatever the shell.
    Kubectl,
    /// Bash, for kubectl-argo_gc.
    Bash,
    /// Zsh, for kubectl-argo_gc.
    Zsh,
    /// Fish, for kubectl-argo_gc.
    Fish,
    /// PowerShell, for kubectl-argo_gc.
    Powershell,
}

impl Arguments {
    pub fn run(self, streams: &mut Streams) -> Result<u8, Error> {
        let name = self.shell.to_possible_value();
        let name = name.as_ref().map_or("", |name| name.get_name());
        match Shells::builtins().completer(name) {
            None => streams.out.write_all(FOR_KUBECTL.as_bytes())?,
            Some(shell) => shell.write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut streams.out)?,
        }
        Ok(exit::DONE)
    }
}
