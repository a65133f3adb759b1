//go:build e2e

package cluster

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

const (
	// The load of the promises: requests a second, of them photos.
	loadRate   = "100"
	loadPhotos = "2"
	// queued is how many jobs the workers find at once.
	queued = 500
	// upWithSystem bounds the way from bare machines to a served analysis; the bundle is there.
	upWithSystem = 10 * time.Minute
)

// TestSystem deploys everything and changes, breaks and loads it. No request may fail, no job be lost.
//
//nolint:paralleltest // this computer holds one cluster at a time
func TestSystem(t *testing.T) {
	l := newSystemLab(t, "wchsys")
	run := l.start("up", "--bundle", l.bundle, "--tag", "v1", "--yes").wait().ok()
	t.Logf("up with the system: %.1f s: %s", run.Took.Seconds(), run.seconds())
	if run.Took > upWithSystem {
		t.Errorf("up took %s", run.Took)
	}
	if plan := l.wcctl("plan"); plan.Code != 0 {
		t.Errorf("the plan is not empty:\n%s%s", plan.Stdout, plan.Stderr)
	}
	t.Run("an analysis", func(t *testing.T) { l.with(t).wantAnalysis() })
	t.Run("rolling", func(t *testing.T) { l.with(t).deployUnderLoad("v2", "rolling") })
	t.Run("blue-green", func(t *testing.T) { l.with(t).deployUnderLoad("v3", "blue-green") })
	t.Run("a broken image", func(t *testing.T) { l.with(t).breakUnderLoad() })
	t.Run("many jobs", func(t *testing.T) { l.with(t).scaleOut() })
	t.Run("power cut", func(t *testing.T) { l.with(t).cutUnderLoad() })
	t.Run("memory", func(t *testing.T) { l.with(t).memory() })
	t.Run("a point in time", func(t *testing.T) { l.with(t).toPointInTime() })
	t.Run("top", func(t *testing.T) {
		l.with(t).wantTop(map[string]string{"auth": "v1", "waste": "v3", "waste-worker": "v3", "recycling-worker": "v1"})
	})
	t.Run("monitoring", func(t *testing.T) { l.with(t).wantMonitoring() })
	t.Run("upgrade", func(t *testing.T) { l.with(t).upgradeUnderLoad() })
}

// newSystemLab has a bundle with our images in three versions, which differ by name alone.
func newSystemLab(t *testing.T, name string) *lab {
	t.Helper()
	l := newLab(t, name)
	l.bundle = systemBundle(t)
	l.configure(func(c *spec.Cluster) {
		c.Spec.Domain = "wastecoach.test"
		limits := map[string]any{}
		for _, limit := range []string{"ADDRESS", "READS", "WRITES", "COSTLY"} {
			limits["HTTP_LIMIT_"+limit] = "1000000/1m" // one user stands for all phones
		}
		c.Spec.Services = map[string]spec.Service{
			spec.AllServices: {Values: map[string]any{"env": limits}},
			// Scale-in within the test's time.
			"waste": {Values: map[string]any{"worker": map[string]any{
				"scaleInAfterSeconds": 20, "scaleInPodsPerMinute": 20,
			}}},
		}
	})
	return l
}

// systemBundle is --with-system and our images. WCCTL_E2E_BUNDLE_SYSTEM names one that is there.
func systemBundle(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("WCCTL_E2E_BUNDLE_SYSTEM"); dir != "" {
		return dir
	}
	dir := bundleFolder("bundle-e2e-system")
	for _, args := range [][]string{
		{"bundle", "create", dir, "--with-system"},
		{"build", "--all", "--tag", "v1", "--bundle", dir},
		{"build", "waste", "--tag", "v2", "--bundle", dir},
		{"build", "waste", "--tag", "v3", "--bundle", dir},
	} {
		if out, err := inCheckout(t, args...); err != nil {
			t.Fatalf("wcctl %s: %v\n%s", strings.Join(args, " "), err, tail(out))
		}
	}
	return dir
}

