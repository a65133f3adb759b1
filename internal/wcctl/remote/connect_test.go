package remote

import (
	"context"
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

// wantKind checks an error's kind, what it says and its hint.
func wantKind(t *testing.T, err error, kind Kind, text, hint string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want a %s", err, kind)
	}
	if e.Kind != kind || !strings.Contains(e.Error(), text) || !strings.Contains(e.Hint, hint) {
		t.Errorf("got %s: %q, hint %q\nwant %s: …%s…, hint …%s…", e.Kind, e, e.Hint, kind, text, hint)
	}
}

func machineAt(t *testing.T, address string) fleet.Machine {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	must(t, err)
	number, err := strconv.Atoi(port)
	must(t, err)
	return fleet.Machine{Name: "worker-1", SSH: fleet.SSH{Host: host, Port: number, User: "root"}}
}

// serve answers each connection with handle until the test ends.
func serve(t *testing.T, handle func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go handle(conn)
		}
	}()
	return listener.Addr().String()
}

func TestServersThatAreNone(t *testing.T) {
	t.Parallel()
	refused := freeAddress(t)
	hangsUp := serve(t, func(c net.Conn) { _ = c.Close() })
	silent := serve(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	web := serve(t, func(c net.Conn) {
		fmt.Fprint(c, "HTTP/1.1 400 Bad Request\r\n\r\n"+strings.Repeat("<p>", 1<<16))
		_ = c.Close()
	})
	for name, test := range map[string]struct {
		address    string
		kind       Kind
		text, hint string
	}{
		"refused":  {refused, Refused, "connection refused", "ssh -v "},
		"hangs up": {hangsUp, HungUp, "hangs up before SSH has begun", "ssh -v "},
		"silent":   {silent, Timeout, "did not answer as an SSH server", "ssh -v "},
		"web":      {web, NotSSH, "not an SSH server", "ssh -v "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key := filepath.Join(t.TempDir(), "key")
			writeKey(t, key)
			_, err := Dial(t.Context(), Options{
				Machine: machineAt(t, test.address), KeyFile: key, Agent: noAgent,
				KnownHosts: filepath.Join(t.TempDir(), "known_hosts"), Timeout: time.Second,
			})
			wantKind(t, err, test.kind, test.text, test.hint)
		})
	}
}

func TestUnknownNames(t *testing.T) {
	t.Parallel()
	m := fleet.Machine{Name: "worker-1", SSH: fleet.SSH{Host: "wroker.example", Port: 22}}
	err := connectError(Options{Machine: m}, "wroker.example:22", &net.OpError{
		Op: "dial", Net: "tcp", Err: &net.DNSError{Name: "wroker.example", IsNotFound: true},
	})
	wantKind(t, err, UnknownHost, "no such host name", "getent hosts wroker.example")
}

func TestDialWaitsForAMachineThatStarts(t *testing.T) {
	t.Parallel()
	address := freeAddress(t)
	m := machineAt(t, address)
	key := filepath.Join(t.TempDir(), "key")
	writeKey(t, key)
	o := Options{
		Machine: m, KeyFile: key, Agent: noAgent, Wait: 2 * time.Second,
		KnownHosts: filepath.Join(t.TempDir(), "known_hosts"),
	}
	_, err := Dial(t.Context(), o)
	wantKind(t, err, Refused, " attempts in ", "ssh -v ")

	o.Wait = 30 * time.Second
	type answer struct {
		c   *Client
		err error
	}
	got := make(chan answer, 1)
	started := make(chan struct{})
	go func() {
		close(started)
		c, err := Dial(t.Context(), o)
		got <- answer{c, err}
	}()
	<-started
	server := startSSHDAt(t, address, filepath.Join(t.TempDir(), "host_key"))
	a := <-got
	// The server takes another key, so this is the end of the waiting, and one without repetition.
	wantKind(t, a.err, Auth, "denied", "ssh-copy-id -i "+key)
	dial(t, server.options(t))
}

func TestNoAddress(t *testing.T) {
	t.Parallel()
	_, err := Dial(t.Context(), Options{Machine: fleet.Machine{Name: "worker-1"}, Agent: noAgent})
	wantKind(t, err, UnknownHost, "not known yet", "wcctl up")
}

