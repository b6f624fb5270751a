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

/// Prints a script that makes the tab key complete, and where it goes
///
/// For `kubectl argo-gc`, kubectl requires an executable file named kubectl_complete-argo_gc on the PATH, and its own
/// completion set up in the shell. For the program called by its own name, kubectl-argo_gc, the shell requires a
/// script. Without an argument it says where each of them goes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kubectl argo-gc completion                       says where each script goes
  kubectl argo-gc completion kubectl > ~/.local/bin/kubectl_complete-argo_gc
  chmod +x ~/.local/bin/kubectl_complete-argo_gc

Examples for kubectl-argo_gc:
  source <(kubectl argo-gc completion bash)
  kubectl argo-gc completion fish | source

Exit status: 0 done; 1 error; 2 wrong usage.")]
pub(crate) struct Arguments {
    /// What the script is for; without it only the places of all scripts are printed.
    #[arg(value_enum, value_name = "FOR")]
    shell: Option<Shell>,
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

/// Where the script for kubectl goes.
const PLACE_FOR_KUBECTL: &str = if cfg!(windows) {
    "For kubectl argo-gc, in every shell in which kubectl itself completes, put it into a
folder of the PATH as kubectl_complete-argo_gc.cmd:

  kubectl argo-gc completion kubectl > kubectl_complete-argo_gc.cmd
"
} else {
    "For kubectl argo-gc, in every shell in which kubectl itself completes (v1.26 or
later), put it into a folder of the PATH, such as ~/.local/bin, and make it
executable:

  kubectl argo-gc completion kubectl > ~/.local/bin/kubectl_complete-argo_gc
  chmod +x ~/.local/bin/kubectl_complete-argo_gc

kubectl completion --help says how kubectl itself learns to complete.
"
};

impl Shell {
    /// Returns where its script goes, for people.
    fn place(self) -> &'static str {
        match self {
            Self::Kubectl => PLACE_FOR_KUBECTL,
            Self::Bash => {
                "For kubectl-argo_gc in Bash, add this line to ~/.bashrc:

  source <(kubectl-argo_gc completion bash)
"
            }
            Self::Zsh => {
                "For kubectl-argo_gc in Zsh, add this line to ~/.zshrc, below compinit:

  source <(kubectl-argo_gc completion zsh)
"
            }
            Self::Fish => {
                "For kubectl-argo_gc in Fish, add this line to ~/.config/fish/config.fish:

  kubectl-argo_gc completion fish | source
"
            }
            Self::Powershell => {
                "For kubectl-argo_gc in PowerShell, add this line to the file $PROFILE:

  kubectl-argo_gc completion powershell | Out-String | Invoke-Expression
"
            }
        }
    }
}

impl Arguments {
    pub fn run(self, streams: &mut Streams) -> Result<u8, Error> {
        let Some(shell) = self.shell else {
            let places: Vec<&str> = Shell::value_variants().iter().map(|shell| shell.place()).collect();
            write!(streams.out, "{}", places.join("\n"))?;
            return Ok(exit::DONE);
        };
        let name = shell.to_possible_value();
        let name = name.as_ref().map_or("", |name| name.get_name());
        match Shells::builtins().completer(name) {
            None => streams.out.write_all(FOR_KUBECTL.as_bytes())?,
            Some(completer) => {
                completer.write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut streams.out)?;
            }
        }
        // A script that somebody looks at does nothing yet; one that is redirected has its place.
        if streams.out_is_terminal {
            streams.out.flush()?;
            streams.say(format!("\n{}", shell.place().trim_end()));
        }
        Ok(exit::DONE)
    }
}
