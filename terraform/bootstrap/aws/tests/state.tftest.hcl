# The state's bucket: it can be had back, and nobody gets at it who is not let in. It must be the one that
# terraform/aws/modules/ci lets CI use.

mock_provider "aws" {}

variables {
  account_id        = "123456789012"
  github_repository = "acme/orders"
  region            = "eu-west-1"
}

run "the_state_is_versioned_encrypted_and_private" {
  command = plan

  assert {
    condition     = aws_s3_bucket.state.bucket == "orderflow-state-123456789012"
    error_message = "CI may use the bucket of another name only."
  }

  assert {
    condition     = aws_s3_bucket_versioning.state.versioning_configuration[0].status == "Enabled"
    error_message = "A state that a bad apply has spoilt is lost."
  }

  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.state.rule).apply_server_side_encryption_by_default[0].sse_algorithm == "aws:kms"
    error_message = "The state is not encrypted with a key that is asked for."
  }

  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.state.block_public_acls,
      aws_s3_bucket_public_access_block.state.block_public_policy,
      aws_s3_bucket_public_access_block.state.ignore_public_acls,
      aws_s3_bucket_public_access_block.state.restrict_public_buckets,
    ])
    error_message = "The bucket can be made public."
  }

  assert {
    condition     = one(values(aws_iam_openid_connect_provider.github)).url == "https://token.actions.githubusercontent.com"
    error_message = "GitHub Actions cannot sign in."
  }
}

run "without_a_repository_github_is_not_let_in" {
  command = plan

  variables {
    github_repository = null
  }

  assert {
    condition     = length(aws_iam_openid_connect_provider.github) == 0
    error_message = "GitHub is an identity provider of an account that has no use for it."
  }
}
