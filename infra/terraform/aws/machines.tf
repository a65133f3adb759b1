locals {
  api_port      = 6443
  control_plane = "${var.cluster}-control-plane"
  # The lowest numbers that no removed worker had: a name and an address are not given twice.
  numbers = slice([
    for n in range(1, 1 + var.workers + length(var.retired_workers)) : n if !contains(var.retired_workers, n)
  ], 0, var.workers)
  workers = [for n in local.numbers : "${var.cluster}-worker-${n}"]
  edge    = local.workers[0]

  # Fixed addresses: certificates and /etc/hosts outlive a machine that is replaced.
  addresses = merge(
    { (local.control_plane) = cidrhost(local.private_cidr, 10) },
    { (local.edge) = cidrhost(local.public_cidr, 10) },
    { for n in slice(local.numbers, 1, var.workers) : "${var.cluster}-worker-${n}" => cidrhost(local.private_cidr, 18 + n) },
  )

  # A family is letters, its number, its attributes: a g there, or the family a1, is Graviton.
  family       = regex("^(?P<letters>[a-z]+)(?P<number>[0-9]+)(?P<attributes>[a-z]*)", var.instance_type)
  arm64        = local.family.letters == "a" || strcontains(local.family.attributes, "g")
  architecture = local.arm64 ? "arm64" : "amd64"
  burstable    = local.family.letters == "t"
}

# Canonical's newest image of the LTS release that the Ansible roles are written for.
data "aws_ssm_parameter" "ubuntu" {
  name = "/aws/service/canonical/ubuntu/server/24.04/stable/current/${local.architecture}/hvm/ebs-gp3/ami-id"
}

resource "aws_network_interface" "machine" {
  for_each = local.addresses

  subnet_id   = each.key == local.edge ? aws_subnet.public.id : aws_subnet.private.id
  private_ips = [each.value]
  # The edge passes on packets that are not its own.
  source_dest_check = each.key != local.edge
  security_groups = [
    for group in(
      each.key == local.control_plane ? ["control-plane"] :
      each.key == local.edge ? ["worker", "edge"] : ["worker"]
    ) : aws_security_group.machine[group].id
  ]

  tags = { Name = each.key }
}

resource "aws_instance" "machine" {
  for_each = local.addresses

  ami                  = data.aws_ssm_parameter.ubuntu.insecure_value
  instance_type        = var.instance_type
  iam_instance_profile = aws_iam_instance_profile.machine[each.key == local.control_plane ? "control" : "worker"].name
  user_data            = each.key == local.edge ? local.edge_first_boot : local.first_boot[each.key]

  primary_network_interface {
    network_interface_id = aws_network_interface.machine[each.key].id
  }

  root_block_device {
    volume_type           = "gp3"
    volume_size           = var.volume_gib
    encrypted             = true
    delete_on_termination = true
  }

  # One hop: pods, which are one hop further, get no credentials of the machine.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  dynamic "credit_specification" {
    for_each = local.burstable ? [var.cpu_credits] : []
    content {
      cpu_credits = credit_specification.value
    }
  }

  tags = { Name = each.key }

  # A machine boots when its way out stands: what fails at first is tried again late or never.
  depends_on = [
    aws_eip.edge,
    aws_route.edge,
    aws_route.internet,
    aws_route_table_association.private,
    aws_route_table_association.public,
    aws_vpc_security_group_egress_rule.all,
    aws_vpc_security_group_ingress_rule.cluster,
  ]

  lifecycle {
    # Canonical's next image must not replace a running machine, and its first boot is over.
    ignore_changes = [ami, user_data]
  }
}

locals {
  cloud_config = {
    ssh_authorized_keys = [var.authorized_key]
    ssh_pwauth          = false
  }
  first_boot = {
    for name in keys(local.addresses) :
    name => "#cloud-config\n${yamlencode(merge(local.cloud_config, {
      hostname = name
      write_files = [{
        path        = "/usr/local/sbin/wastecoach-way-out"
        permissions = "0755"
        content     = file("${path.module}/templates/way-out.sh")
      }]
      # The edge has fifteen minutes: it may have to install a package first.
      runcmd = [["/usr/local/sbin/wastecoach-way-out", "ssm.${var.region}.amazonaws.com", "443", "900"]]
    }))}"
  }
}
