package deploy

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wastecoach/wastecoach/internal/wcctl/redact"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

const (
	certificateName  = "certificate"
	certificateTitle = "The way in's certificate"
	// gatewayCertificate is the object of charts/ingress.
	gatewayCertificate = "gateway"
)

// CertificateError is a certificate that has not come in time; Waits has a line for what it waits for.
type CertificateError struct{ Waits []string }

// Error implements error.
func (e *CertificateError) Error() string {
	return "cert-manager has not got the certificate yet, and goes on trying" + indent(e.Waits)
}

func indent(lines []string) string {
	text := ""
	for _, line := range lines {
		text += "\n    " + line
	}
	return text
}

// certified tells whether cert-manager gets the certificate.
func (d *Deployer) certified() bool {
	s := d.Spec.Spec
	release := s.Platform[ingressNamespace]
	acme, _ := release.Values["acme"].(map[string]any)
	return s.Ingress.Flavor == spec.F5 && !release.Disabled && acme["enabled"] != false
}

// awaitCertificate comes last: an authority is asked while services start, and who has no DNS yet has all else.
func (d *Deployer) awaitCertificate(ctx context.Context) error {
	waiting, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	tick := time.NewTicker(d.Poll)
	defer tick.Stop()
	var told []string
	for {
		ready, waits := d.certificate(waiting)
		if ready {
			return nil
		}
		if waiting.Err() == nil && !slices.Equal(waits, told) {
			told = waits
			d.note(certificateName, "", strings.Join(waits, "; "))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-waiting.Done():
			return &CertificateError{Waits: told}
		case <-tick.C:
		}
	}
}

// certificate tells whether there is a real one, or nobody asks for any, and else what it waits for: each name's
// challenge where there are such.
func (d *Deployer) certificate(ctx context.Context) (ready bool, waits []string) {
	var certificate struct {
		Metadata struct{ Generation int64 }
		Status   struct{ Conditions []metav1.Condition }
	}
	err := d.get(ctx, "cert-manager.io/v1", "certificates/"+gatewayCertificate, &certificate)
	if apierrors.IsNotFound(err) { // values in Git may say so
		return true, nil
	}
	if err != nil {
		return false, []string{err.Error()}
	}
	for _, c := range certificate.Status.Conditions {
		// After a change, e.g. of the names, cert-manager has not looked yet.
		seen := c.ObservedGeneration == certificate.Metadata.Generation
		if c.Type == "Ready" && c.Status == metav1.ConditionTrue && seen {
			return true, nil
		}
		if c.Message != "" {
			waits = append(waits, c.Message)
		}
	}
	var list struct {
		Items []struct {
			Spec   struct{ DNSName string }
			Status struct{ State, Reason string }
		}
	}
	if err := d.get(ctx, "acme.cert-manager.io/v1", "challenges", &list); err != nil || len(list.Items) == 0 {
		return false, waits
	}
	waits = nil
	for _, c := range list.Items {
		line := c.Spec.DNSName + " is " + c.Status.State
		if c.Status.Reason != "" {
			line += ": " + c.Status.Reason
		}
		waits = append(waits, redact.Text(line))
	}
	return false, waits
}

// get reads objects of the way in that have no types here.
func (d *Deployer) get(ctx context.Context, version, path string, into any) error {
	data, err := d.Kube.CoreV1().RESTClient().Get().
		AbsPath("/apis", version, "namespaces", ingressNamespace, path).DoRaw(ctx)
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		return fmt.Errorf("asking for %s: %w", path, err)
	}
	return nil
}
