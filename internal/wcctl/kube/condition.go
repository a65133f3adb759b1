package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

// State is how a condition stands.
type State string

// The states, the best first. Only Failing and Unknown make a cluster one that is not fine.
const (
	OK State = "ok"
	// NotEnforced is a promise that the running parts cannot keep; the cluster works without it.
	NotEnforced State = "not_enforced"
	Warning     State = "warning"
	Unknown     State = "unknown"
	Failing     State = "failing"
)

// Fine tells whether the cluster can be used as it is.
func (s State) Fine() bool { return s != Failing && s != Unknown }

// Condition is one thing that must hold in a cluster.
type Condition struct {
	Name  string `json:"name"`
	State State  `json:"state"`
	// Message says what was seen.
	Message string `json:"message"`
	// Since is when it came into that state; zero where no object tells (see Ages).
	Since time.Time `json:"since,omitzero"`
	// Hint is a command to paste, or where to look.
	Hint string `json:"hint,omitempty"`
}

// Options is what the cluster shall be.
type Options struct {
	Fleet fleet.Fleet
	// Version is the wanted Kubernetes release without the v; empty means any.
	Version string
	Plugin  spec.Plugin
	// Run reaches the machines for their certificates; nil leaves these out.
	Run Run
}

// Report is one look at a cluster.
type Report struct {
	At           time.Time     `json:"at"`
	Server       string        `json:"server"`
	Conditions   []Condition   `json:"conditions"`
	Nodes        []Node        `json:"nodes"`
	Certificates []Certificate `json:"certificates"`
}

// Conditions looks at the cluster once; see Look.
func (c *Cluster) Conditions(ctx context.Context, opts Options) []Condition {
	return c.Look(ctx, opts).Conditions
}

// Look asks everything at once and judges it. It never fails: what cannot be asked is Unknown.
func (c *Cluster) Look(ctx context.Context, opts Options) Report {
	s := c.observe(ctx, opts)
	return Report{
		At: s.at, Server: c.address, Conditions: judge(s, opts),
		Nodes: s.nodeTable(opts), Certificates: s.certificates,
	}
}

// check judges one condition from what was seen.
type check struct {
	name  string
	judge func(s *snapshot, opts Options) Condition
}

// checks are all conditions, in the order in which a new cluster meets them.
func checks() []check {
	return []check{
		{"api-server", judgeAPIServer},
		{"etcd", judgeEtcd},
		{"machines", judgeMachines},
		{"nodes-ready", judgeReady},
		{"node-pressure", judgePressure},
		{"versions", judgeVersions},
		{"clocks", judgeClocks},
		{"kube-proxy", judgeKubeProxy},
		{"pod-network", judgePodNetwork},
		{"dns", judgeDNS},
		{"metrics", judgeMetrics},
		{"certificates", judgeCertificates},
		{"secrets-encryption", judgeEncryption},
		{"audit-log", judgeAudit},
		{"backups", judgeBackups},
		{policyCondition, judgePolicies},
	}
}

// Names are the conditions' names, in order.
func Names() []string {
	var names []string
	for _, c := range checks() {
		names = append(names, c.name)
	}
	return names
}

const policyCondition = "network-policies"

// withoutAPI are the conditions that tell something even when the API server is down.
func withoutAPI() []string { return []string{"api-server", "certificates"} }

func judge(s *snapshot, opts Options) []Condition {
	var conditions []Condition
	for _, check := range checks() {
		var c Condition
		if s.apiErr != nil && !slices.Contains(withoutAPI(), check.name) {
			c = Condition{State: Unknown, Message: "the API server does not answer"}
		} else {
			c = check.judge(s, opts)
		}
		c.Name = check.name
		conditions = append(conditions, c)
	}
	return conditions
}

// Worst are the conditions that are not fine.
func Worst(conditions []Condition) []Condition {
	return slices.DeleteFunc(slices.Clone(conditions), func(c Condition) bool { return c.State.Fine() })
}

func ok(since time.Time, format string, args ...any) Condition {
	return Condition{State: OK, Message: fmt.Sprintf(format, args...), Since: since}
}

func failing(since time.Time, hint, format string, args ...any) Condition {
	return Condition{State: Failing, Message: fmt.Sprintf(format, args...), Since: since, Hint: hint}
}

func warning(hint, format string, args ...any) Condition {
	return Condition{State: Warning, Message: fmt.Sprintf(format, args...), Hint: hint}
}

func unknown(err error) Condition {
	return Condition{State: Unknown, Message: err.Error()}
}

// count is "1 node" or "3 nodes".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// few joins names and leaves out what no line can hold.
func few(names []string) string {
	const most = 4
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}
