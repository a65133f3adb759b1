package doctor

import "regexp"

// factSource is where collect.sh puts lines like "fact disk / 97", which are true when it runs.
const factSource = "facts"

// factFaults are seen in a machine's state, before anything complains of them.
func factFaults() []Fault {
	return []Fault{
		{
			ID: "disk-almost-full", Title: "A disk is almost full",
			Cause: "kubelet evicts pods when it is full, and etcd stops",
			Hint: "df -h; sudo du -xh / | sort -h | tail -20 # on the machine\nsudo crictl rmi " +
				"--prune",
			signs: []string{"fact disk ", "fact inodes "}, sources: []string{factSource},
			pattern: regexp.MustCompile(`^fact (disk|inodes) \S+ (9[5-9]|100)$`),
		},
		{
			ID: "swap-on", Title: "The machine swaps",
			Cause: "kubelet does not start on a machine with swap unless it is told to",
			Hint: "sudo swapoff -a && sudo sed -i '/\\sswap\\s/s/^/#/' /etc/fstab # on the " +
				"machine",
			signs: []string{"fact swap "}, sources: []string{factSource},
			pattern: regexp.MustCompile(`^fact swap [1-9]`),
		},
		{
			ID: "unit-down", Title: "A service of the machine does not run",
			Cause: "it failed, or was stopped by hand",
			Hint: "sudo systemctl restart UNIT && sudo journalctl -u UNIT -n 50 --no-pager # " +
				"on the machine",
			signs: []string{"fact unit "}, sources: []string{factSource},
			pattern: regexp.MustCompile(`^fact unit \S+ (failed|inactive|activating)$`),
		},
		{
			ID: "resolv-loop", Title: "Pods get a DNS server that is the node itself",
			Cause: "the file that kubelet hands to pods names a loopback address: CoreDNS would " +
				"ask itself",
			Hint:  mendResolver,
			signs: []string{"fact nameserver "}, sources: []string{factSource},
			pattern: regexp.MustCompile(`^fact nameserver (127\.|::1)`),
		},
		{
			ID: "clock-offset", Title: "A machine's clock is wrong",
			Cause: "it differs from this computer's by more than a few seconds",
			Hint: "timedatectl; sudo systemctl restart systemd-timesyncd # on the machine, and " +
				"here",
			signs: []string{"fact clock-offset "}, sources: []string{factSource},
			pattern: regexp.MustCompile(`^fact clock-offset -?([5-9]|\d{2,})$`),
		},
		{
			ID: "duplicate-machine", Title: "Two machines have one identity",
			Cause: "they were cloned: /etc/machine-id, or the product UUID, is the same",
			Hint:  "sudo rm /etc/machine-id && sudo systemd-machine-id-setup # on the clone",
			signs: []string{"fact duplicate "}, sources: []string{factSource},
		},
	}
}