func TestDialEndsWithItsContext(t *testing.T) {
	t.Parallel()
	o := Options{
		Machine: machineAt(t, freeAddress(t)), Agent: noAgent, Wait: time.Hour,
		KnownHosts: filepath.Join(t.TempDir(), "known_hosts"),
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := Dial(ctx, o); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestKeyFiles(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := func(name string) string { return filepath.Join(folder, name) }
	writeKey(t, file("open"))
	must(t, os.Chmod(file("open"), 0o644))
	must(t, os.WriteFile(file("text"), []byte("ssh-ed25519 AAAA me\n"), 0o600))
	writeLockedKey(t, file("locked"))
	for name, test := range map[string]struct {
		kind       Kind
		text, hint string
	}{
		"missing": {KeyMissing, "does not exist", "ssh-keygen -t ed25519 -f "},
		"open":    {KeyTooOpen, "others may read it: mode 0644", "chmod 600 "},
		"text":    {KeyInvalid, "not a private SSH key", "ssh-keygen -y -f "},
		"locked":  {KeyPassphrase, "passphrase and no agent holds it", "ssh-add "},
	} {
		_, err := Dial(t.Context(), Options{
			Machine: machineAt(t, "127.0.0.1:1"), KeyFile: file(name), Agent: noAgent,
			KnownHosts: file("known_hosts"),
		})
		wantKind(t, err, test.kind, test.text, test.hint+file(name))
	}
}

func writeLockedKey(t *testing.T, path string) {
	t.Helper()
	writeKeyWith(t, path, func(key ed25519.PrivateKey) (*pem.Block, error) {
		return ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte("secret"))
	})
}

func TestAuthNamesTheKeysTried(t *testing.T) {
	t.Parallel()
	o := startSSHD(t).options(t)
	o.KeyFile = filepath.Join(t.TempDir(), "other")
	key := writeKey(t, o.KeyFile)
	o.Agent = filepath.Join(t.TempDir(), "no-agent")
	o.Wait = time.Hour // hopeless, so not waited for
	_, err := Dial(t.Context(), o)
	wantKind(t, err, Auth, ssh.FingerprintSHA256(key), "ssh-copy-id -i ")
	wantKind(t, err, Auth, "an agent that does not answer", "ssh-copy-id -i ")
}

func TestAgent(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("ssh-agent")
	if err != nil {
		t.Skip("no ssh-agent here")
	}
	socket := filepath.Join(t.TempDir(), "agent")
	ctx, cancel := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, program, "-D", "-a", socket)
	must(t, cmd.Start())
	t.Cleanup(func() { cancel(); _ = cmd.Wait() })
	eventually(t, "the agent listens", func() bool {
		_, err := os.Stat(socket)
		return err == nil
	})
	server := startSSHD(t)
	add := exec.Command("ssh-add", server.keyFile)
	add.Env = append(os.Environ(), "SSH_AUTH_SOCK="+socket)
	if out, err := add.CombinedOutput(); err != nil {
		t.Fatalf("ssh-add: %v\n%s", err, out)
	}
	o := server.options(t)
	o.Agent = socket
	t.Run("a key that only the agent can use", func(t *testing.T) {
		o.KeyFile = filepath.Join(t.TempDir(), "key")
		writeLockedKey(t, o.KeyFile)
		public, err := os.ReadFile(server.keyFile + ".pub")
		must(t, err)
		must(t, os.WriteFile(o.KeyFile+".pub", public, 0o600))
		_, err = Dial(t.Context(), o)
		// The private file's own public part counts, not the file beside it.
		wantKind(t, err, KeyPassphrase, "no agent holds it", "ssh-add ")
	})
	o.KeyFile = ""
	dial(t, o)
}

func TestBastion(t *testing.T) {
	t.Parallel()
	server, bastion := startSSHD(t), startSSHD(t)
	o := server.options(t)
	o.Bastion = &spec.Bastion{Host: bastion.host, Port: bastion.port, KeyFile: bastion.keyFile}
	c := dial(t, o)
	out, err := c.Output(t.Context(), "echo $SSH_CONNECTION", nil)
	must(t, err)
	if !strings.HasSuffix(strings.TrimSpace(out), strconv.Itoa(server.port)) {
		t.Errorf("got %q", out)
	}
	data, err := os.ReadFile(o.KnownHosts)
	must(t, err)
	if strings.Count(string(data), "\n") != 2 {
		t.Errorf("not both are pinned:\n%s", data)
	}
	o.Machine = machineAt(t, freeAddress(t))
	_, err = Dial(t.Context(), o)
	wantKind(t, err, Refused, "from the bastion", "ssh ")
	o.Bastion.KeyFile = o.KeyFile
	_, err = Dial(t.Context(), o)
	wantKind(t, err, Auth, "bastion 127.0.0.1", "ssh-copy-id")
	o.Bastion.KeyFile = bastion.keyFile
	o.Machine, o.KeyFile = server.machine("worker-1"), bastion.keyFile
	_, err = Dial(t.Context(), o)
	wantKind(t, err, Auth, "denied", ".pub -J "+bastion.user+"@127.0.0.1:"+strconv.Itoa(bastion.port))
}

