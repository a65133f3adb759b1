# Groups hold no rules of their own: rules that name each other's groups would be a circle.
resource "aws_security_group" "machine" {
  for_each = toset(["control-plane", "worker", "edge"])

  name        = "${var.cluster}-${each.key}"
  description = "Machines of ${var.cluster}: ${each.key}"
  vpc_id      = aws_vpc.cluster.id

  tags = { Name = "${var.cluster}-${each.key}" }
}

# The VPC's own group is what a machine without a group gets: it lets nothing in or out.
resource "aws_default_security_group" "none" {
  vpc_id = aws_vpc.cluster.id

  tags = { Name = "${var.cluster}-none" }
}

locals {
  # No NodePort is open, to nobody: the ingress listens on the edge's own ports 80 and 443. BGP
  # is not spoken: Calico and flannel both wrap pod traffic in VXLAN.
  cluster_rules = {
    api-from-workers     = { to = "control-plane", from = "worker", protocol = "tcp", ports = [6443, 6443] }
    etcd-from-itself     = { to = "control-plane", from = "control-plane", protocol = "tcp", ports = [2379, 2380] }
    kubelet-from-workers = { to = "control-plane", from = "worker", protocol = "tcp", ports = [10250, 10250] }
    kubelet-from-api     = { to = "worker", from = "control-plane", protocol = "tcp", ports = [10250, 10250] }
    kubelet-from-metrics = { to = "worker", from = "worker", protocol = "tcp", ports = [10250, 10250] }

    # Calico's VXLAN port, and flannel's.
    calico-control-plane-from-workers  = { to = "control-plane", from = "worker", protocol = "udp", ports = [4789, 4789] }
    calico-workers-from-control-plane  = { to = "worker", from = "control-plane", protocol = "udp", ports = [4789, 4789] }
    calico-workers-from-workers        = { to = "worker", from = "worker", protocol = "udp", ports = [4789, 4789] }
    flannel-control-plane-from-workers = { to = "control-plane", from = "worker", protocol = "udp", ports = [8472, 8472] }
    flannel-workers-from-control-plane = { to = "worker", from = "control-plane", protocol = "udp", ports = [8472, 8472] }
    flannel-workers-from-workers       = { to = "worker", from = "worker", protocol = "udp", ports = [8472, 8472] }

    # Typha may run on any machine, and every machine's calico-node asks it.
    typha-control-plane-from-workers = { to = "control-plane", from = "worker", protocol = "tcp", ports = [5473, 5473] }
    typha-workers-from-control-plane = { to = "worker", from = "control-plane", protocol = "tcp", ports = [5473, 5473] }
    typha-workers-from-workers       = { to = "worker", from = "worker", protocol = "tcp", ports = [5473, 5473] }

    # What the others send out passes the edge's group with its final port: packages, images, AWS.
    http-out-from-control-plane  = { to = "edge", from = "control-plane", protocol = "tcp", ports = [80, 80] }
    http-out-from-workers        = { to = "edge", from = "worker", protocol = "tcp", ports = [80, 80] }
    https-out-from-control-plane = { to = "edge", from = "control-plane", protocol = "tcp", ports = [443, 443] }
    https-out-from-workers       = { to = "edge", from = "worker", protocol = "tcp", ports = [443, 443] }
  }
}

# Rules have a Name so that one that Terraform's state has lost can be found again.
resource "aws_vpc_security_group_ingress_rule" "cluster" {
  for_each = local.cluster_rules

  security_group_id            = aws_security_group.machine[each.value.to].id
  referenced_security_group_id = aws_security_group.machine[each.value.from].id
  description                  = each.key
  ip_protocol                  = each.value.protocol
  from_port                    = each.value.ports[0]
  to_port                      = each.value.ports[1]

  tags = { Name = "${var.cluster}-${each.key}" }
}

# The edge forwards the API server's port and keeps the sender's address, so that the audit log
# names the client: both groups have to know the chosen networks.
resource "aws_vpc_security_group_ingress_rule" "api" {
  for_each = {
    for pair in setproduct(["edge", "control-plane"], var.api_allowed_cidrs) :
    "${pair[0]} from ${pair[1]}" => { to = pair[0], cidr = pair[1] }
  }

  security_group_id = aws_security_group.machine[each.value.to].id
  cidr_ipv4         = each.value.cidr
  description       = "API server"
  ip_protocol       = "tcp"
  from_port         = local.api_port
  to_port           = local.api_port

  tags = { Name = "${var.cluster}-api-${each.key}" }
}

# The application: the ingress sends plain HTTP to HTTPS.
resource "aws_vpc_security_group_ingress_rule" "web" {
  for_each = { http = 80, https = 443 }

  security_group_id = aws_security_group.machine["edge"].id
  cidr_ipv4         = "0.0.0.0/0"
  description       = "Application, ${each.key}"
  ip_protocol       = "tcp"
  from_port         = each.value
  to_port           = each.value

  tags = { Name = "${var.cluster}-web-${each.key}" }
}

resource "aws_vpc_security_group_egress_rule" "all" {
  for_each = aws_security_group.machine

  security_group_id = each.value.id
  cidr_ipv4         = "0.0.0.0/0"
  description       = "Everywhere"
  ip_protocol       = "-1"

  tags = { Name = "${var.cluster}-out-${each.key}" }
}
