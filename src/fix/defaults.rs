//! A strategy in the controller's `workflowDefaults`, for every workflow that sets none, with what it does not reach.

use argo_gc_core::argo::artifact::Strategy;
use argo_gc_core::argo::version::Version;

/// Before this release, a workflow with a strategy gets the finalizer even if it has nothing to collect.
const COUNTS_ARTIFACTS: Version = Version(3, 4, 5);

/// Since this release, a finalizer of a workflow with nothing to collect is removed.
const REMOVES_IDLE: Version = Version(3, 5, 11);

const COLLECTS: Version = Version(3, 4, 0);

/// A ConfigMap to be merged into the controller's, with comments on what it does.
///
/// # Errors
/// The release has no artifact garbage collection.
pub fn defaults(strategy: &Strategy, account: &str, version: Version) -> Result<String, String> {
    if version < COLLECTS {
        return Err(format!(
            "Argo {version} has no artifact garbage collection; v3.4.0 is the first that has"
        ));
    }
    let mut text = format!(
        "\
# Defaults for the workflow controller, for Argo {version}. Merge this into its ConfigMap; a workflowDefaults that is
# already there is one text, which a patch would replace: add the lines below `spec:` to it.
#
# Reaches: workflows that set no strategy of their own, from their first reconcile after this was read; also those
# of cron workflows and workflow templates that set none. Artifacts with a strategy of their own keep it.
#
# Does not reach:
# - workflows that were processed before: one with artifactGCStatus.notSpecified is never checked again;
# - inline templates: their artifacts are kept, and if named templates have artifacts as well the workflow's whole
#   collection now fails and its finalizer remains. Run `kubectl argo-gc fix` on the manifests first;
"
    );
    if version >= COUNTS_ARTIFACTS {
        text += "\
# - workflows that store nothing but archived logs, or whose artifacts are only behind a templateRef with variables
#   or in a hook: the controller sees nothing to collect (`kubectl argo-gc lint` finds them).
";
    }
    if version < COUNTS_ARTIFACTS {
        text += &format!(
            "\
#
# Warning: under {version} every workflow gets the finalizer, even one without any artifact, and from these it is
# never removed: they can't be deleted. Upgrade to v3.5.11, v3.6.0 or newer first.
"
        );
    } else if version < REMOVES_IDLE {
        text += &format!(
            "\
#
# Warning: under {version} a workflow that ended before it wrote any of its artifacts can't be deleted, because
# nothing removes its finalizer. Upgrade to v3.5.11, v3.6.0 or newer first.
"
        );
    }
    text += &format!(
        "\
#
# The service account has to exist in every namespace that runs workflows, and may list and watch
# workflowartifactgctasks and patch workflowartifactgctasks/status there.
apiVersion: v1
kind: ConfigMap
metadata:
  name: workflow-controller-configmap
  namespace: argo # the controller's
data:
  workflowDefaults: |
    spec:
      artifactGC:
        strategy: {}
        serviceAccountName: {}
",
        strategy.as_str(),
        crate::fix::edit::scalar(account, false),
    );
    Ok(text)
}
