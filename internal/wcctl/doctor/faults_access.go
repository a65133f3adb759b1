package doctor

import "regexp"

// accessFaults are those of the way to the machines: SSH, sudo, Python.
func accessFaults() []Fault {
	return []Fault{
		{
			ID: "ssh-host-key-changed", Title: "A machine shows another SSH host key than before",
			Cause: "the machine was made anew under an old address, or somebody is in between",
			Hint: "ssh-keygen -R HOST -f .wastecoach/known_hosts # once you know that it was " +
				"made anew",
			signs: []string{
				"REMOTE HOST IDENTIFICATION HAS CHANGED", "Host key verification failed",
				"knownhosts: key mismatch",
				"host key changed", "shows another host key",
			},
		},
		{
			ID: "ssh-key-missing", Title: "The SSH key file is not where the configuration says",
			Cause: "spec.ssh.keyFile names a file that is missing or that you may not read",
			Hint:  "grep -n keyFile wastecoach.yaml\nls -l ~/.ssh",
			signs: []string{"Identity file", "no such identity", "Load key \""},
			pattern: regexp.MustCompile(
				`(?i)(no such file or directory|not accessible|no such identity)`),
		},
		{
			ID: "ssh-key-open", Title: "The SSH key file may be read by others",
			Cause: "SSH refuses private keys that other users can read",
			Hint:  "chmod 600 KEYFILE",
			signs: []string{"UNPROTECTED PRIVATE KEY FILE", "bad permissions", "are too open"},
		},
		{
			ID: "ssh-denied", Title: "The machine refuses the login",
			Cause: "none of the keys that were tried is in its user's authorized_keys, or the " +
				"user is another one",
			Hint: "ssh-copy-id -i KEYFILE.pub USER@HOST\nssh -v USER@HOST true",
			signs: []string{
				"Permission denied (", "unable to authenticate",
				"Too many authentication failures",
			},
		},
		{
			ID: "ssh-unreachable", Title: "SSH finds nobody at the machine's address",
			Cause: "the machine is off or still starting, its address is wrong, or a firewall " +
				"is in between",
			Hint: "ssh -v USER@HOST true",
			signs: []string{
				"ssh: connect to host", "port 22: ", "Connection closed by remote host",
				"UNREACHABLE!",
			},
			pattern: regexp.MustCompile(
				`(?i)(refused|timed out|no route to host|network is unreachable|closed by remote|UNREACHABLE!)`),
		},
		{
			ID: "sudo-password", Title: "The login's user may not become root without a password",
			Cause: "wcctl never types passwords",
			Hint: "echo 'USER ALL=(ALL) NOPASSWD:ALL' | sudo tee /etc/sudoers.d/wastecoach # " +
				"on the machine",
			signs: []string{
				"sudo: a password is required", "Missing sudo password",
				"is not in the sudoers file",
			},
		},
		{
			ID: "python-missing", Title: "There is no Python 3 on the machine",
			Cause: "Ansible runs its modules with the machine's own Python",
			Hint:  "sudo apt-get install -y python3-minimal python3-apt # on the machine",
			signs: []string{
				"python3: not found", "python3: No such file or directory", "python: not found",
			},
		},
		{
			ID: "temp-not-writable", Title: "Ansible may not write its temporary folder on the machine",
			Cause: "the disk is full or read-only, or the login's user has no home",
			Hint:  "df -h / /tmp; ls -ld ~ # on the machine",
			signs: []string{"Failed to create temporary directory", "Read-only file system"},
		},
	}
}

