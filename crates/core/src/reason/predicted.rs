//! Reasons that only manifests show, before anything runs.

use crate::reason::entry::{AGC, BASE, Entry, Group, Link, ToldFrom, VALIDATE};
use crate::verdict::Verdict;

const PREDICTED: Entry = Entry { told_from: ToldFrom::Manifests, ..BASE };

pub(crate) static DEFAULT_SERVICE_ACCOUNT: Entry = Entry {
    code: "default-service-account",
    group: Group::Hazard,
    link: Link::Rights,
    title: "The GC pod will run as the default service account",
    why: "`artifactGC.serviceAccountName` is set neither on the artifact nor on the workflow, and the \
          workflow's own `serviceAccountName` does not count for GC pods. They run as the namespace's \
          `default` account, which by default may not read `workflowartifactgctasks`. The GC pod then fails, \
          and the finalizer stays.",
    evidence: &[
        "spec.artifactGC.serviceAccountName",
        "spec.templates[*].outputs.artifacts[*].artifactGC.serviceAccountName",
    ],
    remedy: "Name a service account in `artifactGC` that may list and watch `workflowartifactgctasks` and patch their \
             status, or bind these permissions to `default`.",
    remedy_yaml: Some(
        "\
spec:
  artifactGC:
    strategy: OnWorkflowDeletion
    serviceAccountName: artifact-gc
",
    ),
    upstream: &[AGC, "manifests/quick-start/base/artifactgc-role.yaml@v4.1.2"],
    false_positives: "The permissions may have been bound to `default`; a manifest does not show it.",
    ..PREDICTED
};

pub(crate) static TEMPLATE_UNSEEN: Entry = Entry {
    code: "template-unseen",
    group: Group::Unknown,
    verdicts: &[Verdict::Unknown],
    link: Link::Template,
    title: "A template that is referred to was not given",
    why: "A `templateRef` or `workflowTemplateRef` names a template that is in none of the files, so nothing \
          can be said about its artifacts, nor about their effect on other artifacts.",
    evidence: &["spec.workflowTemplateRef", "templateRef of steps, tasks and hooks"],
    remedy: "Give the file with the template too, or let `kubectl argo-gc lint --connected` read it from the \
             cluster.",
    upstream: &[VALIDATE],
    ..PREDICTED
};