func TestProxyCommand(t *testing.T) {
	t.Parallel()
	client, err := exec.LookPath("ssh")
	if err != nil {
		t.Skip("no OpenSSH client here")
	}
	server := startSSHD(t)
	o := server.options(t)
	o.Machine.SSH.ProxyCommand = fmt.Sprintf("%s -F none -o StrictHostKeyChecking=no "+
		"-o UserKnownHostsFile=/dev/null -o IdentitiesOnly=yes -i %s -p %%p -W %%h:%%p %%r@%%h",
		client, server.keyFile)
	out, err := dial(t, o).Output(t.Context(), "echo through", nil)
	must(t, err)
	if out != "through\n" {
		t.Errorf("got %q", out)
	}
	o.Machine.SSH.ProxyCommand = "sh -c 'echo no such session >&2; exit 3'"
	_, err = Dial(t.Context(), o)
	wantKind(t, err, Proxy, "no such session", "'ProxyCommand=sh -c ")
	for _, command := range []string{
		"no-such-program-here %h", "sh -c 'echo SessionManagerPlugin is not found >&2; exit 255'",
		"sh -c 'echo Unable to locate credentials >&2; exit 253'",
	} {
		o.Machine.SSH.ProxyCommand, o.Wait = command, time.Hour // not waited for
		_, err = Dial(t.Context(), o)
		wantKind(t, err, ProxyBroken, "the proxy command", "ProxyCommand=")
	}
}

// gate forwards to an address until it is shut; then it holds all connections in silence.
type gate struct {
	address string
	shut    atomic.Bool
}

func newGate(t *testing.T, target string) *gate {
	t.Helper()
	g := &gate{}
	g.address = serve(t, func(in net.Conn) {
		out, err := net.Dial("tcp", target)
		if err != nil {
			_ = in.Close()
			return
		}
		t.Cleanup(func() { _ = in.Close(); _ = out.Close() })
		go g.copy(in, out)
		g.copy(out, in)
	})
	return g
}

func (g *gate) copy(to, from net.Conn) {
	data := make([]byte, 32<<10)
	for {
		n, err := from.Read(data)
		if g.shut.Load() {
			continue
		}
		if err != nil {
			_ = to.Close()
			return
		}
		_, _ = to.Write(data[:n])
	}
}

func TestLostMachineIsNoticed(t *testing.T) {
	t.Parallel()
	server := startSSHD(t)
	g := newGate(t, server.address())
	o := server.options(t)
	o.Machine.SSH.Port = machineAt(t, g.address).SSH.Port
	o.KeepAlive = 50 * time.Millisecond
	c := dial(t, o)
	g.shut.Store(true)
	_, err := c.Run(t.Context(), "sleep 60", nil)
	wantKind(t, err, Lost, "no answer for 200ms", "ssh -v ")
	_, err = c.Run(t.Context(), "true", nil)
	wantKind(t, err, Lost, "no answer for 200ms", "ssh -v ")
}

func TestLoginThatTheMachineEnds(t *testing.T) {
	t.Parallel()
	o := startSSHD(t).options(t)
	o.KeepAlive = time.Hour // so that it must notice by itself
	c := dial(t, o)
	_, err := c.Run(t.Context(), "kill $PPID; sleep 60", nil)
	wantKind(t, err, Lost, "the connection was lost: ", "ssh -v ")
	select {
	case <-c.Done():
	case <-time.After(30 * time.Second):
		t.Error("the login is taken for alive")
	}
}

func TestListen(t *testing.T) {
	t.Parallel()
	server := startSSHD(t)
	g := newGate(t, server.address())
	o := server.options(t)
	o.Machine.SSH.Port = machineAt(t, g.address).SSH.Port
	address := freeAddress(t)
	answer := func(c *Client, text string) {
		listener, err := c.Listen(address)
		must(t, err)
		t.Cleanup(func() { _ = listener.Close() })
		server := &http.Server{Handler: http.HandlerFunc(
			func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) })}
		go func() { _ = server.Serve(listener) }()
		response, err := http.Get("http://" + address)
		must(t, err)
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		must(t, err)
		if string(body) != text {
			t.Errorf("got %q", body)
		}
	}
	answer(dial(t, o), "first")
	// The first login's end never reaches the server: it goes on to hold the port.
	g.shut.Store(true)
	answer(dial(t, server.options(t)), "second")
}
