{{/* The name of the objects. A CronJob's is shorter than others, because Kubernetes appends to it. */}}
{{- define "argo-gc.name" -}}
{{- $name := .Values.name | default .Release.Name -}}
{{- if gt (len $name) 52 }}{{ fail (printf "the name of a CronJob has 52 letters at the most: set name, for %s is longer" $name) }}{{ end -}}
{{- $name -}}
{{- end -}}

{{/* Which of the two roles of docs/rbac.yaml is needed. */}}
{{- define "argo-gc.rights" -}}
{{- if eq .Values.mode "purge" }}purge{{ else }}inspect{{ end -}}
{{- end -}}

{{/* The ClusterRole: the release's own, under a name that nobody else has, or one of docs/rbac.yaml. */}}
{{- define "argo-gc.role" -}}
{{- if .Values.rbac.create }}{{ .Release.Namespace }}:{{ include "argo-gc.name" . }}{{ else }}argo-gc-{{ include "argo-gc.rights" . }}{{ end -}}
{{- end -}}

{{/* The binding to it. No binding can be given another role, so it is named after those of docs/rbac.yaml. */}}
{{- define "argo-gc.binding" -}}
{{- .Release.Namespace }}:{{ include "argo-gc.name" . }}{{ if not .Values.rbac.create }}:{{ include "argo-gc.rights" . }}{{ end -}}
{{- end -}}

{{/* The claim of the journals; nothing if there is none. */}}
{{- define "argo-gc.claim" -}}
{{- if .Values.journal.claim }}{{ .Values.journal.claim }}{{ else if .Values.journal.create }}{{ include "argo-gc.name" . }}-journals{{ end -}}
{{- end -}}

{{/* Refuses what makes no sense together, as `manifest` does. */}}
{{- define "argo-gc.check" -}}
{{- if eq .Values.mode "inspect" -}}
{{- range $name, $given := dict "failed" .Values.failed "repositories" .Values.repositories "acceptUnread" .Values.acceptUnread "journal.claim" .Values.journal.claim "journal.create" .Values.journal.create -}}
{{- if $given }}{{ fail (printf "%s can't be used with mode inspect, which plans no delete" $name) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- $servers := 0 -}}
{{- range .Values.flags }}{{ if hasPrefix "--argo-server" . }}{{ $servers = 1 }}{{ end }}{{ end -}}
{{- if and .Values.argoTokenSecret (not $servers) }}{{ fail "argoTokenSecret requires --argo-server among the flags" }}{{ end -}}
{{- if and .Values.rbac.secretNamespaces (not (has "--use-workflow-secrets" .Values.flags)) }}{{ fail "rbac.secretNamespaces requires --use-workflow-secrets among the flags" }}{{ end -}}
{{- if and (or .Values.push.secret .Values.push.labels) (not .Values.push.url) }}{{ fail "push.secret and push.labels require push.url" }}{{ end -}}
{{- end -}}

{{/* The arguments of the container, as a JSON array. They are those of `manifest cronjob`; a test compares both. */}}
{{- define "argo-gc.args" -}}
{{- include "argo-gc.check" . -}}
{{- $plans := ne .Values.mode "inspect" -}}
{{- $args := list (ternary "purge" "inspect" $plans) -}}
{{- if .Values.namespaces -}}
{{- $args = append $args (printf "--namespace=%s" (join "," .Values.namespaces)) -}}
{{- if $plans }}{{ $args = append $args "--all" }}{{ end -}}
{{- else -}}
{{- $args = append $args "-A" -}}
{{- end -}}
{{- if eq .Values.mode "report" }}{{ $args = append $args "--dry-run" }}{{ end -}}
{{- if eq .Values.mode "purge" }}{{ $args = concat $args (list "--yes" "--summary=/dev/termination-log") }}{{ end -}}
{{- if $plans -}}
{{- $args = concat $args (list "--policy=/etc/argo-gc/policy.yaml" (printf "--max-objects=%d" (int64 .Values.maxObjects))) -}}
{{- if .Values.failed }}{{ $args = append $args "--status=Succeeded,Failed,Error" }}{{ end -}}
{{- range .Values.repositories }}{{ $args = append $args (printf "--repository=%s" .) }}{{ end -}}
{{- range .Values.acceptUnread }}{{ $args = append $args (printf "--accept-unread=%s" .) }}{{ end -}}
{{- end -}}
{{- with .Values.push.url }}{{ $args = append $args (printf "--push=%s" .) }}{{ end -}}
{{- range $label, $value := .Values.push.labels }}{{ $args = append $args (printf "--push-label=%s=%s" $label $value) }}{{ end -}}
{{- if .Values.webhook.secret }}{{ $args = concat $args (list "--webhook=env:ARGO_GC_WEBHOOK" (printf "--webhook-format=%s" .Values.webhook.format)) }}{{ end -}}
{{- concat $args .Values.flags | toJson -}}
{{- end -}}
