// Package client speaks the REST API of Waste Coach.
package client
