package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"

	"github.com/gofrs/uuid/v5"
)

// A refresh token is its session's id, 256 random bits, and a MAC over both. The MAC tells our own
// old tokens from invented ones without a memory of all that were ever used: an old one ends its
// session, an invented one must not.
const (
	refreshSecret = 32
	refreshMAC    = 16
	refreshSize   = uuid.Size + refreshSecret + refreshMAC
)

func newRefreshToken(session uuid.UUID, macKey []byte) string {
	raw := make([]byte, uuid.Size+refreshSecret, refreshSize)
	copy(raw, session.Bytes())
	_, _ = rand.Read(raw[uuid.Size:]) // never fails: crypto/rand ends the program first
	return base64.RawURLEncoding.EncodeToString(append(raw, mac(raw, macKey)...))
}

// refreshSession returns whose token it is, or ErrRefreshRefused for one that is not ours.
func refreshSession(token string, macKey []byte) (uuid.UUID, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) != refreshSize {
		return uuid.Nil, ErrRefreshRefused
	}
	signed := raw[:uuid.Size+refreshSecret]
	if !hmac.Equal(raw[len(signed):], mac(signed, macKey)) {
		return uuid.Nil, ErrRefreshRefused
	}
	return uuid.FromBytesOrNil(raw[:uuid.Size]), nil
}

func mac(message, key []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(message)
	return h.Sum(nil)[:refreshMAC]
}
