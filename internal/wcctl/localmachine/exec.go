package localmachine

import "io"

// Where is what a command of Exec sees.
type Where int

// The places: a whole machine, or only a network with this computer's files and programs.
const (
	InMachine Where = iota
	MachineNetwork
	LabNetwork
)

// ExecOptions are a command and its streams.
type ExecOptions struct {
	Where   Where
	Command []string
	// Env is this process's where it is nil; a command in a machine gets a server's.
	Env            []string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}
