package auth

import (
	"context"
	"time"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/audit"
	"github.com/wastecoach/wastecoach/internal/problem"
	"github.com/wastecoach/wastecoach/internal/token"
)

// What linking can be refused with.
var (
	ErrIdentityTaken = problem.New(
		problem.Conflict, "identity_taken", "This login belongs to another account.",
	)
	ErrIdentityNotFound = problem.New(
		problem.NotFound, "identity_not_found", "There is no such login.",
	)
	ErrLastIdentity = problem.New(
		problem.Conflict, "last_identity", "An account keeps at least one login.",
	)
)

// Identity is a person as a provider knows them.
type Identity struct {
	Issuer   string
	Subject  string
	Provider string
	Name     string
}

// LinkedIdentity is one of the identities that a person may log in with.
type LinkedIdentity struct {
	ID          uuid.UUID `json:"id"`
	Provider    string    `json:"provider"`
	Name        string    `json:"name"`
	CreatedAt   time.Time `json:"created_at"`
	LastLoginAt time.Time `json:"last_login_at"`
}

// Link adds to the caller's account the identity that a provider vouches for. Nothing else ever
// joins two identities: not an e-mail address, not a name.
func (s *Service) Link(
	ctx context.Context, p token.Principal, providerID string, r TokenRequest,
) ([]LinkedIdentity, error) {
	provider, err := s.provider(providerID)
	if err != nil {
		return nil, err
	}
	if err := r.validate(); err != nil {
		return nil, err
	}
	if err := s.alive(ctx, p); err != nil {
		return nil, err
	}
	id, err := s.link(ctx, p.UserID, provider, r)
	if err != nil {
		s.audit.Write(ctx, notDone(audit.AccountLinked, audit.User(p.UserID), err))
		return nil, err
	}
	s.audit.Write(ctx, audit.Event{
		Name: audit.AccountLinked, Outcome: audit.Done, Actor: audit.User(p.UserID),
		Subject: "identity:" + id.String(),
	})
	return s.accounts.Identities(ctx, p.UserID)
}

func (s *Service) link(
	ctx context.Context, account uuid.UUID, provider *relyingParty, r TokenRequest,
) (uuid.UUID, error) {
	who, err := s.identify(ctx, provider, r)
	if err != nil {
		return uuid.Nil, err
	}
	return s.accounts.Link(ctx, account, who, s.now().UTC())
}

// Identities lists what the caller may log in with, oldest first.
func (s *Service) Identities(ctx context.Context, p token.Principal) ([]LinkedIdentity, error) {
	if err := s.alive(ctx, p); err != nil {
		return nil, err
	}
	return s.accounts.Identities(ctx, p.UserID)
}

// Unlink takes an identity from the caller's account and ends the sessions that began with it: who
// took it away may not want to see its owner again.
func (s *Service) Unlink(ctx context.Context, p token.Principal, id uuid.UUID) error {
	if err := s.alive(ctx, p); err != nil {
		return err
	}
	if err := s.accounts.Unlink(ctx, p.UserID, id); err != nil {
		return err
	}
	s.audit.Write(ctx, audit.Event{
		Name: audit.AccountUnlinked, Outcome: audit.Done, Actor: audit.User(p.UserID),
		Subject: "identity:" + id.String(),
	})
	sessions, err := s.sessions.List(ctx, p.UserID)
	if err != nil {
		return err
	}
	for i := range sessions {
		if sessions[i].IdentityID != id {
			continue
		}
		if err := s.sessions.End(ctx, sessions[i].ID); err != nil {
			return err
		}
	}
	return nil
}
