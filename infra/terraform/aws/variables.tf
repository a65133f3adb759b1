variable "cluster" {
  description = "Name of the cluster; it begins the names of all that is made."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$", var.cluster))
    error_message = "The name has 1 to 40 lower-case letters, digits and hyphens."
  }
}

variable "region" {
  description = "AWS region in which everything stands, e.g. ap-northeast-2."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[1-9][0-9]?$", var.region))
    error_message = "Write a region such as ap-northeast-2, without a zone's letter."
  }
}

variable "instance_type" {
  description = "EC2 type of all machines; with a g after the number they are arm64."
  type        = string
  default     = "t4g.medium"

  validation {
    condition     = can(regex("^[a-z]+[0-9]+[a-z]*(-[a-z0-9]+)?\\.[a-z0-9-]+$", var.instance_type))
    error_message = "Write an EC2 instance type such as t4g.medium."
  }
}

variable "cpu_credits" {
  description = <<-EOT
    What a burstable machine does without credits. A T4g or T3 starts with none, so that standard
    holds kubeadm at a fifth of each CPU; unlimited bills what is not earned back within a day.
  EOT
  type        = string
  default     = "unlimited"

  validation {
    condition     = contains(["standard", "unlimited"], var.cpu_credits)
    error_message = "Write standard or unlimited."
  }
}

variable "workers" {
  description = "Number of workers; the first one is the edge."
  type        = number
  default     = 2

  validation {
    condition     = var.workers >= 1 && var.workers <= 100 && floor(var.workers) == var.workers
    error_message = "There are 1 to 100 workers: the first one is the way in and out."
  }
}

variable "retired_workers" {
  description = "Numbers of workers that were removed; wcctl node remove keeps them."
  type        = list(number)
  default     = []

  validation {
    condition     = alltrue([for n in var.retired_workers : n > 1 && n == floor(n)])
    error_message = "retired_workers must be whole numbers from 2: worker 1 is the way in and out."
  }
  validation {
    condition     = length(distinct(var.retired_workers)) == length(var.retired_workers)
    error_message = "retired_workers must not hold a number twice."
  }
}

variable "volume_gib" {
  description = "Size of each machine's disk in GiB."
  type        = number
  default     = 20

  validation {
    condition     = var.volume_gib >= 10 && var.volume_gib <= 16384
    error_message = "A disk has 10 to 16384 GiB."
  }
}

variable "api_allowed_cidrs" {
  description = "IPv4 networks that may reach the API server from outside."
  type        = list(string)

  validation {
    condition     = length(var.api_allowed_cidrs) > 0
    error_message = "Name at least your own address, as a.b.c.d/32."
  }

  validation {
    condition     = alltrue([for cidr in var.api_allowed_cidrs : can(cidrnetmask(cidr))])
    error_message = "Write IPv4 networks such as 198.51.100.7/32."
  }

  validation {
    condition = var.api_open_to_internet || alltrue([
      for cidr in var.api_allowed_cidrs : !endswith(cidr, "/0")
    ])
    error_message = "A /0 opens the API server to everybody; api_open_to_internet says that it is meant."
  }
}

variable "api_open_to_internet" {
  description = "Says that 0.0.0.0/0 in api_allowed_cidrs is meant."
  type        = bool
  default     = false
}

variable "endpoint" {
  description = "DNS name that stands for the API server; a record is made only where zone_id is given."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]([a-z0-9-]*[a-z0-9])?$", var.endpoint))
    error_message = "Write a DNS name such as api.demo.internal."
  }
}

variable "zone_id" {
  description = "Route 53 zone that shall hold the endpoint's record; empty makes none."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(Z[A-Z0-9]+)?$", var.zone_id))
    error_message = "A zone's id begins with Z."
  }
}

variable "photos_bucket" {
  description = "Name of the bucket for photos; empty names it after the cluster and the account."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^([a-z0-9][a-z0-9-]{1,61}[a-z0-9])?$", var.photos_bucket))
    error_message = "A bucket's name has 3 to 63 lower-case letters, digits and hyphens."
  }
}

variable "allowed_origins" {
  description = "Web origins that may upload; the signature, not the origin, is the permission."
  type        = list(string)
  default     = ["*"]

  validation {
    condition = length(var.allowed_origins) > 0 && alltrue([
      for origin in var.allowed_origins : can(regex("^(\\*|https?://[^/]+)$", origin))
    ])
    error_message = "Write origins such as https://app.example.org, or *."
  }
}

variable "authorized_key" {
  description = "Public SSH key of wcctl, as in authorized_keys."
  type        = string

  validation {
    condition     = can(regex("^(ssh-|ecdsa-|sk-)[a-z0-9@.-]+ [A-Za-z0-9+/]+=*( .*)?$", var.authorized_key))
    error_message = "Write one public key on one line: its type, the key, a comment."
  }
}
