package standin

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"
)

// address is the provider's, as in required_providers.
const address = "registry.terraform.io/hashicorp/aws"

// Serve is the provider's main, where terraform has started this process as one. A test's TestMain
// calls it first.
func Serve() (served bool, err error) {
	// Terraform's handshake with its plugins.
	if os.Getenv("TF_PLUGIN_MAGIC_COOKIE") == "" {
		return false, nil
	}
	schema, err := AWS()
	if err != nil {
		return true, err
	}
	return true, tf6server.Serve(address, func() tfprotov6.ProviderServer {
		return &provider{schema: schema, cloud: cloud(os.Getenv(CloudVariable))}
	})
}

// Install makes a mirror of providers in dir with the running program as its only one, and returns
// the path for TF_CLI_CONFIG_FILE. Nothing is then asked from a network.
func Install(dir string) (string, error) {
	program, err := os.Executable()
	if err != nil {
		return "", err
	}
	mirror := filepath.Join(dir, "mirror")
	folder := filepath.Join(mirror, filepath.FromSlash(address), providerVersion,
		runtime.GOOS+"_"+runtime.GOARCH)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", err
	}
	script := fmt.Sprintf("#!/bin/sh\nexec %q\n", program)
	name := filepath.Join(folder, "terraform-provider-aws_v"+providerVersion)
	//nolint:gosec // terraform executes it
	if err := os.WriteFile(name, []byte(script), 0o700); err != nil {
		return "", err
	}
	config := filepath.Join(dir, "terraform.rc")
	text := fmt.Sprintf("provider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", mirror)
	return config, os.WriteFile(config, []byte(text), 0o600)
}
