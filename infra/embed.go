// Package infra carries inside the program what makes machines and clusters of them.
package infra

import "embed"

// Terraform holds one module per target below terraform/.
//
//go:embed terraform
var Terraform embed.FS

// Ansible holds site.yml, its roles and plugins below ansible/.
//
//go:embed ansible
var Ansible embed.FS

// Manifests holds what is applied to a new cluster below manifests/.
//
//go:embed manifests
var Manifests embed.FS

// Versions is versions.yaml.
//
//go:embed versions.yaml
var Versions []byte
