{{- define "monitoring.labels" -}}
app.kubernetes.io/name: prometheus
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}
{{- define "monitoring.selector" -}}
app.kubernetes.io/name: prometheus
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "monitoring.image" -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag }}{{ end -}}
{{- end }}

{{/* A file of rules. Its own {{ }} are Prometheus' templates: only .Values.modelBudgetUSD is ours; each alert gets its page. */}}
{{- define "monitoring.rules" -}}
{{- $rules := .text | replace "{{ .Values.modelBudgetUSD }}" (toString .root.Values.modelBudgetUSD) | fromYaml }}
{{- range $group := $rules.groups }}
{{- range $rule := $group.rules }}
{{- if $rule.alert }}
{{- $_ := set $rule.annotations "runbook_url" (printf "%s%s.md" $.root.Values.runbooks $rule.alert) }}
{{- end }}
{{- end }}
{{- end }}
{{- toYaml $rules }}
{{- end }}
