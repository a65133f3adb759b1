locals {
  # In the order of the configuration, which is that of the output.
  names = var.machines[*].name

  by_name = { for m in var.machines : m.name => m }

  # Empty behind a bastion: the API server is then reached through a login to the control plane.
  api_addresses = {
    for m in var.machines : m.name => m.role == "control-plane" && !var.bastion ? "${m.address}:6443" : ""
  }
}

# Nothing is made of a host that is there already; the record lets a plan name what joins, leaves
# or changes.
resource "terraform_data" "machine" {
  for_each = local.by_name

  input = {
    cluster = var.cluster
    machine = {
      name           = each.value.name
      role           = each.value.role
      address        = each.value.private_address
      public_address = each.value.address == each.value.private_address ? "" : each.value.address
      api_address    = local.api_addresses[each.key]
      edge           = each.value.edge
      architecture   = each.value.architecture
      ssh = {
        host          = each.value.address
        port          = each.value.ssh_port
        user          = each.value.ssh_user
        proxy_command = ""
      }
    }
  }
}
