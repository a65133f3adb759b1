package redact

import (
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"kubeadm join api:6443 --token SECRET(abcdef.0123456789abcdef) --discovery-token-ca-cert-hash sha256:7c1f",
		"--certificate-key SECRET(9a1b9a1b9a1b9a1b9a1b9a1b9a1b9a1b9a1b9a1b9a1b9a1b9a1b9a1b9a1b9a1b) more",
		"    client-key-data: SECRET(LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQ==)",
		"          secret: SECRET(q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=)",
		"Authorization: Bearer SECRET(eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl)",
		"level=info token=SECRET(0a1b2c3d4e5f)",
		`"password": "SECRET(correct-horse)"`,
		"aws_access_key_id = SECRET(AKIAIOSFODNN7EXAMPLE)",
		"postgres://waste:SECRET(hunter22)@db:5432/waste",
		"-----BEGIN EC PRIVATE KEY-----\nSECRET(MHcCAQEEIB)\n-----END EC PRIVATE KEY-----\nafter",
		"-----BEGIN OPENSSH PRIVATE KEY-----\nSECRET(b3BlbnNzaC1r)\n",
	} {
		start, end := strings.Index(text, "SECRET("), strings.Index(text, ")")
		secret := text[start+len("SECRET(") : end]
		got := Text(text[:start] + secret + text[end+1:])
		if strings.Contains(got, secret) || !strings.Contains(got, Hidden) {
			t.Errorf("%q shows the secret: %q", text, got)
		}
	}
}

func TestTextLeavesTheRest(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"sha256:7c1f0c9a5b0e4d3f8a6b1c2d3e4f5a6b7c8d9e0f1a2b3c4d5e6f7a8b9c0d1e2f",
		"registry.k8s.io/kube-proxy:v1.36.3", "-----BEGIN CERTIFICATE-----\nMIIC\n-----END CERTIFICATE-----",
		"https://10.96.0.1:443/version", "demo-worker-1 Ready", "the token has expired", "secretbox:",
	} {
		if got := Text(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}
