// Package selfsigned makes a server's certificate with an authority that signs nothing else.
package selfsigned

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"
)

const years = 10

// Pair is a server's certificate and key with the authority's certificate, all PEM. The authority's key is
// forgotten.
type Pair struct{ Authority, Certificate, Key string }

// Make makes one for these DNS names that holds for ten years.
func Make(names ...string) (Pair, error) {
	p, err := makePair(names)
	if err != nil {
		return Pair{}, fmt.Errorf("making a certificate for %s: %w", names[0], err)
	}
	return p, nil
}

func makePair(names []string) (Pair, error) {
	now := time.Now()
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "wastecoach " + names[0]}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(years, 0, 0),
	}
	server := &x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: names,
		NotBefore: authority.NotBefore, NotAfter: authority.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, err
	}
	root, err := x509.CreateCertificate(rand.Reader, authority, authority, &signer.PublicKey, signer)
	if err != nil {
		return Pair{}, err
	}
	leaf, err := x509.CreateCertificate(rand.Reader, server, authority, &key.PublicKey, signer)
	if err != nil {
		return Pair{}, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Pair{}, err
	}
	return Pair{
		Authority: text("CERTIFICATE", root), Certificate: text("CERTIFICATE", leaf),
		Key: text("PRIVATE KEY", private),
	}, nil
}

func text(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
