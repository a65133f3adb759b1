// Package users keeps what people tell about themselves, shows them what they asked before, hands
// them everything that is held of them, and erases it.
//
// It owns the schema users (profiles, and the journals of exports and deletions) and the routes below
// /api/v1/users. A profile comes into being when its user is first seen. History and statistics
// belong to the waste service. The deleter and the exporter work off the journals: one leader runs
// them, and asks the other services by their internal routes (internal/erasure).
package users
