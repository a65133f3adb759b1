// Package infra carries the Terraform modules and the Ansible roles inside the program.
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
