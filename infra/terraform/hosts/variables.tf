variable "cluster" {
  description = "The cluster's name, metadata.name in wastecoach.yaml."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$", var.cluster))
    error_message = "cluster must be 1 to 40 lower-case letters, digits and hyphens, a hyphen neither first nor last."
  }
}

variable "bastion" {
  description = "Whether SSH goes through a bastion, so that nothing else of the machines is reached from here."
  type        = bool
  default     = false
}

variable "machines" {
  description = "The hosts of spec.hosts with their defaults filled in; wcctl writes them to terraform.tfvars.json."
  type = list(object({
    # Host name and node name.
    name = string
    # control-plane or worker.
    role = string
    # Where SSH finds it: an IPv4 address or a DNS name.
    address = string
    # The IPv4 address where the other machines find it.
    private_address = string
    ssh_port        = optional(number, 22)
    ssh_user        = string
    # As in GOARCH.
    architecture = string
    # The one worker that takes the traffic from outside.
    edge = optional(bool, false)
  }))

  validation {
    condition     = alltrue([for m in var.machines : contains(["control-plane", "worker"], m.role)])
    error_message = "role must be control-plane or worker."
  }
  validation {
    condition     = length([for m in var.machines : m if m.role == "control-plane"]) == 1
    error_message = "There must be exactly one control plane."
  }
  validation {
    condition     = length([for m in var.machines : m if m.role == "worker"]) >= 1
    error_message = "There must be at least one worker."
  }
  validation {
    condition = alltrue([
      for m in var.machines : can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", m.name))
    ])
    error_message = "name must be an RFC 1123 label: at most 63 lower-case letters, digits and hyphens."
  }
  validation {
    condition     = length(distinct(var.machines[*].name)) == length(var.machines)
    error_message = "No two machines may have the same name."
  }
  validation {
    condition     = alltrue([for m in var.machines : can(cidrnetmask("${m.private_address}/32"))])
    error_message = "private_address must be an IPv4 address."
  }
  validation {
    condition     = length(distinct(var.machines[*].private_address)) == length(var.machines)
    error_message = "No two machines may have the same private_address."
  }
  validation {
    condition     = alltrue([for m in var.machines : m.address != "" && m.ssh_user != ""])
    error_message = "address and ssh_user must not be empty."
  }
  validation {
    condition = alltrue([
      for m in var.machines : m.ssh_port >= 1 && m.ssh_port <= 65535 && m.ssh_port == floor(m.ssh_port)
    ])
    error_message = "ssh_port must be a whole number from 1 to 65535."
  }
  validation {
    condition     = alltrue([for m in var.machines : contains(["amd64", "arm64"], m.architecture)])
    error_message = "architecture must be amd64 or arm64."
  }
  validation {
    condition     = length([for m in var.machines : m if m.edge && m.role == "worker"]) == 1
    error_message = "Exactly one worker must be the edge."
  }
  validation {
    condition     = length([for m in var.machines : m if m.edge && m.role == "control-plane"]) == 0
    error_message = "The control plane cannot be the edge."
  }
}
