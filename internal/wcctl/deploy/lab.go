package deploy

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1apply "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

// What only machines of this computer have: charts/lab.
const (
	labNamespace     = "lab"
	ingressNamespace = "ingress"
	acmeServer       = "https://pebble.lab.svc:14000/dir"
	// acmeCA holds who signed the ACME server's own certificate, systemCA who signs the system's.
	acmeCA   = "pebble-ca"
	systemCA = "lab-ca"
	caKey    = "ca.crt"

	keyPebbleCA   = "pebble-ca.crt"
	keyPebbleCert = "pebble-tls.crt"
	keyPebbleKey  = "pebble-tls.key"
)

// lab tells whether the cluster has the lab's own authority and logins.
func (d *Deployer) lab() bool {
	return d.Spec.Spec.Target == spec.Local && !d.Spec.Spec.Platform[labNamespace].Disabled
}

// labValues are those of a chart that stands in the lab.
func (d *Deployer) labValues(chart string) map[string]any {
	if !d.lab() {
		return nil
	}
	switch chart {
	case "data":
		// What Debian 12 has, of which a bundle's image is made.
		return map[string]any{"redis": map[string]any{"image": map[string]any{"tag": "7.0.15-bookworm"}}}
	case "ingress":
		values := map[string]any{"acme": map[string]any{
			"server": acmeServer, "caConfigMap": acmeCA, "hosts": []any{"api", "files", "idp"},
		}}
		if d.Edge != "" {
			values["publishAddresses"] = []any{d.Edge}
		}
		return values
	case labNamespace:
		return map[string]any{"pebble": map[string]any{"edgeAddress": d.Edge}}
	case serviceChart:
		values := map[string]any{"ca": map[string]any{"configMap": systemCA}}
		if d.Edge != "" {
			var names []any
			for _, host := range []string{"api", "files", "idp"} {
				names = append(names, host+"."+d.Spec.Spec.Domain)
			}
			values["hostAliases"] = []any{map[string]any{"ip": d.Edge, "hostnames": names}}
		}
		return values
	}
	return nil
}

// idpSettings are what charts/lab's OpenID provider reads: one user, who need not log in.
func (d *Deployer) idpSettings(secret string) (string, error) {
	settings, err := json.Marshal(map[string]any{
		"issuer": d.issuer(), "autoApprove": true,
		"users": []any{map[string]any{"sub": "lab-user", "name": "Lab User", "email": "user@lab.test"}},
		"clients": []any{map[string]any{
			"id": labClient, "secret": secret, "redirectURIs": []string{loopbackRedirect},
		}},
	})
	if err != nil {
		return "", fmt.Errorf("encoding the login provider's settings: %w", err)
	}
	return string(settings), nil
}

func (d *Deployer) issuer() string { return "https://idp." + d.Spec.Spec.Domain }

// trust writes the certificates of the lab's authority to where pods of the namespace read them. The
// authority makes a new one whenever it starts.
func (d *Deployer) trust(ctx context.Context, namespace string) error {
	root, err := d.Authority(ctx)
	if err != nil || root == nil {
		return err
	}
	return d.configMap(ctx, namespace, systemCA, string(root))
}

// Authority is the certificates of the lab's authority, nil where the world's are believed: the one that
// it has now and, since its restarts, those before, of which the way in may still have its own.
func (d *Deployer) Authority(ctx context.Context) ([]byte, error) {
	if !d.lab() {
		return nil, nil
	}
	found, err := d.Kube.CoreV1().ConfigMaps(labNamespace).Get(ctx, systemCA, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("reading the lab's certificates: %w", err)
	}
	known := ""
	if err == nil {
		known = found.Data[caKey]
	}
	root, err := d.Kube.CoreV1().Services(labNamespace).
		ProxyGet("https", "pebble", "15000", "/roots/0", nil).DoRaw(ctx)
	text := strings.TrimSpace(string(root))
	switch {
	case err != nil && known != "": // it is away; what it signed is still good
		return []byte(known), nil
	case err != nil:
		return nil, fmt.Errorf("asking the lab's authority for its certificate: %w", err)
	case strings.Contains(known, text):
		return []byte(known), nil
	}
	all := known + text + "\n"
	return []byte(all), d.configMap(ctx, labNamespace, systemCA, all)
}

func (d *Deployer) configMap(ctx context.Context, namespace, name, certificate string) error {
	_, err := d.Kube.CoreV1().ConfigMaps(namespace).Apply(ctx,
		corev1apply.ConfigMap(name, namespace).WithData(map[string]string{caKey: certificate}),
		metav1.ApplyOptions{FieldManager: fieldManager, Force: true})
	if err != nil {
		return fmt.Errorf("writing the configuration %s/%s: %w", namespace, name, err)
	}
	return nil
}

// generateLab makes the certificate with which the ACME server itself is asked.
func (v vault) generateLab() error {
	return v.certify(keyPebbleCA, keyPebbleCert, keyPebbleKey,
		"pebble.lab.svc", "pebble.lab.svc.cluster.local", "pebble")
}
