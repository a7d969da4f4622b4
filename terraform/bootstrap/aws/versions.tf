terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
  }

  # Its own state stays on the machine it is run on: it holds no secret, and everything in it can be imported again.
}
