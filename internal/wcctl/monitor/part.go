package monitor

import (
	"context"
	"sync"
	"time"
)

// part is read in the background, never twice at a time, and kept.
type part[T any] struct {
	system  *System
	every   time.Duration
	timeout time.Duration
	read    func(context.Context, *reached) (T, error)

	mu     sync.Mutex
	value  T
	readAt time.Time
	due    time.Time
	err    error
	// done is closed when the read under way ends; nil where none is.
	done chan struct{}
}

func newPart[T any](
	s *System, every, timeout time.Duration, read func(context.Context, *reached) (T, error),
) *part[T] {
	return &part[T]{system: s, every: every, timeout: timeout, read: read}
}

// start reads the part if it is due. The channel is closed when it is read.
func (p *part[T]) start() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done != nil {
		return p.done
	}
	done := make(chan struct{})
	if p.system.now().Before(p.due) {
		close(done)
		return done
	}
	p.done = done
	go p.refresh(done)
	return done
}

func (p *part[T]) refresh(done chan struct{}) {
	ctx, cancel := context.WithTimeout(p.system.life, p.timeout)
	defer cancel()
	var value T
	at, err := p.system.reach(ctx)
	if err == nil {
		value, err = p.read(ctx, at)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.system.now()
	if p.err = err; err == nil {
		p.value, p.readAt = value, now
	}
	p.due, p.done = now.Add(p.every), nil
	close(done)
}

// expire makes the part due at once.
func (p *part[T]) expire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.due = time.Time{}
}

func (p *part[T]) never() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.readAt.IsZero()
}

// take returns the part as it was read last, and notes why it is old.
func take[T any](p *part[T], name Part, faults map[Part]Fault) T {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		faults[name] = faultOf(p.err, p.readAt)
	}
	return p.value
}
