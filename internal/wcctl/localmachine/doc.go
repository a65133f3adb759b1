// Package localmachine makes machines on this computer: namespaces with a disk, a network and systemd
// of their own that boot, reboot and fail as servers do.
package localmachine
