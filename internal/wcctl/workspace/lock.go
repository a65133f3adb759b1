package workspace

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/user"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

const (
	heartbeat = 10 * time.Second
	// expiry is how long a holder on another computer may be silent.
	expiry      = 2 * time.Minute
	guardPoll   = 20 * time.Millisecond
	guardPeriod = 10 * time.Second
)

// ErrTornLock is a lock file that does not say who holds it.
var ErrTornLock = errors.New("the lock cannot be read")

// ErrLockLost is the cause of a context whose lock somebody else has taken.
var ErrLockLost = errors.New("the lock on the state folder was taken by somebody else")

// Holder is who works on a state folder.
type Holder struct {
	Run     string `json:"run"`
	User    string `json:"user"`
	Host    string `json:"host"`
	PID     int    `json:"pid"`
	Command string `json:"command"`
	// Birth tells processes with the same PID apart; it is opaque.
	Birth string `json:"birth,omitempty"`
	// Realm is where the PID counts: a boot of a computer, or a container on it.
	Realm string    `json:"realm,omitempty"`
	Since time.Time `json:"since"`
	Beat  time.Time `json:"heartbeat"`
}

// String names the holder as an error does.
func (h Holder) String() string {
	return fmt.Sprintf("%s@%s (process %d, %s)", h.User, h.Host, h.PID, h.Command)
}

// LockedError says that somebody else works on the state folder.
type LockedError struct {
	Folder Folder
	Holder Holder
	// Age is since when, Silent since when without a sign of life.
	Age, Silent time.Duration
}

// Error implements error.
func (e *LockedError) Error() string {
	return fmt.Sprintf("%s is locked by %s for %s, last sign of life %s ago", e.Folder, e.Holder,
		e.Age.Round(time.Second), e.Silent.Round(time.Second))
}

// Lock is the right to change a cluster. Its holder shows signs of life until Release.
type Lock struct {
	folder Folder
	holder Holder
	stop   context.CancelFunc
	beats  sync.WaitGroup
}

func (f Folder) lock() string { return f.path("lock") }

// TakeLock returns a *LockedError when somebody else has it. The context that it returns ends with
// ErrLockLost when the lock is taken away. It tells, too, whose lock it took over, if anybody's.
func (f Folder) TakeLock(
	ctx context.Context, run, command string,
) (*Lock, context.Context, *Holder, error) {
	release, err := f.guard(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	defer release()
	before, err := f.Holder()
	if err != nil {
		return nil, nil, nil, err
	}
	if before != nil && !before.gone() {
		return nil, nil, nil, &LockedError{
			Folder: f, Holder: *before, Age: time.Since(before.Since), Silent: time.Since(before.Beat),
		}
	}
	l := &Lock{folder: f, holder: self(run, command)}
	if err := l.write(); err != nil {
		return nil, nil, nil, err
	}
	beating, stop := context.WithCancel(context.WithoutCancel(ctx))
	held, lose := context.WithCancelCause(ctx)
	l.stop = stop
	l.beats.Go(func() { l.beat(beating, lose) })
	return l, held, before, nil
}

// Holder tells who has the lock, nil for nobody.
func (f Folder) Holder() (*Holder, error) {
	data, err := readIfAny(f.lock())
	if err != nil || data == nil {
		return nil, err
	}
	var h Holder
	if err := json.Unmarshal(data, &h); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", f.lock(), ErrTornLock, err)
	}
	return &h, nil
}

// Unlock takes the lock from a holder that is gone, with force from anybody. It returns whose it
// was, nil for nobody's.
func (f Folder) Unlock(ctx context.Context, force bool) (*Holder, error) {
	if !f.Exists() {
		return nil, nil //nolint:nilnil // nobody holds what is not there
	}
	release, err := f.guard(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	h, err := f.Holder()
	if err != nil && !force {
		return nil, err
	}
	if h != nil && !h.gone() && !force {
		return h, &LockedError{
			Folder: f, Holder: *h, Age: time.Since(h.Since), Silent: time.Since(h.Beat),
		}
	}
	if err := os.Remove(f.lock()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return h, fmt.Errorf("removing the lock: %w", err)
	}
	return h, nil
}

// guard makes look-and-take one act among processes.
func (f Folder) guard(ctx context.Context) (release func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, guardPeriod)
	defer cancel()
	guard := flock.New(f.path("lock.guard"), flock.SetPermissions(privateFile))
	if _, err := guard.TryLockContext(ctx, guardPoll); err != nil {
		return nil, fmt.Errorf("asking for the lock: %w", err)
	}
	return func() { _ = guard.Close() }, nil
}

func (l *Lock) write() error {
	l.holder.Beat = time.Now().UTC()
	data, err := json.Marshal(l.holder)
	if err != nil {
		return fmt.Errorf("writing the lock: %w", err)
	}
	return WriteFile(l.folder.lock(), append(data, '\n'))
}

func (l *Lock) beat(ctx context.Context, lose context.CancelCauseFunc) {
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := l.renew(ctx); err != nil {
			lose(err)
			return
		}
	}
}

// renew shows a sign of life; a computer that slept may find that its lock expired.
func (l *Lock) renew(ctx context.Context) error {
	release, err := l.folder.guard(ctx)
	if err != nil {
		return nil // somebody looks at it; the next beat comes soon
	}
	defer release()
	h, err := l.folder.Holder()
	if err != nil || h == nil || h.Run != l.holder.Run {
		return ErrLockLost
	}
	if err := l.write(); err != nil {
		return nil // a full disk is no reason to give the lock up
	}
	return nil
}

// Release gives the lock back, unless it is somebody else's by now.
func (l *Lock) Release() error {
	l.stop()
	l.beats.Wait()
	release, err := l.folder.guard(context.Background())
	if err != nil {
		return err
	}
	defer release()
	h, err := l.folder.Holder()
	if err != nil || h == nil || h.Run != l.holder.Run {
		return err
	}
	if err := os.Remove(l.folder.lock()); err != nil {
		return fmt.Errorf("removing the lock: %w", err)
	}
	return nil
}

func self(run, command string) Holder {
	h := Holder{
		Run: run, PID: os.Getpid(), Command: command, Since: time.Now().UTC(), User: "unknown",
		Birth: birth(os.Getpid()), Realm: realm(),
	}
	if u, err := user.Current(); err == nil {
		h.User = u.Username
	}
	h.Host, _ = os.Hostname() // an unknown host only makes takeovers wait for the expiry
	return h
}

// gone tells whether the holder is dead for sure or silent for too long.
func (h Holder) gone() bool {
	if host, _ := os.Hostname(); h.Host == host && h.Host != "" {
		switch {
		case sameRealm(h.Realm, realm()):
			return birth(h.PID) == "" || birth(h.PID) != h.Birth
		case rebooted(h.Realm, realm()):
			return true
		}
	}
	return time.Since(h.Beat) > expiry
}
