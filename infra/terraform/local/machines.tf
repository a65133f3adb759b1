locals {
  # The lowest numbers that no removed worker had: a name and an address are not given twice.
  numbers = slice([
    for n in range(1, 1 + var.workers + length(var.retired_workers)) : n if !contains(var.retired_workers, n)
  ], 0, var.workers)

  names = concat(
    ["${var.cluster}-control-plane"],
    [for n in local.numbers : "${var.cluster}-worker-${n}"],
  )

  machines = {
    for i, name in local.names : name => {
      name           = name
      role           = i == 0 ? "control-plane" : "worker"
      address        = cidrhost(var.subnet, 11 + (i == 0 ? 0 : local.numbers[i - 1]))
      public_address = ""
      api_address    = i == 0 ? "127.0.0.1:${var.reservations[name].api_port}" : ""
      edge           = i == 1
      architecture   = var.architecture
      ssh = {
        host          = "127.0.0.1"
        port          = var.reservations[name].ssh_port
        user          = "root"
        proxy_command = ""
      }
    }
  }
}

# The slot deletes its machine when it goes. It is a resource of its own because Terraform skips the
# destroy-time provisioner of a resource whose creation failed: a half-made machine would be left.
resource "terraform_data" "slot" {
  for_each = local.machines

  # A destroy-time provisioner sees nothing but this.
  input = {
    name      = each.key
    wcctl     = var.wcctl
    state_dir = var.state_dir
  }

  # A machine that is off stays; one that was deleted by hand has a new id.
  triggers_replace = {
    id             = var.reservations[each.key].id
    ports          = [each.value.ssh.port, each.value.api_address]
    address        = each.value.address
    subnet         = var.subnet
    disk_gib       = var.disk_gib
    authorized_key = trimspace(var.authorized_key)
  }

  provisioner "local-exec" {
    when        = destroy
    interpreter = ["/bin/sh", "-eu", "-c"]
    # wcctl may have moved since.
    command = <<-EOT
      if [ ! -x "$WC_PROGRAM" ]; then WC_PROGRAM=wcctl; fi
      exec "$WC_PROGRAM" machine delete "$WC_NAME" --state-dir "$WC_STATE_DIR"
    EOT
    environment = {
      WC_PROGRAM   = self.output.wcctl
      WC_NAME      = self.output.name
      WC_STATE_DIR = self.output.state_dir
    }
  }
}

resource "terraform_data" "machine" {
  for_each = local.machines

  input            = each.value
  triggers_replace = terraform_data.slot[each.key].id

  # No shell: the interpreter's words and the command are the program's arguments as they are.
  provisioner "local-exec" {
    interpreter = concat(
      [
        var.wcctl, "machine", "create",
        "--state-dir", var.state_dir,
        "--cluster", var.cluster,
        "--subnet", var.subnet,
        "--address", each.value.address,
        "--disk-gib", tostring(var.disk_gib),
        "--authorized-key", trimspace(var.authorized_key),
        "--id", var.reservations[each.key].id,
        "--ssh-port", tostring(each.value.ssh.port),
      ],
      each.value.role == "control-plane"
      ? ["--control-plane", "--api-port", tostring(var.reservations[each.key].api_port)]
      : [],
      var.image_tar == null ? [] : ["--image-tar", var.image_tar],
    )
    command = each.key
  }
}
