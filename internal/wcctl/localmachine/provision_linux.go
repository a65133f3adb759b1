package localmachine

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"
)

const (
	// provisionedMark lies on the disk, outside of the machine's root.
	provisionedMark = "../disk/provisioned"
	hostKeyPath     = "etc/ssh/ssh_host_ed25519_key"
)

// provision writes what a hoster gives a new server, at its first boot only: later it is the machine's.
func provision(o bootOrder) error {
	if _, err := os.Stat(provisionedMark); err == nil {
		return nil
	}
	id := sha256.Sum256([]byte(o.Cluster + "/" + o.Name + "/" + o.ID))
	files := map[string]string{
		"etc/hostname":   o.Name + "\n",
		"etc/machine-id": hex.EncodeToString(id[:16]) + "\n",
		"etc/hosts": fmt.Sprintf("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n%s %s\n",
			o.Address, o.Name),
		// Nobody answers there: a question for a name ends at once and never leaves this computer.
		"etc/resolv.conf": fmt.Sprintf("nameserver %s\n", o.gateway()),
	}
	for path, text := range files {
		if err := writeFile(path, text, 0o644); err != nil {
			return err
		}
	}
	if err := os.MkdirAll("root/.ssh", 0o700); err != nil {
		return fmt.Errorf("making root's key folder: %w", err)
	}
	key := strings.TrimSpace(o.AuthorizedKey) + "\n"
	if err := writeFile("root/.ssh/authorized_keys", key, 0o600); err != nil {
		return err
	}
	if err := writeHostKey(o.Name); err != nil {
		return err
	}
	return writeFile(provisionedMark, o.ID+"\n", 0o600)
}

func writeHostKey(name string) error {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("making a host key: %w", err)
	}
	block, err := ssh.MarshalPrivateKey(private, "root@"+name)
	if err != nil {
		return fmt.Errorf("writing a host key: %w", err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		return fmt.Errorf("writing a host key: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(hostKeyPath), 0o755); err != nil { //nolint:gosec // as on a server
		return fmt.Errorf("making the folder of the host key: %w", err)
	}
	return errors.Join(
		writeFile(hostKeyPath, string(pem.EncodeToMemory(block)), 0o600),
		writeFile(hostKeyPath+".pub", string(ssh.MarshalAuthorizedKey(key)), 0o644),
	)
}

// productUUID is the mainboard's number: no two machines may share one.
func productUUID(id, name string) string {
	sum := sha256.Sum256([]byte("product/" + name + "/" + id))
	h := hex.EncodeToString(sum[:16])
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-") + "\n"
}
