package cli

import (
	"github.com/wastecoach/wastecoach/internal/wcctl/localmachine"
	"github.com/wastecoach/wastecoach/internal/wcctl/workspace"
)

// reservations are what Terraform must know of machines on this computer before they are made. A
// plan reserves nothing: what does not exist gets stand-ins.
func reservations(
	names []string, folder workspace.Folder, dry bool,
) (map[string]localmachine.Reservation, error) {
	lab, err := localmachine.Open(string(folder))
	if err != nil {
		return nil, err
	}
	if !dry {
		return lab.Reserve(names)
	}
	found, err := existing(lab, folder)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if _, ok := found[name]; !ok {
			found[name] = localmachine.Reservation{ID: "made-by-up", SSHPort: 1, APIPort: 1}
		}
	}
	return found, nil
}

func existing(
	lab *localmachine.Lab, folder workspace.Folder,
) (map[string]localmachine.Reservation, error) {
	found := map[string]localmachine.Reservation{}
	machines, err := existingMachines(lab, string(folder))
	if err != nil {
		return nil, err
	}
	for _, m := range machines {
		found[m.Name] = localmachine.Reservation{ID: m.ID, SSHPort: m.SSHPort, APIPort: m.APIPort}
	}
	return found, nil
}

// power switches the machines of a state folder on.
type power struct{ folder string }

// Off implements phase.Power.
func (p power) Off() ([]string, error) {
	lab, err := localmachine.Open(p.folder)
	if err != nil {
		return nil, err
	}
	machines, err := existingMachines(lab, p.folder)
	if err != nil {
		return nil, err
	}
	var off []string
	for _, m := range machines {
		if m.State == localmachine.Off {
			off = append(off, m.Name)
		}
	}
	return off, nil
}

// Start implements phase.Power.
func (p power) Start(name string) error {
	lab, err := localmachine.Open(p.folder)
	if err != nil {
		return err
	}
	_, err = lab.Start(name)
	return err
}

// existingMachines makes no folder where there is none.
func existingMachines(lab *localmachine.Lab, folder string) ([]localmachine.Machine, error) {
	if !workspace.Folder(folder).Exists() {
		return nil, nil
	}
	return lab.List()
}
