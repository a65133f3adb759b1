package kube

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
)

const (
	day = 24 * time.Hour
	// Certificates of a year need somebody who renews them in time.
	certificateWarning = 90
	certificateFailing = 30
	// A kubelet renews its own in the last tenth to third of its life: less is what is odd.
	kubeletWarning = 30
	kubeletFailing = 7
	// certificatesAge spares the machines an SSH command at each look.
	certificatesAge = 10 * time.Minute
)

// Certificate is one certificate that the cluster lives on.
type Certificate struct {
	// Machine is empty for what this computer holds.
	Machine string `json:"machine,omitempty"`
	// Name is its file's, or what it is for.
	Name     string    `json:"name"`
	NotAfter time.Time `json:"not_after"`
	DaysLeft int       `json:"days_left"`
	// Authority marks those that sign others.
	Authority bool `json:"authority"`
	// Renews marks those that their owner renews by itself.
	Renews bool `json:"renews"`
}

func newCertificate(machine, name string, cert *x509.Certificate, now time.Time) Certificate {
	return Certificate{
		Machine: machine, Name: name, NotAfter: cert.NotAfter, Authority: cert.IsCA,
		DaysLeft: int(cert.NotAfter.Sub(now) / day), Renews: strings.Contains(name, "kubelet-client"),
	}
}

// State judges the days that are left.
func (c Certificate) State() State {
	warn, fail := certificateWarning, certificateFailing
	if c.Renews {
		warn, fail = kubeletWarning, kubeletFailing
	}
	switch {
	case c.DaysLeft < fail:
		return Failing
	case c.DaysLeft < warn:
		return Warning
	}
	return OK
}

// String is e.g. "apiserver.crt of demo-control-plane: 364 days left".
func (c Certificate) String() string {
	name := c.Name
	if c.Machine != "" {
		name += " of " + c.Machine
	}
	if c.DaysLeft < 0 {
		return fmt.Sprintf("%s: expired on %s", name, c.NotAfter.Format(time.DateOnly))
	}
	return fmt.Sprintf("%s: %s left", name, count(c.DaysLeft, "day"))
}

// readCertificates reads what the API server shows, what the kubeconfig holds, and the files on the
// machines; an error names what could not be read.
func (c *Cluster) readCertificates(ctx context.Context, opts Options) ([]Certificate, []error) {
	var (
		mu    sync.Mutex
		wg    sync.WaitGroup
		found []Certificate
		errs  []error
	)
	add := func(certs []Certificate, err error) {
		mu.Lock()
		defer mu.Unlock()
		found = append(found, certs...)
		if err != nil {
			errs = append(errs, err)
		}
	}
	wg.Go(func() { add(c.servingCertificate(ctx)) })
	wg.Go(func() { add(c.ownCertificate()) })
	if opts.Run != nil {
		for _, m := range opts.Fleet {
			wg.Go(func() { add(c.machineCertificates(ctx, opts.Run, m)) })
		}
	}
	wg.Wait()
	slices.SortFunc(found, func(a, b Certificate) int {
		return strings.Compare(a.Machine+"\x00"+a.Name, b.Machine+"\x00"+b.Name)
	})
	return found, errs
}

func (c *Cluster) servingCertificate(ctx context.Context) ([]Certificate, error) {
	dialer := tls.Dialer{Config: &tls.Config{
		InsecureSkipVerify: true, //nolint:gosec // it is only looked at: an expired one must be seen too
		MinVersion:         tls.VersionTLS12,
		ServerName:         c.config.TLSClientConfig.ServerName,
	}}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	conn, err := dialer.DialContext(ctx, "tcp", c.address)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate of %s: %w", c.address, err)
	}
	defer conn.Close()
	secure, isTLS := conn.(*tls.Conn)
	if !isTLS || len(secure.ConnectionState().PeerCertificates) == 0 {
		return nil, fmt.Errorf("reading the certificate of %s: it shows none", c.address)
	}
	first := secure.ConnectionState().PeerCertificates[0]
	return []Certificate{newCertificate("", "API server", first, time.Now())}, nil
}

