// Package recycling tells how to dispose of waste by the Korean rules.
package recycling
