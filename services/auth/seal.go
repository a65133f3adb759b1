package auth

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
)

// secrets are the keys that come of the master key, one for each purpose.
type secrets struct {
	// signingKeys seals private keys in PostgreSQL.
	signingKeys cipher.AEAD
	// successors seals refresh tokens in Redis.
	successors cipher.AEAD
	// refreshMAC authenticates refresh tokens.
	refreshMAC []byte
}

func newSecrets(masterKey []byte) (*secrets, error) {
	signing, err := newSeal(masterKey, "signing keys")
	if err != nil {
		return nil, err
	}
	successors, err := newSeal(masterKey, "refresh successors")
	if err != nil {
		return nil, err
	}
	mac, err := derive(masterKey, "refresh tokens")
	if err != nil {
		return nil, err
	}
	return &secrets{signing, successors, mac}, nil
}

// newSeal returns AES-256-GCM that writes its random nonce before each ciphertext.
func newSeal(masterKey []byte, purpose string) (cipher.AEAD, error) {
	key, err := derive(masterKey, purpose)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("preparing the seal of %s: %w", purpose, err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func derive(masterKey []byte, purpose string) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, masterKey, nil, "wastecoach auth: "+purpose, sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("deriving the key of %s: %w", purpose, err)
	}
	return key, nil
}
