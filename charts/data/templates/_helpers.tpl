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
    {{- with .tlsPort }}
    - {name: {{ $.name }}-tls, port: {{ . }}, targetPort: {{ . }}}
    {{- end }}
{{- end }}

{{/* What pgbackrest needs in a container, by postgres.backup. */}}
{{- define "data.pgbackrest" -}}
- {name: PGBACKREST_CONFIG, value: /etc/pgbackrest/pgbackrest.conf}
- {name: PGBACKREST_STANZA, value: main}
- name: PGBACKREST_REPO1_S3_KEY
  valueFrom:
    secretKeyRef: {name: {{ .secretName }}, key: access-key}
- name: PGBACKREST_REPO1_S3_KEY_SECRET
  valueFrom:
    secretKeyRef: {name: {{ .secretName }}, key: secret-key}
{{- end }}

{{- define "data.pgbackrestMounts" -}}
- {name: backup, mountPath: /etc/pgbackrest, readOnly: true}
{{- if include "data.authority" . }}
- {name: s3-authority, mountPath: /run/secrets/s3, readOnly: true}
{{- end }}
{{- end }}

{{- define "data.pgbackrestVolumes" -}}
- name: backup
  configMap: {name: postgres-backup}
{{- with include "data.authority" . }}
- name: s3-authority
  secret: {secretName: {{ . }}, items: [{key: ca.crt, path: ca.crt}]}
{{- end }}
{{- end }}

{{/* The Secret with the authority of S3, or empty, by postgres.backup. */}}
{{- define "data.authority" -}}
{{- if .endpoint }}{{ .authoritySecretName }}{{ else }}s3-tls{{ end -}}
{{- end }}

{{/* Whether the gateway takes backups, which come by TLS only: "true" or empty. */}}
{{- define "data.gatewayTLS" -}}
{{- $it := .Values.postgres -}}
{{- if and .Values.s3.enabled $it.enabled $it.backup.enabled (not $it.backup.endpoint) }}true{{ end -}}
{{- end }}
