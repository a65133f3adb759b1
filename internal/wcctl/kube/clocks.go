package kube

import (
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
)

const (
	// Certificates and leases bear more, but a second is what people can see in logs.
	skewWarning = 5 * time.Second
	skewFailing = 30 * time.Second
)

// judgeClocks compares each kubelet's clock with the API server's.
func judgeClocks(s *snapshot, _ Options) Condition {
	if s.leases.err != nil {
		return unknown(s.leases.err)
	}
	worst, seen := s.ahead.Abs(), 0
	var differ []string
	if worst >= skewWarning {
		differ = append(differ, fmt.Sprintf("the API server's %s of this computer's", offset(s.ahead)))
	}
	for _, lease := range s.leases.value {
		skew, known := leaseSkew(&lease)
		if !known {
			continue
		}
		seen++
		worst = max(worst, skew.Abs())
		if skew.Abs() >= skewWarning {
			differ = append(differ, fmt.Sprintf("%s's %s of the API server's", lease.Name, offset(skew)))
		}
	}
	const hint = "timedatectl # on that machine: is its clock synchronized?"
	switch {
	case worst >= skewFailing:
		return failing(time.Time{}, hint, "clocks differ: %s", few(differ))
	case worst >= skewWarning:
		return warning(hint, "clocks differ: %s", few(differ))
	case seen == 0:
		return ok(time.Time{}, "this computer and the API server agree; no node has told its time yet")
	}
	return ok(time.Time{}, "%s within %s", count(seen, "node"), count(wholeSeconds(worst)+1, "second"))
}

// leaseSkew is how far a kubelet's clock is ahead of the API server's: the lease holds the time
// that the kubelet wrote, its managed fields the time at which the API server took it. The latter
// has whole seconds, so that half of one is the error.
func leaseSkew(lease *coordinationv1.Lease) (skew time.Duration, known bool) {
	if lease.Spec.RenewTime == nil {
		return 0, false
	}
	var taken time.Time
	for _, entry := range lease.ManagedFields {
		if entry.Time != nil && entry.Time.After(taken) {
			taken = entry.Time.Time
		}
	}
	if taken.IsZero() {
		return 0, false
	}
	return lease.Spec.RenewTime.Sub(taken.Add(time.Second / 2)), true
}

func offset(d time.Duration) string {
	if d < 0 {
		return fmt.Sprintf("%d s behind", wholeSeconds(-d))
	}
	return fmt.Sprintf("%d s ahead", wholeSeconds(d))
}

func wholeSeconds(d time.Duration) int { return int(d / time.Second) }
