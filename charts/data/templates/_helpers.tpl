{{/* By {root, name}. */}}
{{- define "data.selector" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/component: data
{{- end }}

{{- define "data.labels" -}}
{{ include "data.selector" . }}
app.kubernetes.io/part-of: wastecoach
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end }}

{{- define "data.meta" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "data.labels" . | nindent 2 }}
{{- end }}

{{- define "data.image" -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag }}{{ end -}}
{{- end }}

{{/* The pod's own settings; the user is the one that templates/postgres.yaml gives a name. */}}
{{- define "data.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  # Else every start goes through all files of a volume.
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "data.container" -}}
imagePullPolicy: IfNotPresent
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{/* Probes of a port: what is behind it tells more only to who has a client and a password. */}}
{{- define "data.probes" -}}
startupProbe:
  tcpSocket: {port: {{ .port }}}
  periodSeconds: 2
  # A recovery after a crash, or a long append-only file, takes its time.
  failureThreshold: 150
livenessProbe:
  tcpSocket: {port: {{ .port }}}
  periodSeconds: 20
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  tcpSocket: {port: {{ .port }}}
  periodSeconds: 5
  timeoutSeconds: 3
{{- end }}

{{- define "data.claim" -}}
volumeClaimTemplates:
  - metadata: {name: data}
    spec:
      accessModes: [ReadWriteOnce]
      {{- with .root.Values.storageClassName }}
      storageClassName: {{ . }}
      {{- end }}
      resources: {requests: {storage: {{ .size }}}}
{{- end }}

{{/* A StatefulSet's head, by {root, name}. One pod: a disruption budget could only forbid every drain. */}}
{{- define "data.set" -}}
serviceName: {{ .name }}
replicas: 1
# What deletes the set keeps the data.
persistentVolumeClaimRetentionPolicy: {whenDeleted: Retain, whenScaled: Retain}
selector:
  matchLabels:
    {{- include "data.selector" . | nindent 4 }}
{{- end }}

{{- define "data.service" -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "data.meta" . | nindent 2 }}
spec:
  selector:
    {{- include "data.selector" . | nindent 4 }}
  ports:
    - {name: {{ .name }}, port: {{ .port }}, targetPort: {{ .port }}}
{{- end }}
