// Package e2e drives the real binaries from outside: `make e2e`. Its tests have the build tag e2e.
package e2e
