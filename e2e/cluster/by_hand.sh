#!/bin/bash
# Makes a cluster as one does by hand, with ssh, curl, apt-get and kubeadm: the measure for `wcctl up`.
# Same machines, same files, same bundle. Prints the seconds from the first login to all nodes Ready.
# usage: by_hand.sh NAME,ADDRESS,SSH_PORT...      the control plane first
set -euo pipefail
: "${WORK:?a folder for sockets, logs and the kubeconfig}" "${KEY:?the private key}"
: "${SERVER:?host:port where wcctl bundle serve listens}" "${LOCK:?the lock of the bundle}"
: "${NETWORK:?the manifest of the pod network}" "${POD_SUBNET:?}" "${VERSION:?of Kubernetes}"

address() { cut -d , -f 2 <<<"$1"; }
name() { cut -d , -f 1 <<<"$1"; }
control_plane=$1
join_address=$(address "$control_plane")

options=(-F none -i "$KEY" -o IdentitiesOnly=yes -o StrictHostKeyChecking=accept-new
	-o "UserKnownHostsFile=$WORK/known_hosts" -o "ControlPath=$WORK/%C" -o LogLevel=ERROR)

# Runs a script on a machine: on MACHINE [ARGUMENT...] <script
on() {
	local machine=$1
	shift
	ssh "${options[@]}" -p "${machine##*,}" root@127.0.0.1 "bash -s -- ${*@Q}"
}

connect() {
	ssh "${options[@]}" -f -N -M -R "127.0.0.1:5885:$SERVER" -p "${1##*,}" root@127.0.0.1
}

disconnect() {
	for machine in "$@"; do
		ssh "${options[@]}" -O exit -p "${machine##*,}" root@127.0.0.1 2>/dev/null || true
	done
}

# The names of the bundle's archives.
archive() { grep -o "\"files/$1[^\"]*gz\"" "$LOCK" | head -n 1 | tr -d '"'; }
containerd=$(archive containerd)
plugins=$(archive cni-plugins)
pause=$(grep -o 'registry.k8s.io/pause:[^"]*' "$LOCK" | head -n 1)

install_all() {
	on "$1" "$(name "$1")" "$containerd" "$plugins" "$pause" "${hosts[@]}" <<-'END'
		set -euo pipefail
		name=$1 containerd=$2 plugins=$3 pause=$4
		bundle=http://127.0.0.1:5885
		hostname "$name"
		echo "$name" >/etc/hostname
		printf '%s\n' "${@:5}" >>/etc/hosts
		echo net.ipv4.ip_forward=1 >/etc/sysctl.d/kubernetes.conf
		sysctl --quiet --load /etc/sysctl.d/kubernetes.conf

		get() { curl --silent --show-error --fail "$bundle/$1"; }
		(get "$containerd" | tar -xz -C /usr/local) &
		(mkdir -p /opt/cni/bin && get "$plugins" | tar -xz -C /opt/cni/bin) &
		for program in kubeadm kubelet kubectl; do
			(get "files/$program" >/usr/local/bin/$program && chmod 755 /usr/local/bin/$program) &
		done
		rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*
		echo "deb [trusted=yes] $bundle/debs/ ./" >/etc/apt/sources.list.d/bundle.list
		export DEBIAN_FRONTEND=noninteractive
		apt-get -qq update
		apt-get -qq install --yes --no-install-recommends conntrack ethtool iptables nftables runc socat >/dev/null
		wait

		mkdir -p /etc/containerd/certs.d/_default /etc/cni/net.d
		cat >/etc/containerd/certs.d/_default/hosts.toml <<-TOML
			[host."$bundle"]
			  capabilities = ["pull", "resolve"]
		TOML
		cat >/etc/containerd/config.toml <<-TOML
			version = 3
			[plugins.'io.containerd.cri.v1.images']
			  snapshotter = 'overlayfs'
			  [plugins.'io.containerd.cri.v1.images'.pinned_images]
			    sandbox = '$pause'
			  [plugins.'io.containerd.cri.v1.images'.registry]
			    config_path = '/etc/containerd/certs.d'
			[plugins.'io.containerd.cri.v1.runtime']
			  restrict_oom_score_adj = true
			  [plugins.'io.containerd.cri.v1.runtime'.cni]
			    bin_dirs = ['/opt/cni/bin']
			    conf_dir = '/etc/cni/net.d'
			  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
			    runtime_type = 'io.containerd.runc.v2'
			    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
			      SystemdCgroup = true
		TOML
		cat >/etc/systemd/system/containerd.service <<-UNIT
			[Unit]
			Description=containerd
			[Service]
			ExecStart=/usr/local/bin/containerd
			Type=notify
			Delegate=yes
			KillMode=process
			Restart=always
			LimitNOFILE=1048576
			TasksMax=infinity
			[Install]
			WantedBy=multi-user.target
		UNIT
		cat >/etc/systemd/system/kubelet.service <<-'UNIT'
			[Unit]
			Description=kubelet
			After=containerd.service
			ConditionPathExists=/var/lib/kubelet/config.yaml
			[Service]
			Environment="ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf --config=/var/lib/kubelet/config.yaml"
			EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
			ExecStart=/usr/local/bin/kubelet $ARGS $KUBELET_KUBEADM_ARGS
			Restart=always
			[Install]
			WantedBy=multi-user.target
		UNIT
		systemctl daemon-reload
		systemctl enable --quiet --now containerd
		systemctl enable --quiet kubelet
	END
}

