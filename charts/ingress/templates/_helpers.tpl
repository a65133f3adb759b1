{{/* By {root, name}. */}}
{{- define "ingress.selector" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/component: ingress
{{- end }}

{{- define "ingress.meta" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace }}
{{ include "ingress.labels" . }}
{{- end }}

{{/* Of what is in no namespace too. */}}
{{- define "ingress.labels" -}}
labels:
  {{- include "ingress.selector" . | nindent 2 }}
  app.kubernetes.io/part-of: wastecoach
  app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end }}

{{- define "ingress.image" -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag }}{{ end -}}
{{- end }}

{{/* The names of the certificate: the first, then the others. */}}
{{- define "ingress.hosts" -}}
{{- $domain := .Values.domain }}
{{- $all := list }}
{{- range .Values.acme.hosts }}{{ $all = append $all (print . "." $domain) }}{{ end }}
{{- toJson $all }}
{{- end }}
