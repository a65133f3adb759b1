// Package users keeps what people tell about themselves and shows them what they asked before.
//
// It owns the schema users (profiles) and the routes below /api/v1/users. A profile comes into being
// when its user is first seen. The history belongs to the waste service: it is asked for it with the
// user's own access token.
package users
