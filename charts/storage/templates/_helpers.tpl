{{/* By {root, name}. */}}
{{- define "storage.selector" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/component: storage
{{- end }}

{{- define "storage.meta" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace }}
{{ include "storage.labels" . }}
{{- end }}

{{/* Of what is in no namespace too. */}}
{{- define "storage.labels" -}}
labels:
  {{- include "storage.selector" . | nindent 2 }}
  app.kubernetes.io/part-of: wastecoach
  app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end }}

{{- define "storage.image" -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag }}{{ end -}}
{{- end }}

{{- define "storage.container" -}}
imagePullPolicy: IfNotPresent
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{- define "storage.pod" -}}
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- end }}
