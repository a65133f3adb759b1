variable "cluster" {
  description = "The cluster's name, metadata.name in wastecoach.yaml."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$", var.cluster))
    error_message = "cluster must be 1 to 40 lower-case letters, digits and hyphens, a hyphen neither first nor last."
  }
}

variable "wcctl" {
  description = "Path of the program that makes and deletes machines: wcctl itself."
  type        = string

  validation {
    condition     = startswith(var.wcctl, "/")
    error_message = "wcctl must be an absolute path: Terraform runs in a folder of its own."
  }
}

variable "state_dir" {
  description = "The cluster's state folder, which holds the machines with their disks."
  type        = string

  validation {
    condition     = startswith(var.state_dir, "/")
    error_message = "state_dir must be an absolute path: Terraform runs in a folder of its own."
  }
}

variable "workers" {
  description = "How many workers there are beside the control plane."
  type        = number
  default     = 2

  validation {
    condition     = var.workers >= 1 && var.workers <= 100 && var.workers == floor(var.workers)
    error_message = "workers must be a whole number from 1 to 100."
  }
}

variable "retired_workers" {
  description = "Numbers of workers that were removed; wcctl node remove keeps them."
  type        = list(number)
  default     = []

  validation {
    condition     = alltrue([for n in var.retired_workers : n >= 1 && n == floor(n)])
    error_message = "retired_workers must be whole numbers from 1."
  }
  validation {
    condition     = length(distinct(var.retired_workers)) == length(var.retired_workers)
    error_message = "retired_workers must not hold a number twice."
  }
}

variable "subnet" {
  description = "The machines' own network, which nothing leaves; its first address is the gateway."
  type        = string
  default     = "10.77.0.0/24"

  validation {
    condition     = can(cidrnetmask(var.subnet)) && try(cidrsubnet(var.subnet, 0, 0) == var.subnet, false)
    error_message = "subnet must be an IPv4 network without host bits, e.g. 10.77.0.0/24."
  }
  validation {
    condition     = can(cidrhost(var.subnet, 11 + var.workers + length(var.retired_workers) + 1))
    error_message = "subnet is too small: the machines' addresses begin at its 11th."
  }
}

variable "disk_gib" {
  description = "Size of each machine's disk; it takes space only as it fills."
  type        = number
  default     = 20

  validation {
    condition     = var.disk_gib >= 2 && var.disk_gib == floor(var.disk_gib)
    error_message = "disk_gib must be a whole number from 2."
  }
}

variable "authorized_key" {
  description = "The line of the public key that may log in as root."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9@.-]+ [A-Za-z0-9+/=]+( [^\\n]*)?$", trimspace(var.authorized_key)))
    error_message = "authorized_key must be one line like \"ssh-ed25519 AAAA… comment\"."
  }
}

variable "image_tar" {
  description = "An image by `wcctl machine image`; where it is null, one is made of Debian's packages."
  type        = string
  default     = null
}

variable "architecture" {
  description = "This computer's, as in GOARCH."
  type        = string
  default     = "amd64"

  validation {
    condition     = contains(["amd64", "arm64"], var.architecture)
    error_message = "architecture must be amd64 or arm64."
  }
}

variable "reservations" {
  description = "What each machine is made with, by its name: localmachine.Lab.Reserve gives the same until the machine is deleted, then another id."
  type = map(object({
    # Tells the machine from an earlier one of its name.
    id = string
    # Ports of 127.0.0.1 that lead to its SSH server and its API server; 0 where it has none.
    ssh_port = number
    api_port = optional(number, 0)
  }))

  validation {
    condition = length(setsubtract(
      local.names,
      keys(var.reservations)
    )) == 0
    error_message = "reservations must have every machine: CLUSTER-control-plane, CLUSTER-worker-1 and so on."
  }
  validation {
    condition = alltrue([
      for r in values(var.reservations) : r.id != "" && r.ssh_port >= 1 && r.ssh_port <= 65535
    ])
    error_message = "Each reservation must have an id and an ssh_port from 1 to 65535."
  }
  validation {
    condition     = try(var.reservations["${var.cluster}-control-plane"].api_port, 0) > 0
    error_message = "The control plane's reservation must have an api_port."
  }
}
