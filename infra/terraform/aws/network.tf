# One zone: a volume cannot follow a pod into another one.
data "aws_ec2_instance_type_offerings" "zones" {
  location_type = "availability-zone"

  filter {
    name   = "instance-type"
    values = [var.instance_type]
  }

  lifecycle {
    postcondition {
      condition     = length(self.locations) > 0
      error_message = "${var.region} has no ${var.instance_type}: choose another instance type or region."
    }
  }
}

locals {
  # wcctl refuses pod and service subnets that overlap with it (spec.VPCSubnet).
  vpc_cidr     = "10.42.0.0/16"
  public_cidr  = cidrsubnet(local.vpc_cidr, 8, 0)
  private_cidr = cidrsubnet(local.vpc_cidr, 8, 1)
  zone         = sort(data.aws_ec2_instance_type_offerings.zones.locations)[0]
}

resource "aws_vpc" "cluster" {
  cidr_block           = local.vpc_cidr
  enable_dns_support   = true
  enable_dns_hostnames = true

  tags = { Name = var.cluster }
}

resource "aws_subnet" "public" {
  vpc_id                  = aws_vpc.cluster.id
  availability_zone       = local.zone
  cidr_block              = local.public_cidr
  map_public_ip_on_launch = false

  tags = { Name = "${var.cluster}-public" }

  lifecycle {
    # A zone that is offered later must not move a running cluster.
    ignore_changes = [availability_zone]
  }
}

resource "aws_subnet" "private" {
  vpc_id                  = aws_vpc.cluster.id
  availability_zone       = aws_subnet.public.availability_zone
  cidr_block              = local.private_cidr
  map_public_ip_on_launch = false

  tags = { Name = "${var.cluster}-private" }
}

resource "aws_internet_gateway" "cluster" {
  vpc_id = aws_vpc.cluster.id

  tags = { Name = var.cluster }
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.cluster.id

  tags = { Name = "${var.cluster}-public" }
}

resource "aws_route" "internet" {
  route_table_id         = aws_route_table.public.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.cluster.id
}

resource "aws_route_table_association" "public" {
  subnet_id      = aws_subnet.public.id
  route_table_id = aws_route_table.public.id
}

resource "aws_route_table" "private" {
  vpc_id = aws_vpc.cluster.id

  tags = { Name = "${var.cluster}-private" }
}

resource "aws_route" "edge" {
  route_table_id         = aws_route_table.private.id
  destination_cidr_block = "0.0.0.0/0"
  network_interface_id   = aws_network_interface.machine[local.edge].id
}

resource "aws_route_table_association" "private" {
  subnet_id      = aws_subnet.private.id
  route_table_id = aws_route_table.private.id
}
