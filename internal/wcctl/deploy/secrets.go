package deploy

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/wastecoach/wastecoach/internal/selfsigned"
)

const (
	dataNamespace = "data"
	database      = "wastecoach"
	superuser     = "postgres"
	// s3TLS is what the gateway shows to pgbackrest, which speaks nothing but TLS.
	s3TLS         = "s3-tls"
	secretBytes   = 24
	masterKeySize = 32
)

// Keeper keeps secrets between runs, readable by their owner alone.
type Keeper interface {
	// Load is empty before the first Save.
	Load() ([]byte, error)
	Save(data []byte) error
}

// vault is everything secret that the system needs. Each entry is generated once, unless the cluster
// or the user has one already.
type vault map[string]string

// The names in a vault, which are those of a user's own file, too.
const (
	keyPostgres  = "postgres-password"
	keyRedis     = "redis-password"
	keyS3Access  = "s3-access-key"
	keyS3Secret  = "s3-secret-key" //nolint:gosec // a name
	keyMaster    = "auth-master-key"
	keyProviders = "auth-providers"
	keyIDP       = "idp-client-secret"
	keyS3CA      = "s3-ca.crt"
	keyS3Cert    = "s3-tls.crt"
	keyS3Key     = "s3-tls.key"
)

func keyRole(service string) string     { return service + "-postgres-password" }
func keyInternal(service string) string { return service + "-internal-token" }

// secrets makes what is missing in these namespaces. They never appear in an event, a log or an error.
func (d *Deployer) secrets(ctx context.Context, namespaces []string) error {
	v, err := d.openVault(ctx)
	if err != nil {
		return err
	}
	if slices.Contains(namespaces, "auth") && v[keyProviders] == "" {
		return ErrNoProviders
	}
	address, err := d.databaseURL(ctx, v[keyPostgres])
	if err != nil {
		return err
	}
	for _, namespace := range namespaces {
		data, err := d.secretsOf(v, namespace, address)
		if err != nil {
			return err
		}
		for name, data := range data {
			if err := d.ensureSecret(ctx, namespace, name, data); err != nil {
				return err
			}
		}
		if namespace == ingressNamespace && d.lab() {
			if err := d.configMap(ctx, namespace, acmeCA, v[keyPebbleCA]); err != nil {
				return err
			}
		}
	}
	return nil
}

// openVault reads what is known, takes over what the cluster has, generates the rest and keeps it
// before any of it is used.
func (d *Deployer) openVault(ctx context.Context) (vault, error) {
	kept, err := d.Secrets.Load()
	if err != nil {
		return nil, fmt.Errorf("reading the kept secrets: %w", err)
	}
	v := vault{}
	if len(kept) > 0 {
		if err := json.Unmarshal(kept, &v); err != nil {
			return nil, fmt.Errorf("reading the kept secrets: %w", err)
		}
	}
	if err := d.adopt(ctx, v); err != nil {
		return nil, err
	}
	v.generate()
	if err := v.certify(keyS3CA, keyS3Cert, keyS3Key, "s3.data.svc", "s3.data.svc.cluster.local", "s3"); err != nil {
		return nil, err
	}
	if d.lab() {
		if err := errors.Join(v.generateLab(), d.labProvider(v)); err != nil {
			return nil, err
		}
	}
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("keeping the secrets: %w", err)
	}
	if err := d.Secrets.Save(append(data, '\n')); err != nil {
		return nil, fmt.Errorf("keeping the secrets: %w", err)
	}
	return v, nil
}

// adopt lets the cluster's Secrets win: the data there is closed with them.
func (d *Deployer) adopt(ctx context.Context, v vault) error {
	take := func(namespace, name string, keys map[string]string) error {
		data, err := d.secret(ctx, namespace, name)
		for from, to := range keys {
			if value, ok := data[from]; ok {
				v[to] = string(value)
			}
		}
		return err
	}
	if err := take(dataNamespace, "postgres", map[string]string{"password": keyPostgres}); err != nil {
		return err
	}
	if err := take(dataNamespace, "redis", map[string]string{"password": keyRedis}); err != nil {
		return err
	}
	err := take(dataNamespace, "s3", map[string]string{"access-key": keyS3Access, "secret-key": keyS3Secret})
	if err != nil {
		return err
	}
	err = take(dataNamespace, s3TLS, map[string]string{"ca.crt": keyS3CA, "tls.crt": keyS3Cert, "tls.key": keyS3Key})
	if err != nil {
		return err
	}
	for _, service := range Services() {
		prefix := strings.ToUpper(service) + "_"
		keys := map[string]string{prefix + "INTERNAL_TOKEN": keyInternal(service)}
		if service == "auth" {
			keys["AUTH_MASTER_KEY"], keys["AUTH_PROVIDERS"] = keyMaster, keyProviders
		}
		if err := take(service, service, keys); err != nil {
			return err
		}
	}
	return nil
}

