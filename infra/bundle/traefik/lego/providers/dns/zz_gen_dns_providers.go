// Package dns knows no DNS provider: their SDKs cannot all be fetched.
package dns

import (
	"fmt"

	"github.com/go-acme/lego/v5/challenge"
)

// NewDNSChallengeProviderByName finds none.
func NewDNSChallengeProviderByName(name string) (challenge.Provider, error) {
	return nil, fmt.Errorf("this build has no DNS provider %s: use the HTTP or TLS challenge", name)
}
