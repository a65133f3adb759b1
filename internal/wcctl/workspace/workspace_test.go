package workspace

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/wastecoach/wastecoach/internal/wcctl/event"
)

func newFolder(t *testing.T) Folder {
	t.Helper()
	f := Beside(filepath.Join(t.TempDir(), "wastecoach.yaml"))
	if err := f.Create(); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestNothingIsReadableByOthers(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	if _, err := f.EnsureKey(); err != nil {
		t.Fatal(err)
	}
	journal, err := f.OpenJournal("r1", "up")
	if err != nil {
		t.Fatal(err)
	}
	defer journal.Close()
	log, err := f.OpenLog("up", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	lock, _, _, err := f.TakeLock(t.Context(), "r1", "wcctl up")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Release() }()
	err = filepath.WalkDir(string(f), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %o", path, info.Mode().Perm())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheKeyIsMadeOnce(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	if line, err := f.AuthorizedKey(); line != "" || err != nil {
		t.Fatalf("a key before it was made: %q, %v", line, err)
	}
	first, err := f.EnsureKey()
	if err != nil {
		t.Fatal(err)
	}
	if _, _, _, _, err := ssh.ParseAuthorizedKey([]byte(first)); err != nil {
		t.Errorf("%q: %v", first, err)
	}
	if again, err := f.EnsureKey(); err != nil || again != first {
		t.Errorf("another key: %q, %v", again, err)
	}
}

func TestTheJournalSurvivesATornLine(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	note := func(run string, entries ...Entry) {
		j, err := f.OpenJournal(run, "up")
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if err := j.Note(e); err != nil {
				t.Fatal(err)
			}
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	note("r1", Entry{Phase: "host", Host: "a", State: Started})
	file, err := os.OpenFile(f.journal(), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(`{"phase":"host","sta`); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	note("r2",
		Entry{Phase: WholeRun, State: Started},
		Entry{Phase: "host", Host: "a", State: Started}, Entry{Phase: "host", Host: "b", State: Started},
		Entry{Phase: "host", Host: "a", State: Done},
		Entry{Phase: "host", Host: "b", State: Failed, Text: "disk full"})
	entries, err := f.Entries()
	if err != nil || len(entries) != 6 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	left := Unfinished(entries)
	if len(left) != 1 || left[0].Host != "b" || left[0].Text != "disk full" {
		t.Errorf("unfinished: %+v", left)
	}
}

func TestALockStopsTheSecondAndNamesTheFirst(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	lock, held, before, err := f.TakeLock(t.Context(), "r1", "wcctl up")
	if err != nil || before != nil {
		t.Fatalf("%v, before %v", err, before)
	}
	var locked *LockedError
	if _, _, _, err := f.TakeLock(t.Context(), "r2", "wcctl up"); !errors.As(err, &locked) {
		t.Fatalf("the second: %v", err)
	}
	if text := locked.Error(); !strings.Contains(text, "wcctl up") || !strings.Contains(text, "@") {
		t.Errorf("it does not name the holder: %s", text)
	}
	if _, err := f.Unlock(t.Context(), false); !errors.As(err, &locked) {
		t.Errorf("unlock without force: %v", err)
	}
	if h, err := f.Unlock(t.Context(), true); err != nil || h == nil || h.PID != os.Getpid() {
		t.Errorf("unlock --force: %v, %v", h, err)
	}
	other, _, _, err := f.TakeLock(t.Context(), "r3", "wcctl down")
	if err != nil {
		t.Fatal(err)
	}
	if err := lock.renew(t.Context()); !errors.Is(err, ErrLockLost) {
		t.Errorf("the first holds on: %v", err)
	}
	if err := lock.Release(); err != nil {
		t.Errorf("releasing a lost lock: %v", err)
	}
	if h, err := f.Holder(); err != nil || h == nil || h.Run != "r3" {
		t.Errorf("the loser released the other's lock: %v, %v", h, err)
	}
	if err := other.Release(); err != nil || held.Err() != nil {
		t.Errorf("%v, %v", err, held.Err())
	}
	if h, err := f.Holder(); h != nil || err != nil {
		t.Errorf("still held by %v, %v", h, err)
	}
}

func TestADeadHolderIsTakenOver(t *testing.T) {
	t.Parallel()
	dead := exec.CommandContext(t.Context(), "true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	now, me := time.Now(), self("r1", "wcctl up")
	with := func(change func(*Holder)) Holder {
		h := me
		h.Beat = now
		change(&h)
		return h
	}
	cases := map[string]struct {
		holder Holder
		taken  bool
	}{
		"alive here":     {with(func(*Holder) {}), false},
		"dead here":      {with(func(h *Holder) { h.PID = dead.Process.Pid }), true},
		"PID used again": {with(func(h *Holder) { h.Birth = "1" }), true},
		"before a reboot": {with(func(h *Holder) {
			h.Realm = strings.Fields(h.Realm)[0] + " another-boot pid:[1]"
		}), true},
		"on another computer of the name": {with(func(h *Holder) { h.Realm = "other another-boot pid:[1]" }), false},
		"in a container": {with(func(h *Holder) {
			parts := strings.Fields(h.Realm)
			h.Realm, h.PID = parts[0]+" "+parts[1]+" pid:[1]", dead.Process.Pid
		}), false},
		"elsewhere":           {with(func(h *Holder) { h.Host = "other" }), false},
		"elsewhere, silent":   {with(func(h *Holder) { h.Host, h.Beat = "other", now.Add(-expiry) }), true},
		"silent but alive":    {with(func(h *Holder) { h.Beat = now.Add(-time.Hour) }), false},
		"elsewhere, sleepily": {with(func(h *Holder) { h.Host, h.Beat = "other", now.Add(-heartbeat) }), false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFolder(t)
			data, err := json.Marshal(c.holder)
			if err != nil {
				t.Fatal(err)
			}
			if err := WriteFile(f.lock(), data); err != nil {
				t.Fatal(err)
			}
			lock, _, before, err := f.TakeLock(t.Context(), "r2", "wcctl up")
			if (err == nil) != c.taken {
				t.Fatalf("taken over: %v (%v), want %v", err == nil, err, c.taken)
			}
			if err == nil && (before == nil || before.Run != "r1") {
				t.Errorf("taken over from %v", before)
			}
			if lock != nil {
				_ = lock.Release()
			}
		})
	}
}

func TestOnlyOneOfManyTakesADeadLock(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	dead := self("r0", "wcctl up")
	dead.Birth = "1"
	data, err := json.Marshal(dead)
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(f.lock(), data); err != nil {
		t.Fatal(err)
	}
	const rivals = 8
	got := make(chan error, rivals)
	for range rivals {
		go func() {
			_, _, _, err := f.TakeLock(context.WithoutCancel(t.Context()), "r1", "wcctl up")
			got <- err
		}()
	}
	won := 0
	for range rivals {
		var locked *LockedError
		switch err := <-got; {
		case err == nil:
			won++
		case !errors.As(err, &locked):
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d took it", won)
	}
}

func TestATornLockIsFreedByForce(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	if err := WriteFile(f.lock(), []byte(`{"run`)); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := f.TakeLock(t.Context(), "r1", "wcctl up"); !errors.Is(err, ErrTornLock) {
		t.Errorf("got %v", err)
	}
	if _, err := f.Unlock(t.Context(), true); err != nil {
		t.Error(err)
	}
	lock, _, _, err := f.TakeLock(t.Context(), "r1", "wcctl up")
	if err != nil {
		t.Fatal(err)
	}
	_ = lock.Release()
}

func TestTheLogHoldsAllButSecrets(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	start := time.Now()
	log, err := f.OpenLog("up", start)
	if err != nil {
		t.Fatal(err)
	}
	log.Emit(event.Event{Kind: event.Note, Text: "token abcdef.0123456789abcdef"})
	for _, part := range []string{
		"first half", " second half\n-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA", "BBBB\n",
		"-----END OPENSSH PRIVATE KEY-----\nafter\nno end",
	} {
		if _, err := log.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(log.Path())
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for _, want := range []string{"first half second half\n", "after\n", "no end\n", "token <hidden>"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
	for _, secret := range []string{"AAAA", "BBBB", "0123456789abcdef"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is in the log:\n%s", secret, text)
		}
	}
	again, err := f.OpenLog("up", start)
	if err != nil || again.Path() == log.Path() {
		t.Fatalf("the second log of a second: %v", err)
	}
	_ = again.Close()
}

func TestOldLogsGo(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	start := time.Now()
	for n := range keptLogs + 3 {
		log, err := f.OpenLog("up", start.Add(time.Duration(n)*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		_ = log.Close()
	}
	logs, err := os.ReadDir(f.Logs())
	if err != nil || len(logs) != keptLogs {
		t.Errorf("%d logs, %v", len(logs), err)
	}
}

func TestAFolderIsOneClustersUntilItIsGivenBack(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	lab := Owner{"metadata.name": "lab", "spec.target": "local"}
	seoul := Owner{"metadata.name": "seoul", "spec.target": "local"}
	if err := f.BelongsTo(seoul); err != nil {
		t.Errorf("a new folder is nobody's: %v", err)
	}
	if err := f.GiveTo(lab); err != nil {
		t.Fatal(err)
	}
	if err := f.BelongsTo(lab); err != nil {
		t.Error(err)
	}
	var other *OtherClusterError
	if err := f.BelongsTo(seoul); !errors.As(err, &other) ||
		!strings.Contains(err.Error(), `metadata.name is "lab" there and "seoul" here`) ||
		strings.Contains(err.Error(), "spec.target") {
		t.Errorf("got %v", err)
	}
	if err := errors.Join(f.GiveBack(), f.GiveBack(), f.BelongsTo(seoul)); err != nil {
		t.Errorf("after it was given back: %v", err)
	}
}
