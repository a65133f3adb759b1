package terraform

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/go-version"
)

const (
	// ProgramVariable names the terraform program where PATH shall not.
	ProgramVariable = "WCCTL_TERRAFORM"
	// MinVersion is the first release whose S3 backend locks with use_lockfile alone.
	MinVersion = "1.11.0"

	installHint = "https://developer.hashicorp.com/terraform/install"
)

// find returns the absolute path of the terraform program.
func find(o Options) (string, error) {
	const act = "looking for Terraform"
	name := o.Program
	if name == "" {
		name = lookup(o.Environ, ProgramVariable)
	}
	source := name
	if name == "" {
		name, source = "terraform", "terraform in PATH"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", &Error{
			Act:   act,
			Cause: fmt.Errorf("%s: %w", source, errors.Unwrap(err)),
			Hint:  fmt.Sprintf("%s\n%s=/path/to/terraform wcctl up", installHint, ProgramVariable),
		}
	}
	path, err = filepath.Abs(path)
	if err != nil {
		return "", &Error{Act: act, Cause: err}
	}
	return path, nil
}

// checkVersion asks the program once.
func (c *Client) checkVersion(ctx context.Context) error {
	const act = "asking Terraform for its version"
	found, _, err := c.tf.Version(ctx, false)
	if err != nil {
		return &Error{Act: act, Cause: fmt.Errorf("%s: %w", c.program, err), Hint: installHint}
	}
	if found.LessThan(version.Must(version.NewVersion(MinVersion))) {
		return &Error{
			Act:   act,
			Cause: fmt.Errorf("%s is %s, but %s or newer is needed", c.program, found, MinVersion),
			Hint:  fmt.Sprintf("%s\n%s=/path/to/terraform wcctl up", installHint, ProgramVariable),
		}
	}
	return nil
}

// allowed is what terraform and the programs it starts see of the environment: enough to find
// credentials, proxies and providers, and nothing else that may be secret.
func allowed(name string) bool {
	names := []string{
		"HOME", "PATH", "TMPDIR", "USER", "LANG", "LC_ALL",
		"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR",
		"TF_CLI_CONFIG_FILE", "TF_PLUGIN_CACHE_DIR",
	}
	// Proxies are read in both spellings.
	return strings.HasPrefix(name, "AWS_") || slices.Contains(names, name) ||
		strings.HasSuffix(name, "_proxy") && slices.Contains(names, strings.ToUpper(name))
}

func environment(environ []string, extra map[string]string) map[string]string {
	// Without it terraform asks its maker for news, and a machine without a network waits for that.
	env := map[string]string{"CHECKPOINT_DISABLE": "1"}
	for _, pair := range environ {
		if name, value, ok := strings.Cut(pair, "="); ok && allowed(name) {
			env[name] = value
		}
	}
	for name, value := range extra {
		env[name] = value
	}
	return env
}

func lookup(environ []string, name string) string {
	for _, pair := range slices.Backward(environ) {
		if value, ok := strings.CutPrefix(pair, name+"="); ok {
			return value
		}
	}
	return ""
}
