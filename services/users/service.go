package users

import (
	"context"
	"time"

	"github.com/wastecoach/wastecoach/internal/audit"
	"github.com/wastecoach/wastecoach/internal/erasure"
	"github.com/wastecoach/wastecoach/internal/objectstore"
	"github.com/wastecoach/wastecoach/internal/token"
)

// Service is what the API can do with profiles, histories, exports and deletions.
type Service struct {
	store   *Store
	waste   *wasteClient
	objects *objectstore.Store
	audit   *audit.Log
	// exportKept is how long an export can be fetched.
	exportKept time.Duration
	now        func() time.Time
}

// Me returns the user's profile, which it makes when there is none.
func (s *Service) Me(ctx context.Context, p token.Principal) (Profile, error) {
	profile, err := s.store.Get(ctx, p.UserID)
	if err == nil || !isMissing(err) {
		return profile, err
	}
	if err := s.store.Add(ctx, s.newProfile(p)); err != nil {
		return Profile{}, err
	}
	profile, err = s.store.Get(ctx, p.UserID)
	return profile, orErased(err)
}

// orErased names why there is no profile although one was made: its user was erased this moment.
func orErased(err error) error {
	if isMissing(err) {
		return erasure.ErrErased
	}
	return err
}

func (s *Service) newProfile(p token.Principal) Profile {
	now := s.now().UTC()
	return Profile{
		ID: p.UserID, DisplayName: firstName(p.Name), Locale: defaultLocale,
		CreatedAt: now, UpdatedAt: now,
	}
}

// UpdateMe changes what the patch names and returns the whole profile.
func (s *Service) UpdateMe(
	ctx context.Context, p token.Principal, patch ProfilePatch,
) (Profile, error) {
	if err := patch.validate(); err != nil {
		return Profile{}, err
	}
	if err := s.store.Add(ctx, s.newProfile(p)); err != nil {
		return Profile{}, err
	}
	profile, err := s.store.Update(ctx, p.UserID, patch, s.now().UTC())
	return profile, orErased(err)
}

// History returns one page of the answers that the user got, newest first.
func (s *Service) History(ctx context.Context, r HistoryRequest) (HistoryPage, error) {
	if err := r.validate(); err != nil {
		return HistoryPage{}, err
	}
	return s.waste.history(ctx, r)
}
