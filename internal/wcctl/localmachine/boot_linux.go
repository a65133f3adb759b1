package localmachine

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// InitCommand is the hidden command that a machine's first process begins as.
const InitCommand = "init"

// The descriptors that a machine's first process is born with.
const (
	bootInput  = 3
	bootStatus = 4
)

// bootOrder is what a machine's first process is told.
type bootOrder struct {
	Spec
	// Dir is the machine's folder.
	Dir string `json:"dir"`
	// Console is the terminal that becomes /dev/console.
	Console string      `json:"console"`
	Groups  []hierarchy `json:"groups"`
}

// startInit starts the machine's first process and returns when it is systemd, or could not be. The
// calling thread must live as long as the machine: with it dies the machine.
func startInit(order bootOrder, console *terminal) (*exec.Cmd, error) {
	order.Console = console.machines.Name()
	input, inputEnd, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("making a pipe: %w", err)
	}
	defer input.Close()
	defer inputEnd.Close()
	statusEnd, status, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("making a pipe: %w", err)
	}
	defer statusEnd.Close()
	defer status.Close()
	cmd := exec.Command("/proc/self/exe", "machine", InitCommand) //nolint:noctx // it outlives any context
	cmd.Stdin, cmd.Stdout, cmd.Stderr = console.machines, console.machines, console.machines
	cmd.ExtraFiles = []*os.File{input, status}
	cmd.SysProcAttr = &unix.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWPID,
		Setsid:     true,
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the machine's first process: %w", err)
	}
	_ = status.Close()
	if err := errors.Join(json.NewEncoder(inputEnd).Encode(order), inputEnd.Close()); err != nil {
		_ = cmd.Process.Kill()
		return nil, errors.Join(fmt.Errorf("telling the machine's first process: %w", err), cmd.Wait())
	}
	// The other end closes when systemd takes over; before that comes why it did not.
	var fault string
	if err := json.NewDecoder(statusEnd).Decode(&fault); err == nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it only says that it was killed
		return nil, errors.New(fault)
	}
	return cmd, nil
}

// RunInit turns the calling process, the first of a machine, into its systemd. It returns only a fault.
func RunInit() error {
	runtime.LockOSThread() // namespaces belong to threads
	status := os.NewFile(bootStatus, "status")
	if status == nil {
		return errors.New("this command is for wcctl itself")
	}
	unix.CloseOnExec(bootStatus)
	unix.CloseOnExec(bootInput)
	var order bootOrder
	if err := json.NewDecoder(os.NewFile(bootInput, "order")).Decode(&order); err != nil {
		return fmt.Errorf("reading what to boot: %w", err)
	}
	err := boot(order)
	_ = json.NewEncoder(status).Encode(err.Error()) // the supervisor tells it further
	return err
}

func boot(o bootOrder) error {
	// A machine without its supervisor could not be stopped.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("binding the machine to its supervisor: %w", err)
	}
	if err := enterNamespaces(o); err != nil {
		return err
	}
	if err := mountRoot(o); err != nil {
		return err
	}
	if err := provision(o); err != nil {
		return err
	}
	// systemd itself cannot live with a false clock.
	if err := setClock(".", 0); err != nil {
		return err
	}
	if err := mountSystem(o); err != nil {
		return err
	}
	if err := changeRoot(); err != nil {
		return err
	}
	return execSystemd()
}

// enterNamespaces joins the network first and the control groups before their namespace, whose root
// is where the process is then.
func enterNamespaces(o bootOrder) error {
	network, err := netns.GetFromName(o.namespace())
	if err != nil {
		return fmt.Errorf("opening the machine's network: %w", err)
	}
	defer network.Close()
	if err := netns.Set(network); err != nil {
		return fmt.Errorf("entering the machine's network: %w", err)
	}
	if err := joinGroups(o.Groups, o.namespace()); err != nil {
		return err
	}
	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
		return fmt.Errorf("making a namespace of control groups: %w", err)
	}
	if err := unix.Sethostname([]byte(o.Name)); err != nil {
		return fmt.Errorf("setting the host name: %w", err)
	}
	return nil
}

// changeRoot makes the working folder the root and lets go of this computer's files.
func changeRoot() error {
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("changing the root: %w", err)
	}
	// The old root lies above the new one now.
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leaving the old root: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return fmt.Errorf("entering the new root: %w", err)
	}
	// kubelet shares mounts with containers.
	if err := unix.Mount("", "/", "", unix.MS_SHARED|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("sharing mounts: %w", err)
	}
	return nil
}

func execSystemd() error {
	err := unix.Exec("/lib/systemd/systemd", []string{
		"systemd", "--log-target=console", "--show-status=1",
	}, []string{
		"container=wastecoach", "TERM=dumb",
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	})
	return fmt.Errorf("starting systemd: %w", err)
}
