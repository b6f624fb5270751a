//! The words of hints, which name flags and verbs.

use crate::error::{Error, Hint};
use argo_gc_core::doctor::purges::{PurgeOf, PurgeStep};

/// An error as the user sees it: its message, then a line for each hint.
pub(crate) fn shown(error: &Error) -> String {
    let mut text = error.message().to_owned();
    for hint in error.hints() {
        text.push_str("\nhint: ");
        text.push_str(words(hint));
    }
    text
}

fn words(hint: &Hint) -> &str {
    match hint {
        Hint::Text(text) => text,
        Hint::NoKubeconfig => {
            "name a file with --kubeconfig, or inspect files: kubectl argo-gc inspect -f FILE"
        }
        Hint::OtherContext => "Argo Workflows' CRDs are not installed there; is this the right --context?",
        Hint::OneNamespace => "reading all namespaces needs a ClusterRole; name one namespace with -n",
        Hint::Descend => "-R descends into folders",
        Hint::LargerPages => {
            "the list expired twice while it was read; a larger --chunk-size reads it in fewer requests"
        }
        Hint::LongerTimeout => "allow more time with --request-timeout",
        Hint::SmallerPages => "ask for fewer objects at a time with --chunk-size",
        Hint::ArgoServerAddress => {
            "is --argo-server (ARGO_SERVER) right? log-in pages and other sites answer like this"
        }
        Hint::IsArgoServer => "this is the Argo server of --argo-server or ARGO_SERVER",
        Hint::MakeInspection => "kubectl argo-gc inspect -A -o json > FILE makes one",
        Hint::MakeLintReport => "kubectl argo-gc lint -f DIR -R -o json > FILE makes one",
        Hint::MakeReferences => {
            "kubectl argo-gc references -A --context OTHER > FILE makes one, and --also FILE names it"
        }
        Hint::OldReferences => "make new ones, or allow their age with --also-max-age",
        Hint::WrongClock => "set this machine's clock",
        Hint::LargerMargin => "or allow more with --margin",
        Hint::ChooseBuckets => "choose buckets with --bucket",
        Hint::OldPlan => "make a new one, or allow its age with --plan-max-age",
        Hint::OtherCluster => "choose it with --context",
        Hint::UndoWithoutCluster => {
            "--no-record restores the objects without the cluster; they remain recorded as deleted"
        }
        Hint::MoreObjects => "select less, or allow more with --max-objects",
        Hint::NewPlan => "make a new one with --plan-out",
        Hint::IsPlan => "a saved plan is carried out with: kubectl argo-gc purge --plan FILE",
        Hint::IsJournal => "an interrupted run is finished with: kubectl argo-gc purge --resume JOURNAL",
    }
}

/// The command of a purge that is a step of a repair.
pub(crate) fn purge_command(step: &PurgeStep<'_>) -> String {
    let release = if step.release_finalizers { " --release-finalizer" } else { "" };
    let places: String = step.places.iter().map(|place| format!(" --repository {place}")).collect();
    let namespace = step.namespace.map_or_else(|| "-A".to_owned(), |namespace| format!("-n {namespace}"));
    let which = match step.workflows {
        PurgeOf::Named(names) => names.join(" "),
        PurgeOf::Reasons(reasons) => {
            let codes: Vec<&str> = reasons.iter().map(|reason| reason.code()).collect();
            // Those that failed are kept unless they are asked for.
            format!("--reason {} --status Succeeded,Failed,Error", codes.join(","))
        }
    };
    format!("kubectl argo-gc purge {namespace} {which}{release}{places}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_come_in_their_order() {
        let error = Error::new("x").hint(Hint::LongerTimeout).hint("a text");
        assert_eq!(shown(&error), "error: x\nhint: allow more time with --request-timeout\nhint: a text");
        assert_eq!(error.to_string(), "error: x\nhint: a text");
    }
}
