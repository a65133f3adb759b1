package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/infra"
	"github.com/wastecoach/wastecoach/internal/wcctl/bundle"
	"github.com/wastecoach/wastecoach/internal/wcctl/event"
	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
	"github.com/wastecoach/wastecoach/internal/wcctl/phase"
	"github.com/wastecoach/wastecoach/internal/wcctl/remote"
	"github.com/wastecoach/wastecoach/internal/wcctl/roster"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
	"github.com/wastecoach/wastecoach/internal/wcctl/terraform"
	"github.com/wastecoach/wastecoach/internal/wcctl/workspace"
)

const (
	// machinePatience is how long a machine may take to boot, or to come back from a reboot.
	machinePatience = 2 * time.Minute
	defaultParallel = 10
)

// session is one command's hold on a cluster.
type session struct {
	flags     *clusterFlags
	cluster   *spec.Cluster
	folder    workspace.Folder
	terraform *terraform.Client
	run       *phase.Run
	// bundle is nil where machines fetch everything themselves.
	bundle *bundle.Bundle
	// sink gets what the phases tell; it may change until they begin.
	sink *switchSink
	closers
}

// sessionOptions say how much a command may do.
type sessionOptions struct {
	flags    *clusterFlags
	bundle   string
	parallel int
	// dry lets nothing be written: the working folders are copies that end with the session.
	dry bool
	// installs tells that machines will be worked on, and need where to install from.
	installs bool
	id       string
	// log receives what children print.
	log io.Writer
	// tag is of services that are not there yet, evidence of what is kept where one does not become ready.
	tag      string
	evidence func(service string, text []byte) (string, error)
	// image is what machines on this computer are made of; empty where it is made here.
	image string
	// cache is where the user wants images kept; empty leaves that to the program that makes them.
	cache string
	// roster stands for the state folder's where a command will change it; replace are resources that
	// Terraform shall make anew.
	roster  *roster.Roster
	replace []string
	// authority is that of the cluster which a backup brings back; empty in all other sessions.
	authority string
}

// openSession wires the parts together; with dry it works on copies.
func openSession(con *console, c *spec.Cluster, folder workspace.Folder, o sessionOptions) (*session, error) {
	s := &session{flags: o.flags, cluster: c, folder: folder, sink: &switchSink{}}
	err := s.open(con, o)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *session) open(con *console, o sessionOptions) error {
	terraformDir, knownHosts := s.folder.Terraform(), s.folder.KnownHosts()
	if o.dry {
		copies, err := s.copies()
		if err != nil {
			return err
		}
		terraformDir, knownHosts = filepath.Join(copies, "terraform"), filepath.Join(copies, "known_hosts")
	} else if err := unpackPlaybook(s.folder); err != nil {
		return err
	}
	b, err := chosenBundle(con, s.cluster, s.folder, o)
	if err != nil {
		return err
	}
	s.bundle = b
	if o.needsBundle() {
		if err := needsBundle(o.flags, s.cluster, b); err != nil {
			return err
		}
	}
	authorized, err := authorizedKey(s.cluster, s.folder, o.dry)
	if err != nil {
		return err
	}
	o.image, o.cache = machineImage(b), con.getenv(bundleCacheVar)
	s.terraform, err = openTerraform(s.cluster, s.folder, terraformDir, authorized, o)
	if err != nil {
		return err
	}
	s.closers = append(s.closers, s.terraform)
	playbook, err := fs.Sub(infra.Ansible, "ansible")
	if err != nil {
		return fmt.Errorf("opening the playbook: %w", err)
	}
	key := keyFile(s.cluster, s.folder)
	dial := dialer(s.cluster, key, knownHosts)
	s.run = &phase.Run{
		ID: o.id, Cluster: s.cluster, Folder: s.folder, Sink: s.sink,
		Terraform: s.terraform, Dial: dial, Check: checker(s.cluster, s.folder, b, o.authority),
		Play:    s.player(key, knownHosts, o.parallel, o.log),
		Connect: s.connector(dial), Ansible: playbook, Bundle: handler(b),
		Forget:   func(m fleet.Machine) error { return remote.Forget(knownHosts, m.SSH.Host, m.SSH.Port) },
		Vars:     func(m fleet.Fleet) (phase.Vars, error) { return playVars(s.cluster, s.folder, b, m) },
		Parallel: o.parallel, Patience: machinePatience,
	}
	if o.needsBundle() {
		s.run.System = &system{bundle: b, dial: dial, tag: o.tag, log: o.log, evidence: o.evidence}
	}
	if s.cluster.Spec.Target == spec.Local {
		s.run.Power = power{string(s.folder)}
	}
	s.closers = append(s.closers, closerFunc(func() error { s.run.Close(); return nil }))
	return nil
}

// copies makes a folder for what a plan must not write to the state folder.
func (s *session) copies() (string, error) {
	dir, err := os.MkdirTemp("", "wcctl-plan-")
	if err != nil {
		return "", fmt.Errorf("making a folder for the plan: %w", err)
	}
	s.closers = append(s.closers, closerFunc(func() error { return os.RemoveAll(dir) }))
	terraformDir := filepath.Join(dir, "terraform")
	if err := os.Mkdir(terraformDir, 0o700); err != nil {
		return "", fmt.Errorf("making a folder for the plan: %w", err)
	}
	return dir, errors.Join(copyTerraform(s.folder.Terraform(), terraformDir),
		copyIfAny(s.folder.KnownHosts(), filepath.Join(dir, "known_hosts")))
}

func handler(b *bundle.Bundle) http.Handler {
	if b == nil {
		return nil
	}
	return b.Handler()
}

// newRunID is in the journal, the lock and the records of one run.
func newRunID() (string, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("naming the run: %w", err)
	}
	return id.String(), nil
}

// switchSink is a sink whose target is chosen when somebody begins to watch.
type switchSink struct{ to event.Sink }

// Emit implements event.Sink.
func (s *switchSink) Emit(e event.Event) {
	if s.to != nil {
		s.to.Emit(e)
	}
}

// held is a state folder that this command alone may change.
type held struct {
	folder  workspace.Folder
	id      string
	lock    *workspace.Lock
	log     *workspace.Log
	journal *workspace.Journal
}

// hold takes the lock and opens the run's log and journal. The context ends when the lock is lost.
func hold(
	ctx context.Context, con *console, folder workspace.Folder, command string,
) (*held, context.Context, error) {
	if err := folder.Create(); err != nil {
		return nil, ctx, err
	}
	id, err := newRunID()
	if err != nil {
		return nil, ctx, err
	}
	h := &held{folder: folder, id: id}
	var before *workspace.Holder
	var locked context.Context
	if h.lock, locked, before, err = folder.TakeLock(ctx, id, "wcctl "+command); err != nil {
		return nil, ctx, err
	}
	if before != nil {
		fmt.Fprintf(con.err, "Took the lock over from %s, which is gone\n", before)
	}
	if h.log, err = folder.OpenLog(command, time.Now()); err == nil {
		h.journal, err = folder.OpenJournal(id, command)
	}
	if err != nil {
		return nil, ctx, errors.Join(err, h.release())
	}
	return h, locked, nil
}

func (h *held) release() error {
	var err error
	if h.journal != nil {
		err = h.journal.Close()
	}
	if h.log != nil {
		err = errors.Join(err, h.log.Close())
	}
	return errors.Join(err, h.lock.Release())
}
