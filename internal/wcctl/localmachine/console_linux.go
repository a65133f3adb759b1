package localmachine

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// terminal is a pseudo terminal; the machine has its end as /dev/console. We keep that open, too: each
// time nobody did, the terminal would break, and systemd wait a second for every line.
type terminal struct{ ours, machines *os.File }

func openTerminal() (*terminal, error) {
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, fmt.Errorf("opening a terminal for the console: %w", err)
	}
	fd := int(ours.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("unlocking a terminal: %w", err), ours.Close())
	}
	machines, err := os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening a terminal for the console: %w", err), ours.Close())
	}
	return &terminal{ours: ours, machines: machines}, nil
}

// copyTo writes what the machine prints until its end is closed here and there.
func (t *terminal) copyTo(w io.Writer) {
	defer t.ours.Close()
	buffer := make([]byte, 4096)
	for {
		n, err := t.ours.Read(buffer)
		if n > 0 {
			// A terminal ends lines with a carriage return, too.
			_, _ = w.Write(bytes.ReplaceAll(buffer[:n], []byte("\r"), nil))
		}
		if err != nil {
			return
		}
	}
}
