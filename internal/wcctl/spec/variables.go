package spec

// Variables are what the file says to the Terraform module of its target. What only a run knows,
// such as its public key, comes on top.
func (c *Cluster) Variables() map[string]any {
	s := c.Spec
	vars := map[string]any{"cluster": c.Metadata.Name}
	switch {
	case s.Target == AWS && s.AWS != nil:
		vars["region"] = s.AWS.Region
		vars["instance_type"] = s.AWS.InstanceType
		vars["cpu_credits"] = s.AWS.CPUCredits
		vars["workers"] = s.AWS.Workers
		vars["volume_gib"] = s.AWS.VolumeGiB
		vars["api_allowed_cidrs"] = s.AWS.APIAllowedCIDRs
		vars["api_open_to_internet"] = s.AWS.APIOpenToInternet
		vars["endpoint"] = s.Kubernetes.Endpoint
		vars["zone_id"] = s.AWS.ZoneID
		vars["photos_bucket"] = s.AWS.PhotosBucket
	case s.Target == Hosts && s.Hosts != nil:
		vars["machines"] = s.Hosts.machines()
		vars["bastion"] = s.SSH.Bastion != nil
	case s.Target == Local && s.Local != nil:
		vars["workers"] = s.Local.Workers
		vars["subnet"] = s.Local.Subnet
		vars["disk_gib"] = s.Local.DiskGiB
	}
	return vars
}

// machines are the hosts as infra/terraform/hosts takes them.
func (h *HostsTarget) machines() []map[string]any {
	role := "control-plane"
	list := make([]map[string]any, 0, 1+len(h.Workers))
	for _, host := range h.all() {
		list = append(list, map[string]any{
			"name": host.Name, "role": role, "address": host.Address,
			"private_address": host.PrivateAddress, "ssh_port": host.Port, "ssh_user": host.User,
			"architecture": host.Architecture, "edge": host.Edge,
		})
		role = "worker"
	}
	return list
}
