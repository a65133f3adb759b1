package ansible

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/go-version"
)

const (
	// MinVersion is the first ansible-core that the playbooks are held to: Debian 12's.
	MinVersion = "2.14"
	// ProgramVariable names the ansible-playbook program where PATH shall not.
	ProgramVariable = "WCCTL_ANSIBLE_PLAYBOOK"

	installHint = "apt-get install ansible-core"

	// eventsDescriptor is the first of exec.Cmd's ExtraFiles.
	eventsDescriptor = 3
)

func find(o Options) (string, error) {
	name := o.Program
	if name == "" {
		name = lookup(o.Environ, ProgramVariable)
	}
	if name == "" {
		name = "ansible-playbook"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", &ProgramError{Cause: fmt.Errorf("%s is not installed: %w", name, errors.Unwrap(err))}
	}
	return filepath.Abs(path)
}

// Version asks ansible-playbook for ansible-core's version; one that is too old is an error.
func (r *Runner) Version(ctx context.Context) (string, error) {
	cmd := exec.CommandContext(ctx, r.program, "--version")
	cmd.Env = r.environment()
	out, err := cmd.Output()
	if err != nil {
		return "", &ProgramError{Cause: fmt.Errorf("asking %s for its version: %w", r.program, err)}
	}
	found := regexp.MustCompile(`\d+\.\d+(\.\d+)?`).FindString(string(out))
	if old := checkVersion(found); old != nil {
		return found, old
	}
	return found, nil
}

// checkVersion returns a *ProgramError or nil.
func checkVersion(found string) error {
	v, err := version.NewVersion(found)
	if err != nil {
		return &ProgramError{Cause: fmt.Errorf("reading ansible-core's version %q: %w", found, err)}
	}
	if v.Core().LessThan(version.Must(version.NewVersion(MinVersion))) {
		return &ProgramError{
			Cause: fmt.Errorf("ansible-core is %s, but %s or newer is needed", found, MinVersion),
		}
	}
	return nil
}

func (r *Runner) arguments(p Play) []string {
	args := []string{
		"--inventory", filepath.Join(r.options.Work, inventoryFile),
		"--extra-vars", "@" + filepath.Join(r.options.Work, variablesFile),
		"--forks", strconv.Itoa(r.options.Forks),
	}
	if len(p.Hosts) > 0 {
		args = append(args, "--limit", strings.Join(p.Hosts, ","))
	}
	return append(args, r.playbook(p.Phase))
}

// environment is what ansible-playbook and the ssh it starts see: enough to log in, and nothing of
// the user's own Ansible.
func (r *Runner) environment() []string {
	env := []string{
		"ANSIBLE_CONFIG=" + filepath.Join(r.options.Dir, "ansible.cfg"),
		"ANSIBLE_HOME=" + filepath.Join(r.options.Work, "home"),
		"ANSIBLE_SSH_CONTROL_PATH_DIR=" + r.sockets,
		"ANSIBLE_NOCOLOR=1",
		"LC_ALL=C.UTF-8",
		"PYTHONUNBUFFERED=1",
		"WCCTL_EVENTS_FD=" + strconv.Itoa(eventsDescriptor),
	}
	for _, pair := range r.options.Environ {
		if name, _, ok := strings.Cut(pair, "="); ok && allowed(name) {
			env = append(env, pair)
		}
	}
	return env
}

// allowed are the variables by which programs are found and logins work; a ProxyCommand may be
// AWS's.
func allowed(name string) bool {
	names := []string{
		"HOME", "PATH", "TMPDIR", "USER", "LOGNAME", "SSH_AUTH_SOCK", "SSL_CERT_FILE", "SSL_CERT_DIR",
		"HTTPS_PROXY", "NO_PROXY", "https_proxy", "no_proxy",
	}
	return strings.HasPrefix(name, "AWS_") || slices.Contains(names, name)
}

func lookup(environ []string, name string) string {
	for _, pair := range environ {
		if value, ok := strings.CutPrefix(pair, name+"="); ok {
			return value
		}
	}
	return ""
}
