package deploy

import (
	"encoding/json"
	"errors"
	"fmt"
)

const (
	// The client that charts/lab's OpenID provider knows.
	labClient = "wastecoach"
	// labApp is an app that logs in at the provider itself and brings an ID token.
	labApp = "wastecoach-app"
	// loopbackRedirect is where wcctl login ends, with any port (RFC 8252, 7.3).
	loopbackRedirect = "http://127.0.0.1/login"
)

// ErrNoProviders is a cluster in which nobody could log in.
var ErrNoProviders = errors.New("nobody could log in: no OpenID providers are configured")

// labProvider names the lab's own OpenID provider; elsewhere only the user can name any.
func (d *Deployer) labProvider(v vault) error {
	if v[keyProviders] != "" {
		return nil
	}
	providers, err := json.Marshal([]map[string]any{{
		"id": "lab", "name": "Lab", "issuer": d.issuer(), "client_id": labClient,
		"client_secret": v[keyIDP], "redirect_uris": []string{loopbackRedirect}, "interactive": false,
		"audiences": []string{labApp},
		// It is no public address: the way in of the lab's machines.
		"networks": []string{d.Spec.Spec.Local.Subnet},
	}})
	if err != nil {
		return fmt.Errorf("encoding the login provider: %w", err)
	}
	v[keyProviders] = string(providers)
	return nil
}
