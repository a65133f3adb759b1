package workspace

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"
)

const keyComment = "wcctl"

// EnsureKey makes the SSH key once and returns its public line.
func (f Folder) EnsureKey() (string, error) {
	line, err := f.AuthorizedKey()
	if line != "" || err != nil {
		return line, err
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", fmt.Errorf("making an SSH key: %w", err)
	}
	block, err := ssh.MarshalPrivateKey(private, keyComment)
	if err != nil {
		return "", fmt.Errorf("making an SSH key: %w", err)
	}
	if err := WriteFile(f.KeyFile(), pem.EncodeToMemory(block)); err != nil {
		return "", err
	}
	return f.AuthorizedKey()
}

// AuthorizedKey is the key's public line; it is empty before EnsureKey.
func (f Folder) AuthorizedKey() (string, error) {
	private, err := readIfAny(f.KeyFile())
	if err != nil {
		return "", fmt.Errorf("reading the SSH key: %w", err)
	}
	if private == nil {
		return "", nil
	}
	return PublicLine(private)
}

// PublicLine is a private key's line for authorized_keys.
func PublicLine(private []byte) (string, error) {
	signer, err := ssh.ParsePrivateKey(private)
	if err != nil {
		return "", fmt.Errorf("reading the SSH key: %w", err)
	}
	line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
	return line + " " + keyComment, nil
}
