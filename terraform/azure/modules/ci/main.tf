# Workflows sign in by a token of GitHub's, which says what runs: there is no secret to keep or to leak
# (docs.github.com/actions/deployment/security-hardening-your-deployments/configuring-openid-connect-in-azure).
# A pull request may only look; changing things takes the environment, whose reviewers GitHub asks first.
locals {
  subjects = var.github_repository == null ? {} : {
    apply = "repo:${var.github_repository}:environment:${var.environment}"
    plan  = "repo:${var.github_repository}:pull_request"
  }

  appliers = { for identity in keys(local.subjects) : identity => identity if identity == "apply" }
  planners = { for identity in keys(local.subjects) : identity => identity if identity == "plan" }
}

resource "azurerm_user_assigned_identity" "this" {
  for_each = local.subjects

  name                = "${var.name}-ci-${each.key}"
  location            = var.location
  resource_group_name = var.resource_group_name
  tags                = var.tags
}

resource "azurerm_federated_identity_credential" "this" {
  for_each = local.subjects

  name                      = "github"
  audience                  = ["api://AzureADTokenExchange"]
  issuer                    = "https://token.actions.githubusercontent.com"
  subject                   = each.value
  user_assigned_identity_id = azurerm_user_assigned_identity.this[each.key].id
}