// generate fills what is empty.
func (v vault) generate() {
	fill := func(key, value string) {
		if v[key] == "" {
			v[key] = value
		}
	}
	for _, key := range []string{keyPostgres, keyRedis, keyS3Secret, keyIDP} {
		fill(key, newSecret())
	}
	fill(keyS3Access, "wc"+newSecret()[:18])
	fill(keyMaster, base64.StdEncoding.EncodeToString(random(masterKeySize)))
	for _, service := range Services() {
		fill(keyRole(service), newSecret())
		fill(keyInternal(service), newSecret())
	}
}

// certify makes a server's certificate for these names, unless there is one.
func (v vault) certify(authority, certificate, key string, names ...string) error {
	if v[key] != "" {
		return nil
	}
	pair, err := selfsigned.Make(names...)
	if err != nil {
		return err
	}
	v[authority], v[certificate], v[key] = pair.Authority, pair.Certificate, pair.Key
	return nil
}

// newSecret is hexadecimal: it needs quoting neither in a URL nor in a shell.
func newSecret() string { return hex.EncodeToString(random(secretBytes)) }

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // crypto/rand never fails
	return b
}

// secretsOf is the Secrets of a namespace by name, their keys as the charts read them.
func (d *Deployer) secretsOf(v vault, namespace string, address *url.URL) (map[string]map[string]string, error) {
	switch {
	case namespace == dataNamespace:
		secrets := map[string]map[string]string{
			"redis": {"password": v[keyRedis]},
			"s3":    {"access-key": v[keyS3Access], "secret-key": v[keyS3Secret]},
			s3TLS:   {"ca.crt": v[keyS3CA], "tls.crt": v[keyS3Cert], "tls.key": v[keyS3Key]},
		}
		if address != nil && address.Host == ourDatabase {
			secrets["postgres"] = map[string]string{"username": superuser, "password": v[keyPostgres]}
		}
		return secrets, nil
	case namespace == labNamespace && d.lab():
		settings, err := d.idpSettings(v[keyIDP])
		return map[string]map[string]string{
			"idp":    {"settings.json": settings},
			"pebble": {"tls.crt": v[keyPebbleCert], "tls.key": v[keyPebbleKey]},
		}, err
	case !slices.Contains(Services(), namespace):
		return nil, nil
	}
	secrets := map[string]map[string]string{namespace: v.environ(namespace)}
	if address != nil {
		key := strings.ToUpper(namespace) + "_POSTGRES_DSN"
		secrets[namespace][key] = serviceDSN(address, namespace, v[keyRole(namespace)])
		secrets["migrator"] = map[string]string{"dsn": address.String()}
	}
	return secrets, nil
}

// environ is the secret variables of a service but its database's; docs/configuration.md lists all.
func (v vault) environ(service string) map[string]string {
	vars := map[string]string{}
	if service != "users" {
		vars["REDIS_PASSWORD"] = v[keyRedis]
	}
	if service == "waste" || service == "users" {
		vars["S3_ACCESS_KEY"], vars["S3_SECRET_KEY"] = v[keyS3Access], v[keyS3Secret]
	}
	for _, peer := range []string{"auth", "waste", "recycling"} {
		switch service {
		case peer:
			vars["INTERNAL_TOKEN"] = v[keyInternal(peer)]
		case "users":
			vars[strings.ToUpper(peer)+"_INTERNAL_TOKEN"] = v[keyInternal(peer)]
		}
	}
	if service == "auth" {
		vars["MASTER_KEY"], vars["PROVIDERS"] = v[keyMaster], v[keyProviders]
	}
	all := map[string]string{}
	for name, value := range vars {
		all[strings.ToUpper(service)+"_"+name] = value
	}
	return all
}
