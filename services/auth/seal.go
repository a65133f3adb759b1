package auth

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
)

// secrets are the keys that come of the master key, one for each purpose.
type secrets struct {
	// signingKeys seals private keys in PostgreSQL.
	signingKeys seal
	// successors seals refresh tokens in Redis.
	successors seal
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

// seal is AES-256-GCM with a random nonce before each ciphertext.
type seal struct{ aead cipher.AEAD }

func newSeal(masterKey []byte, purpose string) (seal, error) {
	key, err := derive(masterKey, purpose)
	if err != nil {
		return seal{}, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return seal{}, fmt.Errorf("preparing the seal of %s: %w", purpose, err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return seal{}, fmt.Errorf("preparing the seal of %s: %w", purpose, err)
	}
	return seal{aead}, nil
}

// close encrypts the text; open wants the same bound, which is not kept.
func (s seal) close(text, bound []byte) []byte {
	nonce := make([]byte, s.aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails: crypto/rand ends the program first
	return s.aead.Seal(nonce, nonce, text, bound)
}

func (s seal) open(sealed, bound []byte) ([]byte, error) {
	size := s.aead.NonceSize()
	if len(sealed) < size {
		return nil, errors.New("the sealed text is too short")
	}
	return s.aead.Open(nil, sealed[:size], sealed[size:], bound)
}

func derive(masterKey []byte, purpose string) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, masterKey, nil, "wastecoach auth: "+purpose, sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("deriving the key of %s: %w", purpose, err)
	}
	return key, nil
}