// wantAnalysis asks as a person does.
func (l *lab) wantAnalysis() {
	l.t.Helper()
	photo := filepath.Join(l.dir, "photo.jpg")
	picture := image.NewRGBA(image.Rect(0, 0, 640, 480))
	draw.Draw(picture, picture.Bounds(), image.NewUniform(color.RGBA{R: 176, G: 134, B: 88, A: 255}), image.Point{}, draw.Src)
	var out bytes.Buffer
	if err := errors.Join(jpeg.Encode(&out, picture, nil), os.WriteFile(photo, out.Bytes(), 0o600)); err != nil {
		l.t.Fatal(err)
	}
	answer := l.wcctl("analyze", photo, "--cluster", "wastecoach.yaml", "--locale", "en").ok()
	l.t.Logf("%s\n%s", answer.command, tail(answer.Stdout))
}

// steady is what wcctl bench steady prints.
type steady struct {
	Requests int            `json:"requests"`
	Rate     float64        `json:"rate"`
	Failed   int            `json:"failed"`
	Errors   map[string]int `json:"errors"`
	Seconds  []struct {
		Requests int `json:"requests"`
		Failed   int `json:"failed"`
	} `json:"seconds"`
	P99MS    float64 `json:"p99_ms"`
	Analyses struct {
		Started    int `json:"started"`
		Succeeded  int `json:"succeeded"`
		Failed     int `json:"failed"`
		Lost       int `json:"lost"`
		NotStarted int `json:"not_started"`
	} `json:"analyses"`
}

// load runs beside do for at least the duration.
func (l *lab) load(rate, photos string, duration time.Duration, do func()) steady {
	l.t.Helper()
	done := make(chan ended, 1)
	go func() {
		done <- l.wcctlWithin(duration+15*time.Minute, "bench", "steady", "--cluster", "wastecoach.yaml",
			"--rate", rate, "--photos", photos, "--duration", duration.String(), "--patience", "10m", "--output", "json")
	}()
	do()
	e := <-done
	var s steady
	if err := json.Unmarshal([]byte(e.Stdout), &s); err != nil {
		l.t.Fatalf("%s: %v\n%s", e.command, err, tail(e.Stderr))
	}
	l.t.Logf("%d requests at %.1f a second, %d failed %v, p99 %.0f ms; analyses %+v",
		s.Requests, s.Rate, s.Failed, s.Errors, s.P99MS, s.Analyses)
	return s
}

// whole wants that nothing failed and nothing was lost.
func (s steady) whole(t *testing.T) {
	t.Helper()
	if s.Failed > 0 || s.Analyses.Lost > 0 || s.Analyses.Failed > 0 || s.Analyses.NotStarted > 0 {
		t.Errorf("%d requests failed: %v; analyses %+v", s.Failed, s.Errors, s.Analyses)
	}
}

func (l *lab) deployUnderLoad(tag, strategy string) {
	l.t.Helper()
	l.load(loadRate, loadPhotos, 90*time.Second, func() {
		e := l.wcctlWithin(upPatience, "deploy", "waste", "--tag", tag, "--strategy", strategy,
			"--bundle", l.bundle).ok()
		l.t.Logf("deploying %s: %.1f s", strategy, e.Took.Seconds())
	}).whole(l.t)
}

func (l *lab) breakUnderLoad() {
	l.t.Helper()
	l.load(loadRate, loadPhotos, time.Minute, func() {
		e := l.wcctlWithin(upPatience, "deploy", "waste", "--image", l.image("redis"), "--bundle", l.bundle).code(1)
		for _, want := range []string{"StartError", "rolled back to v3, which answers", "evidence: "} {
			if !strings.Contains(e.Stderr, want) {
				l.t.Errorf("%q is missing in\n%s", want, tail(e.Stderr))
			}
		}
		l.t.Logf("failed and taken back: %.1f s", e.Took.Seconds())
	}).whole(l.t)
}