// ownCertificate is the one in the kubeconfig; there may be a token instead.
func (c *Cluster) ownCertificate() ([]Certificate, error) {
	if len(c.config.CertData) == 0 {
		return nil, nil
	}
	certs, err := parseCertificates("", "kubeconfig", string(c.config.CertData))
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig's certificate: %w", err)
	}
	return certs, nil
}

// certificateScript prints each certificate after a line with its file's name; keys stay there.
const certificateScript = `cd / || exit 1
for f in etc/kubernetes/pki/*.crt etc/kubernetes/pki/etcd/*.crt var/lib/kubelet/pki/kubelet-client-current.pem; do
  if [ -r "$f" ]; then echo "file: $f"; sed -n '/BEGIN CERTIFICATE/,/END CERTIFICATE/p' "$f"; fi
done
for f in etc/kubernetes/*.conf; do
  if grep -q client-certificate-data: "$f" 2>/dev/null; then
    echo "file: $f"; sed -n 's/.*client-certificate-data: *//p' "$f" | base64 -d
  fi
done
`

func (c *Cluster) machineCertificates(ctx context.Context, run Run, m fleet.Machine) ([]Certificate, error) {
	type result struct {
		certs []Certificate
		err   error
	}
	r := recall(c, "certificates/"+m.Name, func() (result, time.Duration) {
		output, err := run(ctx, m, certificateScript)
		if err != nil {
			return result{err: fmt.Errorf("reading the certificates of %s: %w", m.Name, err)}, 0
		}
		certs, err := parseFiles(m.Name, output)
		return result{certs, err}, certificatesAge
	})
	return r.certs, r.err
}

// parseFiles reads what certificateScript prints.
func parseFiles(machine, output string) ([]Certificate, error) {
	var (
		found []Certificate
		errs  []error
		name  string
		text  strings.Builder
	)
	flush := func() {
		if name == "" || text.Len() == 0 {
			return
		}
		certs, err := parseCertificates(machine, name, text.String())
		found, errs = append(found, certs...), append(errs, err)
		text.Reset()
	}
	lines := bufio.NewScanner(strings.NewReader(output))
	for lines.Scan() {
		if file, isName := strings.CutPrefix(lines.Text(), "file: "); isName {
			flush()
			name = shortFile(file)
			continue
		}
		text.WriteString(lines.Text() + "\n")
	}
	flush()
	return found, errors.Join(errs...)
}

// shortFile is the name under which kubeadm knows a file, e.g. etcd/server.crt.
func shortFile(path string) string {
	for _, prefix := range []string{"etc/kubernetes/pki/", "etc/kubernetes/", "var/lib/kubelet/pki/"} {
		if rest, found := strings.CutPrefix(path, prefix); found {
			return rest
		}
	}
	return path
}

// parseCertificates reads the first certificate of a PEM file: the others only vouch for it.
func parseCertificates(machine, name, text string) ([]Certificate, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, fmt.Errorf("%s of %s holds no certificate", name, machine)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("reading %s of %s: %w", name, machine, err)
	}
	return []Certificate{newCertificate(machine, name, cert, time.Now())}, nil
}

func judgeCertificates(s *snapshot, opts Options) Condition {
	if len(s.certificates) == 0 {
		return unknown(errors.Join(append(s.certificateErr, errors.New("no certificate could be read"))...))
	}
	shortest := slices.MinFunc(s.certificates, func(a, b Certificate) int { return a.DaysLeft - b.DaysLeft })
	var failed, warned []string
	for _, c := range s.certificates {
		switch c.State() {
		case Failing:
			failed = append(failed, c.String())
		case Warning:
			warned = append(warned, c.String())
		}
	}
	const hint = "sudo kubeadm certs renew all # on the control plane, then: sudo systemctl restart kubelet"
	switch {
	case len(failed) > 0:
		return failing(time.Time{}, hint, "%s", few(failed))
	case len(warned) > 0:
		return warning(hint, "%s", few(warned))
	case len(s.certificateErr) > 0:
		return warning("wcctl doctor", "%s; %s", shortest, oneLine(errors.Join(s.certificateErr...)))
	case opts.Run == nil:
		return ok(time.Time{}, "%s; those on the machines were not read", shortest)
	}
	return ok(time.Time{}, "the first of %d ends: %s", len(s.certificates), shortest)
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
