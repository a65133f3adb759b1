// Package auth logs people in through OpenID providers and keeps their sessions.
//
// It owns the schema auth (accounts, identities, signing_keys), the routes below /api/v1/auth and
// the keys auth:… in Redis. A person is an identity, (issuer, subject), of one account; the
// account's id is the user id that all access tokens carry.
//
// A session begins with a login and lives in Redis under one key. It hands out refresh tokens one
// after the other, of which only the newest is good: whoever comes with an older one, later than a
// lost answer explains, ends the session for all.
package auth
