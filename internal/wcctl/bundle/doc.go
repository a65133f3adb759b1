// Package bundle makes, checks and serves the folder that installs a cluster without a network.
package bundle
