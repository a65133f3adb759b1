// Package cluster drives the real wcctl against real machines: `make e2e-cluster`. Its tests have
// the build tag e2e, need root and Linux, and leave nothing behind but their logs.
package cluster