// terraformFaults are those of making the machines.
func terraformFaults() []Fault {
	return []Fault{
		{
			ID: "terraform-cycle", Title: "Resources wait for each other in a circle",
			Cause: "two security groups name each other inside their own blocks",
			Hint:  "give each rule a resource of its own: aws_vpc_security_group_ingress_rule",
			signs: []string{"Error: Cycle:", "Cycle: aws_"},
		},
		{
			ID: "terraform-locked", Title: "Another Terraform run holds the state",
			Cause: "it still runs, or was killed before it could let go",
			Hint:  "pgrep -a terraform\nterraform -chdir=.wastecoach/terraform force-unlock ID # when none runs",
			signs: []string{"Error acquiring the state lock", "state lock"},
			not:   []string{"Acquiring state lock", "Releasing state lock"},
		},
		{
			ID: "aws-no-credentials", Title: "There are no AWS credentials",
			Cause: "no profile, no environment variables and no role were found, or they have " +
				"expired",
			Hint: "aws sts get-caller-identity",
			signs: []string{
				"No valid credential sources found", "ExpiredToken", "InvalidClientTokenId",
				"failed to refresh cached credentials",
			},
		},
		{
			ID: "aws-not-allowed", Title: "The AWS user may not do that",
			Cause: "an IAM policy is missing",
			Hint: "aws sts get-caller-identity # then give that identity the action in the " +
				"message",
			signs: []string{
				"UnauthorizedOperation", "AccessDenied", "is not authorized to perform",
			},
		},
		{
			ID: "aws-quota", Title: "AWS gives no more of these",
			Cause: "the account's quota is used up, or the zone has no such machine at the moment",
			Hint:  "aws service-quotas list-service-quotas --service-code ec2",
			signs: []string{
				"VcpuLimitExceeded", "InsufficientInstanceCapacity", "AddressLimitExceeded",
				"VpcLimitExceeded",
				"InstanceLimitExceeded",
			},
		},
	}
}

// packageFaults are those of fetching programs and packages.
func packageFaults() []Fault {
	return []Fault{
		{
			ID: "apt-locked", Title: "Another program installs packages at the same time",
			Cause: "most often the system's own upgrades after the first boot",
			Hint: "sudo systemctl stop unattended-upgrades apt-daily.timer " +
				"apt-daily-upgrade.timer # on the machine",
			signs: []string{
				"Could not get lock /var/lib/dpkg", "Could not get lock /var/lib/apt",
				"Unable to acquire the dpkg frontend lock", "Unable to lock directory /var/lib/apt",
			},
		},
		{
			ID: "apt-signature", Title: "A package source is not signed by a key that the machine trusts",
			Cause: "the key is missing or has expired, the signature is too old for this apt, " +
				"or the clock is wrong",
			Hint: "sudo apt-get update # on the machine",
			signs: []string{
				"NO_PUBKEY", "signatures were invalid", "is not signed", "EXPKEYSIG",
				"is not valid yet",
			},
			not: []string{"x509", "certificate", "Release file for"},
		},
		{
			ID: "dpkg-interrupted", Title: "An installation of packages was cut off",
			Cause: "the machine lost its power, or the installer was killed",
			Hint:  "sudo dpkg --configure -a && sudo apt-get install -f # on the machine",
			signs: []string{"dpkg was interrupted, you must manually run"},
		},
		{
			ID: "no-name-resolution", Title: "The machine cannot resolve names",
			Cause: "its resolv.conf names no server that answers, or it has no way out: then " +
				"use a bundle",
			Hint: "cat /etc/resolv.conf; getent hosts registry.k8s.io # on the machine\nwcctl " +
				"up --bundle DIR",
			signs: []string{
				"Temporary failure resolving", "Temporary failure in name resolution",
				"Could not resolve host",
				"server misbehaving", "Name or service not known",
			},
		},
		{
			ID: "checksum", Title: "A download is not what it should be",
			Cause: "it was cut off, or something in between answers with a page of its own",
			Hint:  "wcctl up # fetches it again\ncurl -I URL # on the machine",
			signs: []string{
				"The checksum for", "checksum mismatch", "checksum did not match",
				"Hash Sum mismatch",
			},
		},
		{
			ID: "wrong-architecture", Title: "A program is made for another processor",
			Cause: "the bundle or the download is of another architecture than the machine",
			Hint:  "uname -m # on the machine\nwcctl bundle create --help",
			signs: []string{"exec format error", "Exec format error", "cannot execute binary file"},
		},
	}
}