init() {
	on "$control_plane" "$(name "$control_plane")" "$join_address" "$VERSION" "$POD_SUBNET" <<-'END'
		set -euo pipefail
		cat >/root/kubeadm.yaml <<-YAML
			apiVersion: kubeadm.k8s.io/v1beta4
			kind: InitConfiguration
			localAPIEndpoint: {advertiseAddress: $2}
			nodeRegistration:
			  name: $1
			  criSocket: unix:///run/containerd/containerd.sock
			  kubeletExtraArgs: [{name: node-ip, value: $2}]
			bootstrapTokens: [{token: abcdef.0123456789abcdef}]
			---
			apiVersion: kubeadm.k8s.io/v1beta4
			kind: ClusterConfiguration
			kubernetesVersion: v$3
			controlPlaneEndpoint: api.by-hand.internal:6443
			networking: {podSubnet: $4, serviceSubnet: 10.96.0.0/16}
			---
			apiVersion: kubelet.config.k8s.io/v1beta1
			kind: KubeletConfiguration
			failCgroupV1: false
			cgroupDriver: systemd
			serializeImagePulls: false
			evictionHard: {memory.available: 100Mi, nodefs.available: 200Mi, imagefs.available: 200Mi, nodefs.inodesFree: 1%, imagefs.inodesFree: 1%}
			imageGCHighThresholdPercent: 100
			imageGCLowThresholdPercent: 99
			---
			apiVersion: kubeproxy.config.k8s.io/v1alpha1
			kind: KubeProxyConfiguration
			mode: nftables
			conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
		YAML
		kubeadm init --config /root/kubeadm.yaml --ignore-preflight-errors SystemVerification
	END
}

join() {
	on "$1" "$2" "$(name "$1")" "$(address "$1")" <<-'END'
		cat >/root/join.yaml <<-YAML
			apiVersion: kubeadm.k8s.io/v1beta4
			kind: JoinConfiguration
			discovery:
			  bootstrapToken:
			    apiServerEndpoint: api.by-hand.internal:6443
			    token: abcdef.0123456789abcdef
			    caCertHashes: ["$1"]
			nodeRegistration:
			  name: $2
			  criSocket: unix:///run/containerd/containerd.sock
			  kubeletExtraArgs: [{name: node-ip, value: $3}]
		YAML
		kubeadm join --config /root/join.yaml --ignore-preflight-errors SystemVerification
	END
}

# Runs a function for several machines at once and fails if one failed.
together() {
	local step=$1 pids=() machine pid
	shift
	for machine in "$@"; do
		"$step" "$machine" ${extra:+"$extra"} >"$WORK/$step-$(name "$machine").log" 2>&1 &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || { tail -n 20 "$WORK/$step"-*.log >&2; return 1; }
	done
}

start=${EPOCHREALTIME/./}
passed() { echo "$(((${EPOCHREALTIME/./} - start) / 1000))"; }
tell() { printf '%s: %d ms\n' "$1" "$(passed)" >&2; }

hosts=("$join_address api.by-hand.internal")
for machine in "$@"; do hosts+=("$(address "$machine") $(name "$machine")"); done
trap 'disconnect "$@"' EXIT
extra=''
for machine in "$@"; do connect "$machine"; done
tell connected
together install_all "$@"
tell installed
init >"$WORK/init.log" 2>&1 || { tail -n 40 "$WORK/init.log" >&2; exit 1; }
tell 'kubeadm init'
hash=$(grep -o 'sha256:[0-9a-f]*' "$WORK/init.log" | tail -n 1)
{
	echo 'export KUBECONFIG=/etc/kubernetes/admin.conf; kubectl apply -f - <<"MANIFEST"'
	sed "s|{{ wc_pod_subnet }}|$POD_SUBNET|" "$NETWORK"
	echo MANIFEST
} | on "$control_plane" >"$WORK/network.log" 2>&1
tell 'pod network'
extra=$hash
together join "${@:2}"
tell joined
on "$control_plane" $# >"$WORK/wait.log" 2>&1 <<-'END'
	export KUBECONFIG=/etc/kubernetes/admin.conf
	while [ "$(kubectl get nodes --no-headers | grep -cw Ready)" -lt "$1" ]; do sleep 0.2; done
END
tell Ready
awk "BEGIN { print $(passed) / 1000 }"
