# Two roles for GitHub Actions, without keys: any pull request may plan, which reads configuration and no data; only a job
# of the environment, behind its approval, may apply
# (docs.github.com/en/actions/how-tos/secure-your-work/security-harden-deployments/oidc-in-aws).
locals {
  repositories = toset(compact([var.github_repository]))

  provider_arn = "arn:${var.scope.partition}:iam::${var.scope.account_id}:oidc-provider/token.actions.githubusercontent.com"

  roles = {
    plan  = ["pull_request", "ref:refs/heads/main"]
    apply = ["environment:${var.environment}"]
  }
  trusted = merge([
    for repository in local.repositories : {
      for role, contexts in local.roles : role => [for context in contexts : "repo:${repository}:${context}"]
    }
  ]...)
  role_arns = { for role in keys(local.trusted) : role => "arn:${var.scope.partition}:iam::${var.scope.account_id}:role/${var.name}-ci-${role}" }
}

# Made once for an account, by terraform/bootstrap/aws.
data "aws_iam_openid_connect_provider" "github" {
  for_each = local.repositories

  arn = local.provider_arn
}

resource "aws_iam_role" "this" {
  for_each = local.trusted

  name                 = "${var.name}-ci-${each.key}"
  max_session_duration = 3600

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Federated = local.provider_arn }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
          "token.actions.githubusercontent.com:sub" = each.value
        }
      }
    }]
  })

  depends_on = [data.aws_iam_openid_connect_provider.github]
}
