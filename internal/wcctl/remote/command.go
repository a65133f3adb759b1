package remote

import (
	"strconv"
	"strings"

	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
)

const defaultPort = 22

// SSHCommand is OpenSSH's command for the same login, to be shown; options come first.
func (o Options) SSHCommand(options ...string) string {
	command := append([]string{"ssh"}, options...)
	if o.KeyFile != "" {
		command = append(command, "-i", o.KeyFile)
	}
	if o.KnownHosts != "" {
		command = append(command, "-o", "UserKnownHostsFile="+o.KnownHosts)
	}
	s := o.Machine.SSH
	switch {
	case s.ProxyCommand != "":
		command = append(command, "-o", "ProxyCommand="+s.ProxyCommand)
	case o.Bastion != nil:
		b := o.bastionHop().Machine.SSH
		command = append(command, "-J", login(b)+":"+strconv.Itoa(b.Port))
	}
	if s.Port != 0 && s.Port != defaultPort {
		command = append(command, "-p", strconv.Itoa(s.Port))
	}
	for i, word := range command {
		command[i] = quote(word)
	}
	return strings.Join(append(command, login(s)), " ")
}

// SSHCommand is OpenSSH's command for the same login, to be shown.
func (c *Client) SSHCommand() string { return c.options.SSHCommand() }

// login is user@host.
func login(s fleet.SSH) string {
	if s.User == "" {
		return s.Host
	}
	return s.User + "@" + s.Host
}

// quote makes one word of s for a POSIX shell.
func quote(s string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@%+=,"
	if s != "" && strings.Trim(s, plain) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
