// Package localvision is a small vision model of our own, which needs no key and no network.
//
// tools/vision trains it; docs/local-model.md says what it can do and what not.
package localvision