// workers are the worker pods that shall be there, and those that are ready.
func (l *lab) workers() (wanted, ready int) {
	l.t.Helper()
	text := l.kubectl("get", "deployment", "waste-worker", "-n", "waste",
		"-o", "jsonpath={.spec.replicas} {.status.readyReplicas}")
	_, _ = fmt.Sscan(text.Stdout, &wanted, &ready)
	return wanted, ready
}

// scaleOut queues many jobs at once; KEDA brings workers and takes them away again.
func (l *lab) scaleOut() {
	l.t.Helper()
	kubeconfig := filepath.Join(l.state(), "kubeconfig")
	fewest, _ := l.workers()
	l.wcctl("queue", "pause", "waste", "--kubeconfig", kubeconfig).ok()
	const seconds = 50
	most, resumed := 0, time.Time{}
	// Few polls: this computer's processors are the workers' then.
	s := l.load("35", strconv.Itoa(queued/seconds), seconds*time.Second, func() {
		eventually(l.t, 5*time.Minute, func() error {
			wanted, ready := l.workers()
			if most = max(most, ready); ready == wanted && wanted > fewest && ready >= 3*fewest {
				return nil
			}
			return fmt.Errorf("%d of %d workers are ready", ready, wanted)
		})
		resumed = time.Now()
		l.wcctl("queue", "resume", "waste", "--kubeconfig", kubeconfig).ok()
	})
	s.whole(l.t)
	l.t.Logf("%d to %d workers; %d jobs ended %.0f s after the queue was resumed",
		fewest, most, s.Analyses.Succeeded, time.Since(resumed).Seconds())
	eventually(l.t, 10*time.Minute, func() error {
		if wanted, _ := l.workers(); wanted != fewest {
			return fmt.Errorf("%d workers are wanted still", wanted)
		}
		return nil
	})
}

// cutUnderLoad cuts the power of the machine with most of the services' pods, the edge left alone.
func (l *lab) cutUnderLoad() {
	l.t.Helper()
	node := l.node("worker-2")
	var cut time.Time
	s := l.load(loadRate, loadPhotos, 4*time.Minute, func() {
		time.Sleep(20 * time.Second) //nolint:forbidigo // a stretch of undisturbed load
		cut = time.Now()
		l.wcctl("machine", "power-cut", node).ok()
		time.Sleep(90 * time.Second) //nolint:forbidigo // how long it stays off
		l.wcctl("machine", "start", node).ok()
	})
	last := 0
	for i, second := range s.Seconds {
		if second.Failed*100 > second.Requests {
			last = i
		}
	}
	l.t.Logf("power cut of %s at second %d: %d of %d requests failed (%.2f %%), the last second above 1 %% is %d",
		node, 20, s.Failed, s.Requests, 100*float64(s.Failed)/float64(s.Requests), last)
	if s.Analyses.Lost > 0 {
		l.t.Errorf("analyses %+v after the cut at %s", s.Analyses, cut)
	}
}

// upgradeUnderLoad brings the cluster to the next release of Kubernetes while the services are asked.
func (l *lab) upgradeUnderLoad() {
	l.t.Helper()
	next := nextBundle(l.t)
	before := l.identity()
	l.load("50", "1", 6*time.Minute, func() {
		e := l.wcctlWithin(upPatience, "upgrade", "--to", nextRelease, "--bundle", next, "--yes").ok()
		l.t.Logf("upgrade with the system: %.1f s", e.Took.Seconds())
	}).whole(l.t)
	l.wantRelease(next)
	before.kept(l, l.identity())
	l.wantAnalysis()
}

// memory tells what everything on a machine has resident.
func (l *lab) memory() {
	l.t.Helper()
	// Processes end while it reads.
	const script = `cat /proc/[0-9]*/status 2>/dev/null | awk '/^(VmRSS|RssFile|RssShmem)/{a[$1]+=$2}END{print (a["VmRSS:"]-a["RssFile:"]-a["RssShmem:"])/1024, ` +
		`a["VmRSS:"]/1024}'`
	for _, role := range allRoles {
		l.t.Logf("%s: MiB of private memory, and resident in all: %s", role, strings.TrimSpace(l.on(l.node(role), script)))
	}
}
