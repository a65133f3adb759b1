// Package ext is where other builds of Traefik extend its dynamic configuration; this one does not.
package ext

// HTTP extends the HTTP configuration by nothing.
type HTTP struct{}

// Router extends a router by nothing.
type Router struct{}
