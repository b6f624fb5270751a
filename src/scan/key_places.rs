//! Where the objects lie that a workflow names by key only.

use argo_gc_core::argo::artifact::ArtifactLocation;
use argo_gc_core::argo::template::Template;
use argo_gc_core::argo::workflow::Workflow;
use argo_gc_core::plan::references::Buckets;

/// Where keys without a bucket may lie: the repository, and every archive location of its templates.
pub(crate) fn buckets(workflow: &Workflow) -> Buckets {
    let status = &workflow.status;
    let repository =
        status.artifact_repository_ref.as_ref().and_then(|found| found.artifact_repository.as_ref());
    let stored = status.stored_workflow_template_spec.as_ref();
    let specs = || std::iter::once(&workflow.spec).chain(stored);
    let mut templates: Vec<&Template> = status.stored_templates.values().collect();
    templates.extend(specs().flat_map(|spec| &spec.templates));
    let mut archive: Vec<&ArtifactLocation> = Vec::new();
    while let Some(template) = templates.pop() {
        archive.extend(&template.archive_location);
        templates.extend(template.children().filter_map(|child| child.inline.as_deref()));
    }
    let defaults = specs().filter_map(|spec| spec.template_defaults.as_ref());
    archive.extend(defaults.filter_map(|defaults| defaults.archive_location.as_ref()));
    // Without a repository nothing is known, whatever the templates say.
    let Some(first) = repository.and_then(|repository| repository.bucket()) else {
        return Buckets::default();
    };
    let mut buckets = vec![first];
    for bucket in archive.into_iter().filter_map(|location| location.bucket()) {
        if bucket.contains("{{") {
            return Buckets::default();
        }
        if !buckets.contains(&bucket) {
            buckets.push(bucket);
        }
    }
    Buckets(buckets)
}
