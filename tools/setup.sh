#!/bin/bash
# Installs what the tests and the development stack need from the system and is not there yet.
# usage: setup.sh test|dev|cluster
#   test     what the tests and linters run; a missing part is an error
#   dev      what `wcctl dev` uses; it has substitutes
#   cluster  what `wcctl up --target local` and the cluster tests use; a missing part is an error
set -euo pipefail
export LC_ALL=C DEBIAN_FRONTEND=noninteractive

mode=${1:-test}

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

has_postgres() {
	command -v postgres >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null
}

check_go() {
	command -v go >/dev/null ||
		fail 'Go is missing: unpack the release that go.mod names into /usr/local/go'
	local wanted have
	wanted=$(sed -n 's/^go //p' go.mod)
	have=$(go env GOVERSION)
	have=${have#go}
	if [[ $(printf '%s\n' "$wanted" "$have" | sort -V | head -n 1) != "$wanted" ]]; then
		fail "Go $have is too old: go.mod wants $wanted or newer"
	fi
}

# Terraform is in no Debian archive.
check_terraform() {
	command -v terraform >/dev/null ||
		fail 'terraform is missing: put release 1.11 or newer on the PATH'
}

# Prints the missing packages, one per line.
missing() {
	[[ -e /etc/ssl/certs/ca-certificates.crt || -e /etc/pki/tls/certs/ca-bundle.crt ]] ||
		echo ca-certificates
	if [[ $mode != cluster ]]; then
		has_postgres || echo postgresql
		needs redis-server redis-server
	fi
	if [[ $mode != dev ]]; then
		needs ansible-playbook ansible-core
		needs ssh openssh-client
	fi
	if [[ $mode == test ]]; then
		needs ansible-lint ansible-lint
		needs shellcheck shellcheck
		needs node nodejs
		needs npm npm
		needs sshd openssh-server
		needs nft nftables
		needs tmux tmux
		needs promtool prometheus
		needs pgbackrest pgbackrest
	fi
	if [[ $mode == cluster ]]; then
		needs mmdebstrap mmdebstrap
		needs mkfs.ext4 e2fsprogs
		needs ip iproute2
	fi
}

# needs PROGRAM PACKAGE
needs() { command -v "$1" >/dev/null || echo "$2"; }

undo=()
cleanup() {
	local file
	for file in "${undo[@]}"; do rm -f "$file"; done
}

# We want the programs, not servers of the machine's own: the tests and wcctl start theirs.
forbid_autostart() {
	local policy=/usr/sbin/policy-rc.d
	local cluster=/etc/postgresql-common/createcluster.d/wastecoach.conf
	if [[ ! -e $policy ]]; then
		undo+=("$policy")
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod 755 "$policy"
	fi
	if [[ ! -e $cluster ]]; then
		undo+=("$cluster")
		mkdir -p "${cluster%/*}"
		echo 'create_main_cluster = false' >"$cluster"
	fi
}

install_packages() {
	say "installing $*"
	trap cleanup EXIT
	forbid_autostart
	local apt=(apt-get -q -y -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3)
	"${apt[@]}" update </dev/null
	"${apt[@]}" install --no-install-recommends "$@" </dev/null
	# The policy above holds for now only; this holds for the next boot, too.
	command -v systemctl >/dev/null || return 0
	if [[ " $* " == *' redis-server '* ]]; then systemctl disable redis-server.service; fi
	if [[ " $* " == *' openssh-server '* ]]; then systemctl disable ssh.service; fi
	if [[ " $* " == *' prometheus '* ]]; then systemctl disable prometheus.service; fi
}

main() {
	cd "$(dirname "$0")/.."
	# Where servers and file system tools live is not on every user's path.
	PATH=$PATH:/usr/sbin:/sbin
	check_go
	if [[ $mode != dev ]]; then check_terraform; fi
	local packages
	mapfile -t packages < <(missing)
	if ((${#packages[@]} == 0)); then return; fi
	if command -v apt-get >/dev/null && ((EUID == 0)); then
		install_packages "${packages[@]}"
	elif [[ $mode == dev ]]; then
		say "not installed: ${packages[*]}; wcctl uses its substitutes"
	else
		fail "not installed: ${packages[*]}. As root: apt-get install --no-install-recommends ${packages[*]}"
	fi
}

main
