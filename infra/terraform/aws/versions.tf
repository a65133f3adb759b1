terraform {
  # The S3 backend locks with use_lockfile alone from 1.11 on.
  required_version = ">= 1.11.0"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # The schema that the tests check against is 6.25's.
      version = "~> 6.25"
    }
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = {
      Cluster   = var.cluster
      ManagedBy = "wcctl"
      Project   = "wastecoach"
    }
  }
}
