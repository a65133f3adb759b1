// Package deps keeps the libraries in go.mod that the cluster commands are being built with.
package deps

import (
	_ "github.com/gofrs/flock"
	_ "github.com/google/go-containerregistry/pkg/v1"
	_ "github.com/hashicorp/go-version"
	_ "github.com/hashicorp/terraform-exec/tfexec"
	_ "github.com/hashicorp/terraform-json"
	_ "github.com/kevinburke/ssh_config"
	_ "github.com/moby/sys/mountinfo"
	_ "github.com/skeema/knownhosts"
	_ "github.com/vishvananda/netlink"
	_ "github.com/vishvananda/netns"
	_ "golang.org/x/crypto/ssh"
	_ "golang.org/x/crypto/ssh/agent"
	_ "golang.org/x/mod/modfile"
	_ "k8s.io/api/core/v1"
	_ "k8s.io/apimachinery/pkg/api/errors"
	_ "k8s.io/client-go/kubernetes"
	_ "k8s.io/client-go/tools/clientcmd"
	_ "k8s.io/client-go/tools/remotecommand"
	_ "k8s.io/kubectl/pkg/drain"
	_ "k8s.io/metrics/pkg/client/clientset/versioned"
	_ "sigs.k8s.io/yaml"
)
