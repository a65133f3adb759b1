package spec

import (
	"bytes"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

func (v *validator) ssh() {
	s := v.c.Spec.SSH
	if v.c.Spec.Target == Local {
		if s != (SSH{}) {
			v.fault("spec.ssh", "remove it", "target local has its own key and reads none of it")
		}
		return
	}
	if v.c.Spec.Target == AWS {
		if s.User != "" {
			v.fault("spec.ssh.user", "remove it", "target aws logs in as its image's own user")
		}
		if s.Bastion != nil {
			v.fault("spec.ssh.bastion", "remove it", "target aws goes through AWS SSM")
		}
	} else {
		v.user("spec.ssh.user", s.User)
	}
	for _, key := range v.c.keyFiles() {
		if key.path == "spec.ssh.bastion.keyFile" && *key.value == s.KeyFile {
			continue // told once
		}
		v.keyFile(key.path, *key.value)
	}
	if b := s.Bastion; b != nil && v.c.Spec.Target != AWS {
		const base = "spec.ssh.bastion."
		v.within(base+"port", b.Port, 1, maxPort)
		v.user(base+"user", b.User)
		if b.Host == "" {
			v.missing(base+"host", "an IPv4 address or a DNS name")
		} else if a, err := netip.ParseAddr(b.Host); err == nil {
			v.example(base+"host", a, "write your bastion's address")
		} else {
			v.dnsName(base+"host", b.Host)
		}
	}
}

var userPattern = regexp.MustCompile(`^[a-z_][a-z0-9_.-]{0,31}$`)

func (v *validator) user(path, name string) {
	if name != "" && !userPattern.MatchString(name) {
		v.fault(path, "e.g. root or ubuntu", "%q is no user name", name)
	}
}

// groupOrOthers are the permissions that OpenSSH, too, refuses on a private key.
const groupOrOthers fs.FileMode = 0o077

const maxKeySize = 1 << 16

// keyFile reports a private key that SSH could not use.
func (v *validator) keyFile(path, file string) {
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		v.fault(path, likeKey(file), "there is no file %s", file)
		return
	case err != nil:
		v.fault(path, "ls -l "+quote(file), "%s cannot be read: %v", file, err)
		return
	case info.IsDir():
		v.fault(path, "name a file in it, e.g. "+filepath.Join(file, "id_ed25519"), "%s is a folder", file)
		return
	case info.Mode()&groupOrOthers != 0:
		v.fault(path, "chmod 600 "+quote(file), "others may read %s (mode %04o); SSH refuses such a key",
			file, info.Mode().Perm())
	}
	if info.Mode().IsRegular() && info.Size() <= maxKeySize {
		v.keyContent(path, file)
		return
	}
	v.fault(path, "", "%s is no private key", file)
}

func (v *validator) keyContent(path, file string) {
	data, err := os.ReadFile(file)
	switch {
	case err != nil:
		v.fault(path, "ls -l "+quote(file), "%s cannot be read: %v", file, err)
	case bytes.Contains(data, []byte("PRIVATE KEY-----")):
	case bytes.HasPrefix(data, []byte("PuTTY-User-Key-File")):
		v.fault(path, "puttygen "+quote(file)+" -O private-openssh -o ~/.ssh/id_wastecoach",
			"%s is a PuTTY key", file)
	case strings.HasSuffix(file, ".pub"), bytes.HasPrefix(data, []byte("ssh-")),
		bytes.HasPrefix(data, []byte("ecdsa-")):
		v.fault(path, "write "+strings.TrimSuffix(file, ".pub"), "%s is the public half of a key", file)
	default:
		v.fault(path, "", "%s is no private key", file)
	}
}

// likeKey is the hint for a key file that does not exist.
func likeKey(file string) string {
	if strings.ContainsAny(file, "$%") {
		return "variables are not expanded; ~ stands for your home folder"
	}
	folder := filepath.Dir(file)
	entries, err := os.ReadDir(folder)
	if err != nil {
		for folder != filepath.Dir(folder) {
			folder = filepath.Dir(folder)
			if _, err := os.Stat(folder); err == nil {
				break
			}
		}
		return "the path exists as far as " + folder
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".pub") && !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	if near := nearest(filepath.Base(file), names); near != "" {
		return "did you mean " + filepath.Join(folder, near) + "?"
	}
	return "ssh-keygen -t ed25519 -f " + quote(file) + " makes one"
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./~@%+=:,-]+$`)

// quote is for a shell.
func quote(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
