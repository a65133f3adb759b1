{{/* What tells the pods of one component from all others. It never carries a version. */}}
{{- define "service.selector" -}}
app.kubernetes.io/name: {{ .root.Values.service }}
app.kubernetes.io/component: {{ .component }}
{{- with .color }}
wastecoach.io/color: {{ . }}
{{- end }}
{{- end }}

{{- define "service.labels" -}}
{{ include "service.selector" . }}
app.kubernetes.io/part-of: wastecoach
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end }}

{{/* An image reference out of the repository and a {tag, digest}. */}}
{{- define "service.image" -}}
{{- $repository := .root.Values.image.repository | default (printf "wastecoach.io/%s" .root.Values.service) -}}
{{- if .digest }}{{ $repository }}@{{ .digest }}{{ else }}{{ $repository }}:{{ .tag }}{{ end -}}
{{- end }}

{{/* The Deployments of the API as a JSON list of {color, name, tag, digest}. */}}
{{- define "service.colors" -}}
{{- $all := list -}}
{{- if eq .Values.strategy "rolling" -}}
{{- $all = append $all (dict "color" "rolling" "name" .Values.service "tag" .Values.image.tag "digest" .Values.image.digest) -}}
{{- else -}}
{{- range $color := list "rolling" "blue" "green" -}}
{{- $image := index $.Values.blueGreen $color -}}
{{- if or $image.tag $image.digest -}}
{{- $name := eq $color "rolling" | ternary $.Values.service (printf "%s-%s" $.Values.service $color) -}}
{{- $all = append $all (dict "color" $color "name" $name "tag" $image.tag "digest" $image.digest) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $all -}}
{{- end }}

{{/* The color that the Service sends requests to. It has to have pods. */}}
{{- define "service.active" -}}
{{- $active := eq .Values.strategy "rolling" | ternary "rolling" .Values.blueGreen.active -}}
{{- $there := false -}}
{{- range include "service.colors" . | fromJsonArray -}}
{{- if eq .color $active }}{{ $there = true }}{{ end -}}
{{- end -}}
{{- if not $there }}{{ fail (printf "blueGreen.active is %s, but blueGreen.%s has neither tag nor digest" $active $active) }}{{ end -}}
{{- $active -}}
{{- end }}

{{/* Nine tenths of a memory limit: the collector works harder before the kernel kills. */}}
{{- define "service.goMemory" -}}
{{- div (mul 9 (.limits.memory | trimSuffix "Mi" | atoi)) 10 -}}
{{- end }}

{{/* What all pods have, by {root, component, resources}. */}}
{{- define "service.pod" -}}
serviceAccountName: {{ .root.Values.service }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  seccompProfile: {type: RuntimeDefault}
{{- with .root.Values.hostAliases }}
hostAliases:
  {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    # The control plane, on which none of them may run, counts as no place.
    nodeTaintsPolicy: Honor
    labelSelector:
      matchLabels:
        {{- include "service.selector" . | nindent 8 }}
    # Each version by itself, else the pods that go decide where those that come are.
    matchLabelKeys: [pod-template-hash]
{{- with .root.Values.ca.configMap }}
volumes:
  - name: ca
    configMap: {name: {{ . }}}
{{- end }}
{{- end }}

{{- define "service.container" -}}
imagePullPolicy: IfNotPresent
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{/* Variables and probes of a container that serves, by {root, values, extra}. */}}
{{- define "service.serving" -}}
{{- $prefix := upper .root.Values.service -}}
ports:
  - {name: http, containerPort: 8080}
envFrom:
  - configMapRef: {name: {{ .root.Values.service }}}
  - secretRef: {name: {{ .root.Values.secretName | default .root.Values.service }}}
env:
  - {name: GOMEMLIMIT, value: {{ include "service.goMemory" .values.resources }}MiB}
  - {name: {{ $prefix }}_POSTGRES_MAX_CONNS, value: {{ .values.maxConns | quote }}}
  {{- range $name, $value := merge (dict) .values.env .extra }}
  - {name: {{ $prefix }}_{{ $name }}, value: {{ $value | quote }}}
  {{- end }}
  {{- with .root.Values.otel.endpoint }}
  - {name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ . | quote }}}
  {{- end }}
  {{- if .root.Values.ca.configMap }}
  # Not SSL_CERT_FILE: that would be read instead of the system's certificates, this is beside them.
  - {name: SSL_CERT_DIR, value: /etc/ssl/certs:/etc/wastecoach/ca}
  {{- end }}
{{- if .root.Values.ca.configMap }}
volumeMounts:
  - {name: ca, mountPath: /etc/wastecoach/ca, readOnly: true}
{{- end }}
# Alive is another matter than ready: /readyz asks PostgreSQL and Redis, and no restart mends those.
startupProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 1
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 10
  timeoutSeconds: 3
  failureThreshold: 3
readinessProbe:
  httpGet: {path: /readyz, port: http}
  periodSeconds: 3
  timeoutSeconds: 3
  failureThreshold: 2
resources:
  {{- toYaml .values.resources | nindent 2 }}
{{- end }}

{{/* A restart for a changed configuration, and where metrics are. */}}
{{- define "service.podAnnotations" -}}
checksum/config: {{ include (print $.Template.BasePath "/configmap.yaml") . | sha256sum }}
prometheus.io/scrape: "true"
prometheus.io/port: "8080"
prometheus.io/path: /metrics
{{- end }}
