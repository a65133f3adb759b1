package auth

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"

	"github.com/wastecoach/wastecoach/internal/outbound"
)

const (
	// providerTimeout bounds each request to a provider.
	providerTimeout = 5 * time.Second
	// discoveryPause is how long a failed discovery is remembered instead of tried again.
	discoveryPause = time.Second
)

// relyingParty is our side of one provider. It asks for the provider's endpoints when they are
// first needed: the provider may be down when we start.
type relyingParty struct {
	ProviderConfig
	client *http.Client
	now    func() time.Time
	flight singleflight.Group

	mu       sync.Mutex
	found    *endpoints
	failure  error
	failedAt time.Time
}

// endpoints are where a provider is asked; the verifiers are nil where it has no ID tokens.
type endpoints struct {
	oauth oauth2.Config
	// verifier checks the ID token that a code was traded for, native one that an app's SDK got.
	verifier, native *oidc.IDTokenVerifier
}

// newRelyingParty guards what is asked: the issuer's documents name the other addresses.
func newRelyingParty(cfg ProviderConfig, now func() time.Time) *relyingParty {
	client := outbound.NewClient(providerTimeout, cfg.reachable()...)
	client.Transport = otelhttp.NewTransport(client.Transport)
	return &relyingParty{ProviderConfig: cfg, now: now, client: client}
}

// endpoints returns what discovery found, or ErrProviderUnavailable.
func (p *relyingParty) endpoints(ctx context.Context) (*endpoints, error) {
	if p.OAuth2 != nil {
		return &endpoints{oauth: p.oauth(oauth2.Endpoint{
			AuthURL: p.OAuth2.AuthorizationEndpoint, TokenURL: p.OAuth2.TokenEndpoint,
			AuthStyle: oauth2.AuthStyleInParams,
		})}, nil
	}
	if found, err := p.known(); found != nil || err != nil {
		return found, err
	}
	result := p.flight.DoChan("", func() (any, error) {
		// One caller's departure must not fail the others that wait for the same answer.
		found, err := p.discover(context.WithoutCancel(ctx))
		p.mu.Lock()
		defer p.mu.Unlock()
		p.found, p.failure, p.failedAt = found, err, p.now()
		return found, err
	})
	select {
	case r := <-result:
		if r.Err != nil {
			return nil, unavailable(r.Err)
		}
		return p.known()
	case <-ctx.Done():
		return nil, unavailable(ctx.Err())
	}
}

func (p *relyingParty) known() (*endpoints, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failure != nil && p.now().Sub(p.failedAt) < discoveryPause {
		return nil, unavailable(p.failure)
	}
	return p.found, nil
}

func (p *relyingParty) discover(ctx context.Context) (*endpoints, error) {
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, p.client), p.Issuer)
	if err != nil {
		return nil, fmt.Errorf("discovering %s: %w", p.Issuer, err)
	}
	var metadata struct {
		AuthMethods []string `json:"token_endpoint_auth_methods_supported"`
	}
	if err := provider.Claims(&metadata); err != nil {
		return nil, fmt.Errorf("reading the metadata of %s: %w", p.Issuer, err)
	}
	endpoint := provider.Endpoint()
	endpoint.AuthStyle = p.authStyle(metadata.AuthMethods)
	return &endpoints{
		oauth:    p.oauth(endpoint),
		verifier: provider.Verifier(&oidc.Config{ClientID: p.ClientID, Now: p.now}),
		// Several audiences are allowed there: identifyNative compares them.
		native: provider.Verifier(&oidc.Config{SkipClientIDCheck: true, Now: p.now}),
	}, nil
}

func (p *relyingParty) oauth(endpoint oauth2.Endpoint) oauth2.Config {
	return oauth2.Config{
		ClientID: p.ClientID, ClientSecret: p.ClientSecret.Reveal(), Endpoint: endpoint, Scopes: p.Scopes,
	}
}

// authStyle is decided beforehand: oauth2 would find it out by a second try, which uses up a code
// at providers that forget it with the first.
func (p *relyingParty) authStyle(supported []string) oauth2.AuthStyle {
	basic := len(supported) == 0 || slices.Contains(supported, "client_secret_basic")
	if p.ClientSecret != "" && basic {
		return oauth2.AuthStyleInHeader
	}
	return oauth2.AuthStyleInParams
}

// authURL is where the browser goes.
func (e *endpoints) authURL(state loginState, r AuthorizeRequest) string {
	cfg := e.oauth
	cfg.RedirectURL = state.RedirectURI
	options := []oauth2.AuthCodeOption{
		oauth2.SetAuthURLParam("code_challenge", state.Challenge),
		oauth2.SetAuthURLParam("code_challenge_method", "S256"),
	}
	if e.verifier != nil {
		options = append(options, oidc.Nonce(state.Nonce))
	}
	if r.Locale != "" {
		options = append(options, oauth2.SetAuthURLParam("ui_locales", r.Locale))
	}
	if r.LoginHint != "" {
		options = append(options, oauth2.SetAuthURLParam("login_hint", r.LoginHint))
	}
	return cfg.AuthCodeURL(r.State, options...)
}

func unavailable(err error) error { return ErrProviderUnavailable.Because(err).After(discoveryPause) }
