{{/* By {root, name}. */}}
{{- define "autoscaling.selector" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/component: autoscaling
{{- end }}

{{- define "autoscaling.meta" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace }}
{{ include "autoscaling.labels" . }}
{{- end }}

{{/* Of what is in no namespace too. */}}
{{- define "autoscaling.labels" -}}
labels:
  {{- include "autoscaling.selector" . | nindent 2 }}
  app.kubernetes.io/part-of: wastecoach
  app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end }}

{{- define "autoscaling.image" -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag }}{{ end -}}
{{- end }}

{{- define "autoscaling.container" -}}
imagePullPolicy: IfNotPresent
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{- define "autoscaling.pod" -}}
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- end }}
