"""The three Terraform roots, read through their plans and run by the real Terraform."""
