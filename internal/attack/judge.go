package attack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// answer is what came back; its status is 0 where nothing did.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) value() any {
	var v any
	if err := json.Unmarshal(a.body, &v); err != nil {
		return nil
	}
	return v
}

// send sends a request, counts it and judges the answer.
func (r *run) send(ctx context.Context, s shot) answer {
	payload, err := s.payload()
	if err != nil {
		r.fault(NoAnswer, s, "%v", err)
		return answer{}
	}
	got, err := r.exchange(ctx, s, payload)
	if ctx.Err() != nil {
		return answer{}
	}
	r.mu.Lock()
	r.report.Requests++
	r.report.Statuses[got.status/100]++
	r.mu.Unlock()
	if err != nil {
		if len(payload) <= refusable { // a server may hang up on who goes on talking
			r.fault(NoAnswer, s, "%v", err)
		}
		return got
	}
	r.judge(s, payload, got)
	return got
}

func (r *run) exchange(ctx context.Context, s shot, payload []byte) (answer, error) {
	base, err := url.Parse(r.URL)
	if err != nil {
		return answer{}, fmt.Errorf("reading the target's URL: %w", err)
	}
	request := (&http.Request{
		// Opaque reaches the wire as it is, broken escapes and all.
		Method: s.method, URL: &url.URL{Scheme: base.Scheme, Host: base.Host, Opaque: s.target()},
		Host: base.Host, Header: s.header.Clone(), Body: http.NoBody,
	}).WithContext(ctx)
	if len(payload) > 0 {
		request.Body, request.ContentLength = io.NopCloser(bytes.NewReader(payload)), int64(len(payload))
	}
	response, err := r.client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	return answer{response.StatusCode, response.Header, body}, err
}

func (r *run) judge(s shot, payload []byte, got answer) {
	switch {
	case got.status >= http.StatusInternalServerError:
		r.fault(ServerError, s, "answered %d %s", got.status, got.body)
	case got.status == http.StatusTooManyRequests:
		r.fault(Limited, s, "%s", got.body)
	case s.closed && got.status < http.StatusBadRequest:
		r.fault(Foreign, s, "let in with %d %s", got.status, got.body)
	case got.status >= http.StatusBadRequest && s.method != http.MethodHead &&
		got.header.Get("Content-Type") != "application/problem+json" && !fromNetHTTP(got):
		r.fault(NoProblem, s, "%d %s %s", got.status, got.header.Get("Content-Type"), got.body)
	case got.header.Get("X-Injected") != "":
		r.fault(NoProblem, s, "a header was injected: %v", got.header)
	}
	for _, secret := range slices.Concat(r.secrets, r.Canaries) {
		seen := bytes.Contains(got.body, []byte(secret)) || strings.Contains(fmt.Sprint(got.header), secret)
		if seen && !s.mentions(secret, payload) {
			r.fault(Foreign, s, "%d shows %s", got.status, secret)
		}
	}
}

// fromNetHTTP knows what Go's server says before any handler hears of the request.
func fromNetHTTP(got answer) bool {
	return (got.status == http.StatusBadRequest || got.status == http.StatusRequestHeaderFieldsTooLarge ||
		got.status == http.StatusExpectationFailed) && got.header.Get("X-Request-Id") == ""
}

// lookAround finds the victim's secrets: the ids in the victim's answers that are not public.
// What the attacker sees is no measure: it may be the fault that is looked for.
func (r *run) lookAround(ctx context.Context) (map[string]string, error) {
	mine := r.crawl(ctx, r.Victim)
	public := map[string]bool{}
	for _, body := range r.crawl(ctx, "") {
		for _, id := range ids(body) {
			public[id] = true
		}
	}
	for _, body := range mine {
		for _, id := range ids(body) {
			if !public[id] && !slices.Contains(r.secrets, id) {
				r.secrets = append(r.secrets, id)
			}
		}
	}
	slices.Sort(r.secrets)
	if len(r.secrets) == 0 {
		return nil, errors.New("the victim has nothing that could be stolen")
	}
	return mine, nil
}

// crawl asks all GET operations twice, the second time for what the first answers named.
func (r *run) crawl(ctx context.Context, token string) map[string]string {
	own, bodies := newThings(), map[string]string{}
	for range 2 {
		for _, op := range r.operations {
			if op.method != http.MethodGet {
				continue
			}
			s := op.good(own)
			s.what = "look around"
			if token != "" {
				s.header.Set("Authorization", "Bearer "+token)
			}
			got, err := r.exchange(ctx, s, nil)
			if err == nil && got.status == http.StatusOK {
				bodies[s.target()] = string(got.body)
				own.gather(op, got.value())
			}
		}
	}
	return bodies
}

// compare looks around once more: what changed was changed by somebody else.
func (r *run) compare(ctx context.Context, before map[string]string) {
	for target, now := range r.crawl(ctx, r.Victim) {
		if was, ok := before[target]; ok && was != now {
			r.fault(Foreign, shot{what: "afterwards"}, "the victim's %s was %s and is %s", target, was, now)
		}
	}
}

var (
	uuids = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	// names are other ids, which have a digit and a length that words do not have.
	names = regexp.MustCompile(`"(?:id|[a-z_]+_id)":"([A-Za-z0-9_.~-]*[0-9][A-Za-z0-9_.~-]*)"`)
)

// ids finds what looks like one.
func ids(body string) []string {
	found := uuids.FindAllString(body, -1)
	for _, match := range names.FindAllStringSubmatch(body, -1) {
		if len(match[1]) >= minID {
			found = append(found, match[1])
		}
	}
	return found
}

const minID = 16
