{{/* By {root, name}. */}}
{{- define "lab.selector" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/component: lab
{{- end }}

{{- define "lab.meta" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace }}
{{ include "lab.labels" . }}
{{- end }}

{{/* Of what is in no namespace too. */}}
{{- define "lab.labels" -}}
labels:
  {{- include "lab.selector" . | nindent 2 }}
  app.kubernetes.io/part-of: wastecoach
  app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end }}

{{- define "lab.image" -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag }}{{ end -}}
{{- end }}

{{- define "lab.container" -}}
imagePullPolicy: IfNotPresent
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{- define "lab.pod" -}}
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- end }}
