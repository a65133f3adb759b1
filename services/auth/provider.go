package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/wastecoach/wastecoach/internal/env"
)

// ProviderConfig is one OpenID provider that people may log in with.
type ProviderConfig struct {
	// ID is the provider's part of the routes, e.g. kakao.
	ID string `json:"id"`
	// Name is what people read on the button.
	Name string `json:"name"`
	// Issuer is the URL below which /.well-known/openid-configuration is found.
	Issuer   string `json:"issuer"`
	ClientID string `json:"client_id"`
	// ClientSecret is empty for a public client; ClientSecretFile names a file that holds it.
	ClientSecret     env.Secret `json:"client_secret"`
	ClientSecretFile string     `json:"client_secret_file"`
	// RedirectURIs must match exactly; a loopback one, e.g. http://127.0.0.1/login, matches with
	// any port (RFC 8252, 7.3).
	RedirectURIs []string `json:"redirect_uris"`
	// Scopes default to openid and profile, with OAuth2 to none.
	Scopes []string `json:"scopes"`
	// Audiences are the client ids whose ID tokens are taken from an app that logged in by the
	// provider's own SDK; without any, only codes are.
	Audiences []string `json:"audiences"`
	// OAuth2 stands in for discovery and ID tokens where the provider has none; Issuer is then but
	// the name under which its people are kept.
	OAuth2 *OAuth2Config `json:"oauth2"`
	// Interactive tells that a person must answer in a browser; true unless said otherwise.
	Interactive *bool `json:"interactive"`
	// Networks are those, beside the public ones, that the provider's endpoints may be in, e.g.
	// 10.20.0.0/16 for a company's own; a loopback issuer may be on all loopback addresses.
	Networks []netip.Prefix `json:"networks"`
}

// Provider is what apps are told about a ProviderConfig.
type Provider struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Interactive bool   `json:"interactive"`
	// Native tells that ID tokens of the provider's SDK are taken.
	Native bool `json:"native"`
}

func (p *ProviderConfig) public() Provider {
	return Provider{p.ID, p.Name, p.Interactive == nil || *p.Interactive, len(p.Audiences) > 0}
}

var providerID = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

// reservedIDs are routes beside the providers'.
var reservedIDs = []string{"providers", "refresh", "logout", "sessions", "identities"}

func parseProviders(source string) ([]ProviderConfig, error) {
	text := []byte(source)
	if !strings.HasPrefix(strings.TrimSpace(source), "[") {
		var err error
		if text, err = os.ReadFile(source); err != nil {
			return nil, fmt.Errorf("neither a JSON list nor a file: %w", err)
		}
	}
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.DisallowUnknownFields()
	var providers []ProviderConfig
	if err := decoder.Decode(&providers); err != nil {
		return nil, err
	}
	if len(providers) == 0 {
		return nil, errors.New("the list is empty")
	}
	seen := map[string]bool{}
	for i := range providers {
		p := &providers[i]
		if err := p.complete(); err != nil {
			return nil, fmt.Errorf("provider %d (%q): %w", i, p.ID, err)
		}
		if seen[p.ID] {
			return nil, fmt.Errorf("provider %d: there is another one named %q", i, p.ID)
		}
		seen[p.ID] = true
	}
	return providers, nil
}

// complete reads the secret's file, fills defaults and reports the first fault.
func (p *ProviderConfig) complete() error {
	if p.ClientSecretFile != "" {
		secret, err := os.ReadFile(p.ClientSecretFile)
		if err != nil {
			return fmt.Errorf("reading client_secret_file: %w", err)
		}
		p.ClientSecret = env.Secret(strings.TrimRight(string(secret), "\r\n"))
	}
	if len(p.Scopes) == 0 && p.OAuth2 == nil {
		p.Scopes = []string{"openid", "profile"}
	}
	issuer, err := url.Parse(p.Issuer)
	switch {
	case !providerID.MatchString(p.ID) || slices.Contains(reservedIDs, p.ID):
		return errors.New("id must be lower-case letters, digits and hyphens, and no route of ours")
	case p.Name == "" || p.ClientID == "":
		return errors.New("name and client_id are needed")
	case err != nil || !secureURL(issuer):
		return errors.New("issuer must be an https URL (http on a loopback address only)")
	case p.OAuth2 == nil && !slices.Contains(p.Scopes, "openid"):
		return errors.New(`scopes must have "openid"`)
	case len(p.RedirectURIs) == 0:
		return errors.New("redirect_uris must name at least one")
	case p.OAuth2 != nil && len(p.Audiences) > 0:
		return errors.New("audiences need ID tokens, which oauth2 has not")
	case slices.Contains(p.Audiences, ""):
		return errors.New("audiences has an empty one")
	}
	return p.OAuth2.complete()
}

func (o *OAuth2Config) complete() error {
	if o == nil {
		return nil
	}
	for _, endpoint := range []string{o.AuthorizationEndpoint, o.TokenEndpoint, o.ProfileEndpoint} {
		if u, err := url.Parse(endpoint); err != nil || !secureURL(u) {
			return errors.New("oauth2 needs three endpoints, https URLs (http on a loopback address only)")
		}
	}
	return nil
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// reachable lists the networks that are not public but may be asked.
func (p *ProviderConfig) reachable() []netip.Prefix {
	if issuer, err := url.Parse(p.Issuer); err == nil && isLoopback(issuer) {
		return slices.Concat(p.Networks, loopback)
	}
	return p.Networks
}

func secureURL(u *url.URL) bool {
	return u.Host != "" && (u.Scheme == "https" || u.Scheme == "http" && isLoopback(u))
}

// isLoopback knows addresses only: the name localhost may be resolved elsewhere (RFC 8252, 8.3).
func isLoopback(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return ip != nil && ip.IsLoopback()
}

// allowsRedirect compares with the list as strings, but for the port of a loopback address.
func (p *ProviderConfig) allowsRedirect(uri string) bool {
	return slices.ContainsFunc(p.RedirectURIs, func(allowed string) bool {
		return uri == allowed || sameButPort(uri, allowed)
	})
}

func sameButPort(uri, allowed string) bool {
	got, err := url.Parse(uri)
	if err != nil {
		return false
	}
	want, err := url.Parse(allowed)
	if err != nil || want.Scheme != "http" || !isLoopback(want) {
		return false
	}
	if got.Hostname() != want.Hostname() {
		return false
	}
	got.Host, want.Host = "", ""
	return got.User == nil && got.String() == want.String()
}
