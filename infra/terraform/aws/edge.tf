# The one public IPv4: in for the application and the API server, out for everybody.
resource "aws_eip" "edge" {
  domain            = "vpc"
  network_interface = aws_network_interface.machine[local.edge].id

  tags = { Name = local.edge }

  depends_on = [aws_internet_gateway.cluster]
}

locals {
  edge_first_boot = "#cloud-config\n${yamlencode(merge(local.cloud_config, {
    hostname = local.edge
    write_files = [
      {
        path    = "/etc/sysctl.d/60-wastecoach-edge.conf"
        content = "net.ipv4.ip_forward = 1\n"
      },
      {
        path = "/etc/wastecoach/edge.nft"
        content = templatefile("${path.module}/templates/edge.nft.tftpl", {
          vpc           = local.vpc_cidr
          edge          = local.addresses[local.edge]
          control_plane = local.addresses[local.control_plane]
          port          = local.api_port
        })
      },
      {
        path    = "/etc/systemd/system/wastecoach-edge.service"
        content = file("${path.module}/templates/edge.service")
      },
      {
        path        = "/usr/local/sbin/wastecoach-edge"
        permissions = "0755"
        content     = file("${path.module}/templates/edge.sh")
      },
    ]
    runcmd = ["/usr/local/sbin/wastecoach-edge"]
  }))}"
}
