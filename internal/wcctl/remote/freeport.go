package remote

import (
	"context"
	_ "embed"
	"net"
	"strings"
	"time"
)

// freePortScript ends the SSH sessions, other than its own, that listen on the port $PORT.
//
//go:embed freeport.sh
var freePortScript string

const freePortTimeout = 20 * time.Second

// freePort tells whether it ended a stale login that held the address's port.
func (c *Client) freePort(address string) (bool, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil || port == "" || port == "0" {
		return false, errNoPort
	}
	ctx, cancel := context.WithTimeout(context.Background(), freePortTimeout)
	defer cancel()
	out, err := c.Output(ctx, "PORT="+quote(port)+" sh -s", strings.NewReader(freePortScript))
	return strings.TrimSpace(out) == "freed", err
}
