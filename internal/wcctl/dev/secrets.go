package dev

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/google/renameio/v2"

	"github.com/wastecoach/wastecoach/internal/migrate"
)

const secretBytes = 24

// secrets are made once for a data folder: the data is closed with them.
type secrets struct {
	Superuser   string            `json:"postgres_superuser"`
	Roles       map[string]string `json:"postgres_roles"`
	Redis       string            `json:"redis"`
	S3AccessKey string            `json:"s3_access_key"`
	S3SecretKey string            `json:"s3_secret_key"`
	MasterKey   string            `json:"master_key"`
	OpenID      string            `json:"openid_client_secret"`
	// Internal has, by service, the token of its routes for other services.
	Internal map[string]string `json:"internal_tokens"`
}

func (f Folder) secretsPath() string { return f.path("secrets.json") }

func (f Folder) secrets() (secrets, error) {
	var s secrets
	err := readJSON(f.secretsPath(), &s)
	switch {
	case err == nil && s.Internal != nil:
		return s, nil
	case err == nil: // the folder is older than these tokens
		s.Internal = newInternal()
		return s, writeJSON(f.secretsPath(), s)
	case !errors.Is(err, fs.ErrNotExist):
		return s, err
	}
	s = secrets{
		Superuser: newSecret(), Redis: newSecret(), S3AccessKey: "dev" + newSecret()[:16], S3SecretKey: newSecret(),
		MasterKey: newMasterKey(), OpenID: newSecret(), Roles: map[string]string{},
		Internal: newInternal(),
	}
	for _, role := range append(migrate.Schemas(), migrate.Migrator) {
		s.Roles[role] = newSecret()
	}
	return s, writeJSON(f.secretsPath(), s)
}

func newInternal() map[string]string {
	tokens := map[string]string{}
	for _, service := range migrate.Schemas() {
		tokens[service] = newSecret()
	}
	return tokens
}

// newSecret is hexadecimal: it needs quoting neither in a URL nor in a shell.
func newSecret() string { return hex.EncodeToString(randomBytes(secretBytes)) }

// newMasterKey is 32 bytes in base64.
func newMasterKey() string { return base64.StdEncoding.EncodeToString(randomBytes(32)) }

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // crypto/rand never fails
	return b
}

func readJSON(path string, into any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	return nil
}

// writeJSON replaces a file of mode 0600; readers see the old or the new one.
func writeJSON(path string, value any) error {
	data, err := json.MarshalIndent(value, "", "  ")
	if err == nil {
		err = renameio.WriteFile(path, append(data, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}
