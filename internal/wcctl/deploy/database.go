package deploy

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

const (
	ourDatabase  = "postgres.data.svc:5432"
	databasePort = "5432"
	// outsideKey, in the Secret data/postgres, is the address of a database outside for a role that may make roles.
	outsideKey = "dsn"
)

// NoDatabaseError is a database outside that the services could not use.
type NoDatabaseError struct{ Faults []string }

// Error implements error.
func (e *NoDatabaseError) Error() string {
	return "PostgreSQL is outside (spec.platform.data.values.postgres.enabled is false), but " +
		strings.Join(e.Faults, "; ")
}

// databaseOutside tells whether the platform brings no PostgreSQL.
func (d *Deployer) databaseOutside(ctx context.Context) (bool, error) {
	values := d.Spec.Spec.Platform["data"].Values
	if written, there, err := d.written(ctx, "data"); err != nil {
		return false, err
	} else if there {
		values = written
	}
	postgres, _ := values["postgres"].(map[string]any)
	enabled, said := postgres["enabled"].(bool)
	return said && !enabled, nil
}

// databaseURL is where PostgreSQL is, with the role that migrates: ours, or what the Secret data/postgres
// says of one outside. nil where that says nothing: then every service's own Secrets have to.
func (d *Deployer) databaseURL(ctx context.Context, ourPassword string) (*url.URL, error) {
	outside, err := d.databaseOutside(ctx)
	if err != nil {
		return nil, err
	}
	if !outside {
		return &url.URL{
			Scheme: "postgres", User: url.UserPassword(superuser, ourPassword), Host: ourDatabase,
			Path: "/" + database, RawQuery: "sslmode=disable",
		}, nil
	}
	data, err := d.secret(ctx, dataNamespace, "postgres")
	if err != nil || len(data[outsideKey]) == 0 {
		return nil, err
	}
	address, err := url.Parse(strings.TrimSpace(string(data[outsideKey])))
	if err != nil || address.Scheme != "postgres" && address.Scheme != "postgresql" || address.User == nil ||
		address.Hostname() == "" || len(address.Path) < 2 {
		// Not the parser's error, which holds the password.
		return nil, &NoDatabaseError{[]string{"the key dsn of the Secret data/postgres is no " +
			"postgres://USER:PASSWORD@HOST/DATABASE"}}
	}
	return address, nil
}

// checkDatabase tells before anything changes whether services would not reach a database outside.
func (d *Deployer) checkDatabase(ctx context.Context, works []work) error {
	outside, err := d.databaseOutside(ctx)
	if err != nil || !outside {
		return err
	}
	address, err := d.databaseURL(ctx, "")
	if err != nil {
		return err
	}
	var faults []string
	for _, w := range works {
		if w.service == "" {
			continue
		}
		found, err := d.databaseFaults(ctx, w, address)
		if err != nil {
			return err
		}
		faults = append(faults, found...)
	}
	if len(faults) > 0 {
		return &NoDatabaseError{faults}
	}
	return nil
}

// databaseFaults are those of one service: its Secrets, and the network that it may reach.
func (d *Deployer) databaseFaults(ctx context.Context, w work, address *url.URL) ([]string, error) {
	var faults []string
	hosts := map[string]string{} // and their ports
	for name, key := range map[string]string{
		w.service: strings.ToUpper(w.service) + "_POSTGRES_DSN", "migrator": outsideKey,
	} {
		data, err := d.secret(ctx, w.service, name)
		if err != nil {
			return nil, err
		}
		used := address
		if own, has := data[key]; has {
			used, err = url.Parse(string(own))
		}
		where := fmt.Sprintf("the Secret %s/%s", w.service, name)
		switch {
		case err != nil:
			return nil, errors.New(where + " has no address as " + key) // the parser's error holds the password
		case used == nil:
			faults = append(faults, where+" has no "+key+", nor has data/postgres a dsn")
		case used.Host == ourDatabase:
			faults = append(faults, where+" still names the cluster's own in "+key)
		default:
			hosts[used.Hostname()] = used.Port()
		}
	}
	for host, port := range hosts {
		if fault := unreachable(w, host, port); fault != "" {
			faults = append(faults, fault)
		}
	}
	return faults, nil
}

// unreachable tells why the service's own NetworkPolicy would not let it there; empty where it would.
func unreachable(w work, host, port string) string {
	policy, _ := w.target.Values["networkPolicy"].(map[string]any)
	networks, _ := policy["externalData"].([]any)
	switch enabled, said := policy["enabled"].(bool); {
	case said && !enabled:
	case port != "" && port != databasePort:
		return fmt.Sprintf("%s may reach databases at port %s only, not %s", w.service, databasePort, port)
	case len(networks) == 0 && !strings.HasSuffix(host, ".svc") && !strings.Contains(host, ".svc."):
		return fmt.Sprintf("networkPolicy.externalData of %s names no network with %s", w.service, host)
	}
	return ""
}

// serviceDSN is the address for a service's own role.
func serviceDSN(database *url.URL, user, password string) string {
	address := *database
	address.User = url.UserPassword(user, password)
	return address.String()
}
