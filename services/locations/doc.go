// Package locations finds collection points for waste.
package locations
