package idp

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"github.com/go-jose/go-jose/v4"
)

const (
	keyBits = 2048
	pemType = "PRIVATE KEY"
)

// signingKey signs ID tokens; its public half is the key set.
type signingKey struct {
	id      string
	private *rsa.PrivateKey
}

func (k signingKey) ID() string                                  { return k.id }
func (k signingKey) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k signingKey) Key() any                                    { return k.private }

type publicKey struct{ signingKey }

func (k publicKey) Algorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k publicKey) Use() string                        { return "sig" }
func (k publicKey) Key() any                           { return &k.private.PublicKey }

// loadKey reads the key file, or makes a key and, when path is given, the file.
func loadKey(path string) (signingKey, error) {
	if path == "" {
		return makeKey()
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeKeyFile(path)
	}
	if err != nil {
		return signingKey{}, fmt.Errorf("reading the provider's signing key: %w", err)
	}
	block, _ := pem.Decode(data)
	if block == nil || block.Type != pemType {
		return signingKey{}, fmt.Errorf("reading the provider's signing key: %s is no PEM private key", path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return signingKey{}, fmt.Errorf("reading the provider's signing key %s: %w", path, err)
	}
	private, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return signingKey{}, fmt.Errorf("reading the provider's signing key: %s is no RSA key", path)
	}
	return named(private)
}

func makeKey() (signingKey, error) {
	private, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return signingKey{}, fmt.Errorf("making the provider's signing key: %w", err)
	}
	return named(private)
}

func makeKeyFile(path string) (signingKey, error) {
	key, err := makeKey()
	if err != nil {
		return key, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key.private)
	if err != nil {
		return key, fmt.Errorf("writing the provider's signing key: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return key, fmt.Errorf("writing the provider's signing key: %w", err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der})
	// A crash must not leave half a key under the name.
	if err := renameio.WriteFile(path, text, 0o600); err != nil {
		return key, fmt.Errorf("writing the provider's signing key: %w", err)
	}
	return key, nil
}

// named derives the key id from the key, so that it stays the same over restarts.
func named(private *rsa.PrivateKey) (signingKey, error) {
	der, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		return signingKey{}, fmt.Errorf("naming the provider's signing key: %w", err)
	}
	sum := sha256.Sum256(der)
	return signingKey{id: base64.RawURLEncoding.EncodeToString(sum[:12]), private: private}, nil
}
