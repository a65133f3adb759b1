package auth

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// OAuth2Config is a provider without ID tokens, such as Naver's older login: who a person is says
// a profile, of the shape that Naver's has, which our own server asks for with the access token that
// it got for a code. Access tokens that apps bring are never taken: they may be another app's.
//
// Nothing but the configuration chooses between this and OpenID: a provider whose discovery fails
// is away, and must not become one without a nonce. The two have an issuer each, because the
// profile's id need not be the ID token's subject.
type OAuth2Config struct {
	AuthorizationEndpoint string `json:"authorization_endpoint"`
	TokenEndpoint         string `json:"token_endpoint"`
	ProfileEndpoint       string `json:"profile_endpoint"`
}

const (
	maxProfile = 64 << 10
	profileOK  = "00"
)

// profile asks the provider who the access token is about.
func (p *relyingParty) profile(ctx context.Context, accessToken string) (Identity, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.OAuth2.ProfileEndpoint, http.NoBody)
	if err != nil {
		return Identity{}, fmt.Errorf("preparing to ask for a profile: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+accessToken)
	resp, err := p.client.Do(req)
	if err != nil {
		return Identity{}, unavailable(fmt.Errorf("asking for a profile: %w", err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return Identity{}, unavailable(fmt.Errorf("asking for a profile: %s", resp.Status))
	}
	var answer struct {
		ResultCode string `json:"resultcode"`
		Response   struct {
			ID       string `json:"id"`
			Name     string `json:"name"`
			Nickname string `json:"nickname"`
		} `json:"response"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxProfile)).Decode(&answer); err != nil {
		return Identity{}, unavailable(fmt.Errorf("reading a profile: %w", err))
	}
	if answer.ResultCode != profileOK {
		return Identity{}, refused(fmt.Sprintf("the profile has result code %q", answer.ResultCode))
	}
	who := answer.Response
	return p.person(p.Issuer, who.ID, who.Name, who.Nickname)
}
