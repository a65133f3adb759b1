package remote

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// auth holds the keys to log in with, in order: the key file, then the agent's.
type auth struct {
	keyFile string
	file    ssh.Signer
	// defaults are OpenSSH's own key files, used where no file is named.
	defaults []ssh.Signer
	agent    agent.ExtendedAgent
	conn     net.Conn
	// agentState is what to say of the agent in an error.
	agentState string

	mu    sync.Mutex
	tried []string
}

const noAgent = "none"

func newAuth(o Options) (*auth, error) {
	a := &auth{}
	a.openAgent(o.Agent)
	if err := a.addFile(o); err != nil {
		a.close()
		return nil, err
	}
	return a, nil
}

// forBastion is the bastion's own key with the same agent.
func (a *auth) forBastion(o Options) (*auth, error) {
	b := &auth{agent: a.agent, agentState: a.agentState}
	if err := b.addFile(o); err != nil {
		return nil, err
	}
	return b, nil
}

func (a *auth) close() {
	if a.conn != nil {
		_ = a.conn.Close()
	}
}

func (a *auth) openAgent(socket string) {
	if socket == "" {
		socket = os.Getenv("SSH_AUTH_SOCK")
	}
	if socket == "" || socket == noAgent {
		a.agentState = "no agent (SSH_AUTH_SOCK is empty)"
		return
	}
	conn, err := (&net.Dialer{}).Dial("unix", socket)
	if err != nil {
		a.agentState = fmt.Sprintf("an agent that does not answer (%v)", err)
		return
	}
	conn = &boundedConn{conn}
	a.conn, a.agent = conn, agent.NewClient(conn)
	keys, err := a.agent.List()
	if err != nil {
		a.agent, a.agentState = nil, fmt.Sprintf("an agent that does not list its keys (%v)", err)
		return
	}
	a.agentState = fmt.Sprintf("an agent with %d keys", len(keys))
}

// agentTimeout leaves time to touch a hardware key.
const agentTimeout = 30 * time.Second

// boundedConn asks an agent that may hang; each question has its own time.
type boundedConn struct{ net.Conn }

// Write implements net.Conn; what is read after it is its answer.
func (c *boundedConn) Write(b []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(agentTimeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

func (a *auth) addFile(o Options) error {
	if o.KeyFile == "" {
		a.addDefaults()
		return nil
	}
	path := expandHome(o.KeyFile)
	signer, err := readKey(path)
	var locked *ssh.PassphraseMissingError
	if errors.As(err, &locked) && a.inAgent(path, locked.PublicKey) {
		return nil
	}
	if err != nil {
		return keyError(o, path, err)
	}
	a.keyFile, a.file = path, signer
	return nil
}

// addDefaults takes what ssh would take; a key that needs a passphrase is the agent's business.
func (a *auth) addDefaults() {
	for _, name := range []string{"id_ed25519", "id_ecdsa", "id_rsa"} {
		if signer, err := readKey(expandHome("~/.ssh/" + name)); err == nil {
			a.defaults = append(a.defaults, signer)
		}
	}
}

var errTooOpen = errors.New("others may read it")

func readKey(path string) (ssh.Signer, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%w: mode %04o", errTooOpen, info.Mode().Perm())
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return ssh.ParsePrivateKey(data)
}

// inAgent tells whether the agent holds the key whose private file we cannot open.
func (a *auth) inAgent(path string, public ssh.PublicKey) bool {
	if a.agent == nil {
		return false
	}
	if public == nil {
		data, err := os.ReadFile(path + ".pub")
		if err != nil {
			return false
		}
		if public, _, _, _, err = ssh.ParseAuthorizedKey(data); err != nil {
			return false
		}
	}
	keys, err := a.agent.List()
	if err != nil {
		return false
	}
	for _, key := range keys {
		if bytes.Equal(key.Marshal(), public.Marshal()) {
			return true
		}
	}
	return false
}

func keyError(o Options, path string, err error) *Error {
	var locked *ssh.PassphraseMissingError
	name := quote(path)
	switch {
	case errors.As(err, &locked):
		e := newError(o, KeyPassphrase, fmt.Errorf(
			"the key %s has a passphrase and no agent holds it", path))
		e.Hint = "ssh-add " + name
		return e
	case errors.Is(err, fs.ErrNotExist):
		e := newError(o, KeyMissing, fmt.Errorf("the key file %s does not exist", path))
		e.Hint = "ls -l " + quote(filepath.Dir(path)) + "\nssh-keygen -t ed25519 -f " + name
		return e
	case errors.Is(err, errTooOpen):
		e := newError(o, KeyTooOpen, fmt.Errorf("the key file %s is not private: %w", path, err))
		e.Hint = "chmod 600 " + name
		return e
	case errors.Is(err, fs.ErrPermission):
		e := newError(o, KeyMissing, fmt.Errorf("the key file %s cannot be read: %w", path, err))
		e.Hint = "ls -l " + name
		return e
	default:
		e := newError(o, KeyInvalid, fmt.Errorf("%s is not a private SSH key: %w", path, err))
		e.Hint = "ssh-keygen -y -f " + name
		return e
	}
}

// method is the one authentication method: the library tries each kind of method only once.
func (a *auth) method() ssh.AuthMethod {
	return ssh.PublicKeysCallback(func() ([]ssh.Signer, error) {
		signers := []ssh.Signer{}
		if a.file != nil {
			signers = append(signers, a.file)
		}
		if a.agent != nil {
			keys, err := a.agent.Signers()
			if err != nil {
				return signers, nil //nolint:nilerr // the file's key may do; the report has the agent's state
			}
			signers = append(signers, keys...)
		}
		signers = append(signers, a.defaults...)
		a.note(signers)
		return signers, nil
	})
}

func (a *auth) note(signers []ssh.Signer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tried = nil
	for _, s := range signers {
		key := s.PublicKey()
		a.tried = append(a.tried, key.Type()+" "+ssh.FingerprintSHA256(key))
	}
}

// report names the keys and the agent's state.
func (a *auth) report() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	keys := "no key"
	if len(a.tried) > 0 {
		keys = strings.Join(a.tried, ", ")
	}
	file := ""
	if a.keyFile != "" {
		file = " from " + a.keyFile
	}
	return fmt.Sprintf("%s%s, with %s", keys, file, a.agentState)
}

func expandHome(path string) string {
	rest, ok := strings.CutPrefix(path, "~/")
	if !ok {
		return path
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return path
	}
	return filepath.Join(home, rest)
}
