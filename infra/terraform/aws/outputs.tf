output "machines" {
  description = "The machines, as internal/wcctl/fleet reads them."
  value = [
    for name in concat([local.control_plane], local.workers) : {
      name    = name
      role    = name == local.control_plane ? "control-plane" : "worker"
      address = local.addresses[name]
      # The API server is reached through the edge, so its certificate names the same address.
      public_address = contains([local.control_plane, local.edge], name) ? aws_eip.edge.public_ip : ""
      api_address    = name == local.control_plane ? "${aws_eip.edge.public_ip}:${local.api_port}" : ""
      edge           = name == local.edge
      architecture   = local.architecture
      # Nothing listens on port 22 for the outside: a session carries SSH.
      ssh = {
        # `terraform import` reads this too, before all machines are in the state.
        host          = try(aws_instance.machine[name].id, "")
        port          = 22
        user          = "ubuntu"
        proxy_command = "aws ssm start-session --region ${var.region} --target %h --document-name AWS-StartSSHSession --parameters portNumber=%p"
      }
    }
  ]
}
