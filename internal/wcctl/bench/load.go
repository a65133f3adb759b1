package bench

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"
)

const (
	dialTimeout   = 3 * time.Second
	answerTimeout = 10 * time.Second
	// redialPause keeps a server that is gone from being dialed in a tight loop.
	redialPause = 20 * time.Millisecond
)

// Load asks targets for jobs as fast as clients with one kept connection each can.
type Load struct {
	// Targets are base URLs; the clients are spread over them.
	Targets []string
	// Path is the route of a job without its id.
	Path string
	// Token authenticates; empty for none.
	Token   string
	Clients int
}

// Round is what one load measured.
type Round struct {
	Requests int           `json:"requests"`
	Rate     float64       `json:"rate"`
	P50      time.Duration `json:"-"`
	P95      time.Duration `json:"-"`
	P99      time.Duration `json:"-"`
	Max      time.Duration `json:"-"`
	// Errors counts by HTTP status or "connection"; they are no part of Requests.
	Errors map[string]int `json:"errors"`
}

// Run polls the ids in turn for the duration.
func (l Load) Run(ctx context.Context, ids []string, duration time.Duration) (Round, error) {
	if len(ids) == 0 || len(l.Targets) == 0 || l.Clients < 1 {
		return Round{}, errors.New("a load needs jobs, targets and clients")
	}
	pollers := make([]*poller, l.Clients)
	for i := range pollers {
		p, err := l.poller(l.Targets[i%len(l.Targets)], ids)
		if err != nil {
			return Round{}, err
		}
		p.next = i // so that not all ask for the same job
		pollers[i] = p
	}
	start := time.Now()
	deadline := start.Add(duration)
	var group sync.WaitGroup
	for _, p := range pollers {
		group.Go(func() { p.run(ctx, deadline) })
	}
	group.Wait()
	return sum(pollers, time.Since(start)), ctx.Err()
}

// poller is one client. It writes prepared requests to its own connection: a load generator that
// builds each request through http.Client would itself be what is measured on a small machine.
type poller struct {
	address  string
	tls      *tls.Config
	requests [][]byte
	next     int
	conn     net.Conn
	in       *bufio.Reader
	took     []time.Duration
	errors   map[string]int
}

func (l Load) poller(target string, ids []string) (*poller, error) {
	base, err := url.Parse(target)
	if err != nil {
		return nil, fmt.Errorf("reading the address of a replica: %w", err)
	}
	p := &poller{address: base.Host, errors: map[string]int{}}
	port := "80"
	if base.Scheme == "https" {
		port = "443"
		p.tls = &tls.Config{ServerName: base.Hostname(), MinVersion: tls.VersionTLS12}
	}
	if base.Port() == "" {
		p.address = net.JoinHostPort(base.Hostname(), port)
	}
	auth := ""
	if l.Token != "" {
		auth = "Authorization: Bearer " + l.Token + "\r\n"
	}
	for _, id := range ids {
		p.requests = append(p.requests, []byte("GET "+base.Path+l.Path+id+" HTTP/1.1\r\nHost: "+
			base.Host+"\r\n"+auth+"\r\n"))
	}
	return p, nil
}

func (p *poller) run(ctx context.Context, deadline time.Time) {
	defer p.close()
	for ctx.Err() == nil {
		if err := p.connect(ctx); err != nil {
			p.errors["connection"]++
			if sleep(ctx, redialPause); !time.Now().Before(deadline) {
				return
			}
			continue
		}
		start := time.Now()
		if !start.Before(deadline) {
			return
		}
		status, err := p.poll(start)
		switch {
		case err != nil:
			p.errors["connection"]++
			p.close()
		case status != http.StatusOK:
			p.errors[strconv.Itoa(status)]++
		default:
			p.took = append(p.took, time.Since(start))
		}
	}
}

func (p *poller) connect(ctx context.Context) error {
	if p.conn != nil {
		return nil
	}
	dialer := net.Dialer{Timeout: dialTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", p.address)
	if err != nil {
		return err
	}
	if p.tls != nil {
		conn = tls.Client(conn, p.tls)
	}
	p.conn, p.in = conn, bufio.NewReader(conn)
	return nil
}

func (p *poller) close() {
	if p.conn != nil {
		_ = p.conn.Close()
		p.conn = nil
	}
}

func (p *poller) poll(now time.Time) (status int, err error) {
	if err := p.conn.SetDeadline(now.Add(answerTimeout)); err != nil {
		return 0, err
	}
	if _, err := p.conn.Write(p.requests[p.next%len(p.requests)]); err != nil {
		return 0, err
	}
	p.next++
	res, err := http.ReadResponse(p.in, nil)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, res.Body)
	if err = errors.Join(err, res.Body.Close()); err == nil && res.Close {
		p.close()
	}
	return res.StatusCode, err
}

func sum(pollers []*poller, took time.Duration) Round {
	r := Round{Errors: map[string]int{}}
	var all []time.Duration
	for _, p := range pollers {
		all = append(all, p.took...)
		for kind, n := range p.errors {
			r.Errors[kind] += n
		}
	}
	slices.Sort(all)
	r.Requests, r.Rate = len(all), float64(len(all))/took.Seconds()
	r.P50, r.P95, r.P99 = Quantile(all, .5), Quantile(all, .95), Quantile(all, .99)
	r.Max = Quantile(all, 1)
	return r
}

// Quantile is the value that the share q of the sorted values does not exceed; 0 where there are
// none.
func Quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	i := int(q*float64(len(sorted))+0.999999) - 1
	return sorted[min(max(i, 0), len(sorted)-1)]
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
