package auth

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/oauth2"

	"github.com/wastecoach/wastecoach/internal/problem"
)

// What a login can end with.
var (
	ErrInvalid = problem.New(
		problem.Invalid, "invalid", "Some values are not as they must be.",
	)
	ErrProviderNotFound = problem.New(
		problem.NotFound, "provider_not_found", "There is no such login provider.",
	)
	ErrProviderUnavailable = problem.New(
		problem.Unavailable, "provider_unavailable", "The login provider cannot be reached now.",
	)
	ErrStateInUse = problem.New(
		problem.Conflict, "state_in_use", "This state belongs to another login: choose a new one.",
	)
	ErrStateUnknown = problem.New(
		problem.Unauthorized, "state_unknown",
		"No login of this provider and address waits for this state: begin again.",
	)
	ErrLoginRefused = problem.New(
		problem.Unauthorized, "login_refused", "The login could not be confirmed: begin again.",
	)
)

// errNativeOff answers an app that brings a provider's ID token where none is taken.
var errNativeOff = problem.New(
	problem.Invalid, "native_login_off", "This provider's ID tokens are not taken: log in with a code.",
)

var errRedirect = ErrInvalid.WithFields(problem.Field{
	Pointer: "redirect_uri", Code: "not_allowed", Detail: "is not registered for this provider",
})

// AuthorizeRequest is how an app begins a login.
type AuthorizeRequest struct {
	RedirectURI     string
	Challenge       string
	ChallengeMethod string
	State           string
	Locale          string
	LoginHint       string
}

// TokenRequest is how an app ends a login: with a code and what belongs to it, or with the ID token
// that it got by the provider's own SDK.
type TokenRequest struct {
	Code         string `json:"code,omitempty"`
	CodeVerifier string `json:"code_verifier,omitempty"`
	State        string `json:"state,omitempty"`
	RedirectURI  string `json:"redirect_uri,omitempty"`
	// Issuer is the iss of the redirect, where there was one (RFC 9207).
	Issuer  string `json:"iss,omitempty"`
	IDToken string `json:"id_token,omitempty"`
}

// loginState is a login that waits for its code; it serves once.
type loginState struct {
	Provider    string    `json:"provider"`
	RedirectURI string    `json:"redirect_uri"`
	Challenge   string    `json:"challenge"`
	Nonce       string    `json:"nonce"`
	ExpiresAt   time.Time `json:"expires_at"`
}

const (
	loginLifetime = 10 * time.Minute
	maxCode       = 4096
	maxURI        = 2048
	maxHint       = 200
	maxName       = 100
	maxIDToken    = 16 << 10
)

var (
	challengePattern = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)
	verifierPattern  = regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`)
	statePattern     = regexp.MustCompile(`^[A-Za-z0-9._~-]{16,256}$`)
)

func newLoginState(provider string, r AuthorizeRequest, now time.Time) loginState {
	return loginState{
		Provider: provider, RedirectURI: r.RedirectURI, Challenge: r.Challenge,
		Nonce: randomText(), ExpiresAt: now.Add(loginLifetime),
	}
}

// randomText is 256 random bits.
func randomText() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program first
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// fits tells whether the request ends the login that the state began.
func (s loginState) fits(provider string, r TokenRequest, now time.Time) bool {
	return s.Provider == provider && s.RedirectURI == r.RedirectURI && now.Before(s.ExpiresAt)
}

// proves checks PKCE here too: not every provider does.
func (s loginState) proves(codeVerifier string) bool {
	challenge := oauth2.S256ChallengeFromVerifier(codeVerifier)
	return subtle.ConstantTimeCompare([]byte(challenge), []byte(s.Challenge)) == 1
}

func (r AuthorizeRequest) validate() error {
	var faults []problem.Field
	check := faultList(&faults)
	check(r.Challenge == "" || !challengePattern.MatchString(r.Challenge), "code_challenge", "invalid",
		"must be the SHA-256 of the verifier in base64url: 43 characters")
	check(r.ChallengeMethod != "S256", "code_challenge_method", "unknown", "must be S256")
	check(!statePattern.MatchString(r.State), "state", "invalid",
		"must be 16 to 256 letters, digits, or any of . _ ~ -")
	check(!slices.Contains([]string{"", "ko", "en"}, r.Locale), "locale", "unknown", `must be "ko" or "en"`)
	check(len(r.LoginHint) > maxHint, "login_hint", "too_long", "has more than 200 bytes")
	check(!plainURI(r.RedirectURI), "redirect_uri", "invalid", "must be an absolute URI without a fragment")
	return invalid(faults)
}

func (r TokenRequest) native() bool { return r.IDToken != "" }

func (r TokenRequest) validate() error {
	var faults []problem.Field
	check := faultList(&faults)
	if r.native() {
		check(len(r.IDToken) > maxIDToken, "/id_token", "too_long", "has more than 16384 bytes")
		check(r != (TokenRequest{IDToken: r.IDToken}), "/id_token", "not_alone", "goes with no other field")
		return invalid(faults)
	}
	check(r.Code == "" || len(r.Code) > maxCode, "/code", "invalid", "must have 1 to 4096 characters")
	check(!verifierPattern.MatchString(r.CodeVerifier), "/code_verifier", "invalid",
		"must be 43 to 128 letters, digits, or any of . _ ~ -")
	check(!statePattern.MatchString(r.State), "/state", "invalid",
		"must be 16 to 256 letters, digits, or any of . _ ~ -")
	check(!plainURI(r.RedirectURI), "/redirect_uri", "invalid", "must be an absolute URI without a fragment")
	return invalid(faults)
}

func faultList(faults *[]problem.Field) func(wrong bool, pointer, code, detail string) {
	return func(wrong bool, pointer, code, detail string) {
		if wrong {
			*faults = append(*faults, problem.Field{Pointer: pointer, Code: code, Detail: detail})
		}
	}
}

func plainURI(uri string) bool {
	u, err := url.Parse(uri)
	return err == nil && u.IsAbs() && !strings.Contains(uri, "#") && len(uri) <= maxURI
}

func invalid(faults []problem.Field) error {
	if len(faults) == 0 {
		return nil
	}
	return ErrInvalid.WithFields(faults...)
}

// cleanName makes a provider's text fit for our tokens and tables.
func cleanName(name string) string {
	visible := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, strings.ToValidUTF8(name, ""))
	runes := []rune(strings.TrimSpace(visible))
	return string(runes[:min(len(runes), maxName)])
}
