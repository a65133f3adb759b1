// Package redact hides what looks like a secret in texts of logs and configurations.
package redact

import "regexp"

// Hidden stands where a secret was.
const Hidden = "<hidden>"

// secret is a kind of secret; what keep matches before it stays.
type secret struct {
	pattern *regexp.Regexp
	with    string
}

// secrets are what logs and configurations may hold although they should not.
func secrets() []secret {
	return []secret{
		{regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)`), Hidden},
		// Bootstrap tokens, e.g. abcdef.0123456789abcdef.
		{regexp.MustCompile(`\b[a-z0-9]{6}\.[a-z0-9]{16}\b`), Hidden},
		// JSON web tokens, e.g. of service accounts.
		{regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*`), Hidden},
		{regexp.MustCompile(`((?i:client-key-data|certificate-key|certificateKey)["']?[ :=]+)\S+`), "${1}" + Hidden},
		{regexp.MustCompile(`((?i:authorization)["']?[ :=]+(?i:bearer|basic)? ?)` +
			`[A-Za-z0-9._~+/=-]{6,}`), "${1}" + Hidden},
		{regexp.MustCompile(`((?i:password|passwd|secret|secret_key|access_key|api_?key|token)["']?[:=] *["']?)` +
			`[A-Za-z0-9._~+/=-]{6,}`), "${1}" + Hidden},
		{regexp.MustCompile(`\b(AKIA|ASIA)[A-Z0-9]{16}\b`), Hidden},
		{regexp.MustCompile(`\b(sk|ghp|gho|github_pat|xox[abp])[-_][A-Za-z0-9_-]{16,}`), Hidden},
		// A user's password inside an address.
		{regexp.MustCompile(`(://[^/\s:@]+:)[^@\s/]+@`), "${1}" + Hidden + "@"},
	}
}

var redactions = secrets()

// Text hides what looks like a secret.
func Text(text string) string {
	for _, s := range redactions {
		text = s.pattern.ReplaceAllString(text, s.with)
	}
	return text
}
