//go:build !linux

package bundle

// exchange puts dir in target's place.
func exchange(target, dir string) error { return replace(target, dir) }
