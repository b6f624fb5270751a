{{- /* UPDATE_DOCS=1 writes this from src/cli/manifest. */ -}}
{{- define "argo-gc.suspects.force-no-pod" -}}
- name: code
  expression: "'force-no-pod'"
- name: what
  expression: "'forceFinalizerRemoval holds a workflow for ever that wrote none of its artifacts, and all of them are optional'"
- name: suspects
  expression: |-
    variables.isLibrary || variables.isUnseen || !variables.isCollected
      || !variables.spec.?artifactGC.?forceFinalizerRemoval.orValue(false)
      || variables.templates.exists(template, template.pods.exists(group, group.exists(call, call.exists(within, within.exists(pod,
          pod.logs || pod.asked.exists(artifact, !artifact.?optional.orValue(false))))))
        && (variables.entrypoint == '' || template.name in variables.named)) ? []
    : variables.templates.filter(template, template.pods.exists(group, group.exists(call, call.exists(within, within.exists(pod,
        pod.asked.size() > 0)))))
{{- end }}
{{- define "argo-gc.suspects.inline" -}}
# The inline templates of a WorkflowTemplate bring the finalizer, because the controller stores them.
- name: code
  expression: "variables.isCollected || object.kind.endsWith('WorkflowTemplate') ? 'inline-poison' : 'inline-only'"
- name: what
  expression: "'Argo never collects what inline templates store, and these have some'"
- name: suspects
  expression: |-
    variables.templates.filter(template, template.pods.exists(group, group.exists(call, call.exists(within, within.exists(pod,
      pod.isInline && (pod.asked.size() > 0 || (pod.logs && variables.isCollected && '' in variables.asking)))))))
{{- end }}
{{- define "argo-gc.suspects.logs-only" -}}
# Where inline templates declare artifacts, the rule `inline` says it.
- name: code
  expression: "'logs-only'"
- name: what
  expression: "'Argo never collects archived logs where no template declares an artifact with a strategy, and these archive some'"
- name: suspects
  expression: |-
    variables.isCollected || variables.isUnseen || !('' in variables.asking)
      || variables.templates.exists(template, template.pods.exists(group, group.exists(call, call.exists(within, within.exists(pod,
          pod.asked.size() > 0))))) ? []
    : variables.templates.filter(template, template.pods.exists(group, group.exists(call, call.exists(within, within.exists(pod,
        pod.logs)))))
{{- end }}
{{- define "argo-gc.suspects.no-strategy" -}}
- name: code
  expression: "'no-strategy'"
- name: what
  expression: "'nothing sets artifactGC.strategy for artifacts or logs of these templates'"
- name: suspects
  expression: |-
    variables.isLibrary || variables.strategy != '' ? []
    : variables.templates.filter(template, template.pods.exists(group, group.exists(call, call.exists(within, within.exists(pod,
        pod.logs || pod.artifacts.exists(artifact, artifact.?artifactGC.?strategy.orValue('') == ''))))))
{{- end }}
{{- define "argo-gc.suspects.shared-key" -}}
# A key without variables but those that are the same for every run.
- name: code
  expression: "'shared-key'"
- name: what
  expression: "'every run of these templates writes the same key, and collecting one run deletes what a later one wrote'"
- name: suspects
  expression: |-
    variables.templates.filter(template, template.pods.exists(group, group.exists(call, call.exists(within, within.exists(pod,
      pod.asked.exists(artifact, [
        artifact.?gcs.?key.orValue(''), artifact.?s3.?key.orValue(''), artifact.?azure.?blob.orValue(''),
        artifact.?oss.?key.orValue(''), artifact.?plugin.?key.orValue('')
      ].exists(key, key != '' && key.matches(
        '^([^{]|[{][^{]|[{]{2} *workflow[.](namespace|serviceAccountName|mainEntrypoint|priority) *[}]{2})+$'))))))))
{{- end }}
{{- define "argo-gc.suspects.unsupported-driver" -}}
# What is not complete is replaced by the repository, whatever that is.
- name: code
  expression: "'unsupported-driver'"
- name: what
  expression: "'artifacts of these templates have a strategy, and Argo can not delete from their storage'"
- name: suspects
  expression: |-
    variables.templates.filter(template, template.pods.exists(group, group.exists(call, call.exists(within, within.exists(pod,
      pod.asked.exists(artifact, has(artifact.raw)
        || artifact.?http.?url.orValue('') != ''
        || artifact.?git.?repo.orValue('') != ''
        || (artifact.?hdfs.?path.orValue('') != '' && artifact.hdfs.?addresses.orValue([]).size() > 0)
        || (artifact.?artifactory.?url.orValue('') != '' && has(artifact.artifactory.usernameSecret))))))))
{{- end }}
