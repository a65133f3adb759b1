package deploy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

const (
	workerComponent = "worker"
	// maxLine is how long a logged line may be.
	maxLine = 1 << 20
)

// LogOptions is whose log lines are read.
type LogOptions struct {
	Service string
	// Worker reads those of the worker pool instead of the API's.
	Worker bool
	// Follow goes on until the context ends, with pods that come later, too.
	Follow   bool
	Since    time.Duration
	Previous bool
	// Poll is how often Follow looks for new pods.
	Poll time.Duration
}

// Line is one that a pod logged.
type Line struct {
	Pod  string
	At   time.Time
	Text string
}

// ErrNoPods is a service without pods.
var ErrNoPods = errors.New("it has no pods")

// Logs hands every line to write, one at a time: sorted by time, or as they come with Follow.
func Logs(ctx context.Context, client kubernetes.Interface, o LogOptions, write func(Line)) error {
	r := &reader{client: client, options: o, write: write}
	pods, err := r.pods(ctx)
	if err != nil {
		return err
	}
	if len(pods) == 0 && !o.Follow {
		return fmt.Errorf("reading the logs of %s: %w", o.Service, ErrNoPods)
	}
	if o.Follow {
		return r.follow(ctx)
	}
	var lines []Line
	for _, pod := range pods {
		err := r.read(ctx, pod, false, func(l Line) { lines = append(lines, l) })
		if err != nil && !o.Previous { // most pods have no container that ended
			return err
		}
	}
	slices.SortStableFunc(lines, func(a, b Line) int { return a.At.Compare(b.At) })
	for _, line := range lines {
		write(line)
	}
	return nil
}

type reader struct {
	client  kubernetes.Interface
	options LogOptions
	mu      sync.Mutex
	write   func(Line)
}

func (r *reader) pods(ctx context.Context) ([]corev1.Pod, error) {
	component := apiComponent
	if r.options.Worker {
		component = workerComponent
	}
	list, err := r.client.CoreV1().Pods(r.options.Service).List(ctx, metav1.ListOptions{
		LabelSelector: nameLabel + "=" + r.options.Service + "," + componentLabel + "=" + component,
	})
	if err != nil {
		return nil, fmt.Errorf("listing the pods of %s: %w", r.options.Service, err)
	}
	return list.Items, nil
}

// read hands on the lines of one pod.
func (r *reader) read(ctx context.Context, pod corev1.Pod, follow bool, take func(Line)) error {
	options := &corev1.PodLogOptions{
		Container: pod.Spec.Containers[0].Name, Follow: follow, Timestamps: true, Previous: r.options.Previous,
	}
	if r.options.Since > 0 {
		seconds := int64(r.options.Since.Seconds())
		options.SinceSeconds = &seconds
	}
	stream, err := r.client.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, options).Stream(ctx)
	if err != nil {
		return fmt.Errorf("reading the log of %s: %w", pod.Name, err)
	}
	defer stream.Close()
	lines := bufio.NewScanner(stream)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		stamp, text, _ := strings.Cut(lines.Text(), " ")
		at, err := time.Parse(time.RFC3339Nano, stamp)
		if err != nil {
			text = lines.Text()
		}
		take(Line{Pod: pod.Name, At: at, Text: text})
	}
	if err := lines.Err(); err != nil && ctx.Err() == nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading the log of %s: %w", pod.Name, err)
	}
	return nil
}

// follow reads all pods at once, and those that come later.
func (r *reader) follow(ctx context.Context) error {
	known := map[types.UID]bool{}
	var readers sync.WaitGroup
	defer readers.Wait()
	tick := time.NewTicker(r.options.Poll)
	defer tick.Stop()
	for {
		pods, err := r.pods(ctx)
		if err != nil && ctx.Err() == nil {
			return err
		}
		for _, pod := range pods {
			if known[pod.UID] || pod.Status.Phase == corev1.PodPending {
				continue
			}
			known[pod.UID] = true
			// One that ends, or goes away, ends its own reader alone.
			readers.Go(func() { _ = r.read(ctx, pod, true, r.locked) })
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (r *reader) locked(line Line) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.write(line)
}
