# GitHub Actions proves who it is with a token of GitHub's; no key is made. Two accounts: any workflow of the repository may
# plan, only a job in the approved environment may apply
# (docs.github.com/actions/concepts/security/openid-connect, cloud.google.com/iam/docs/workload-identity-federation-with-deployment-pipelines).

locals {
  repositories = toset(var.github_repository == null ? [] : [var.github_repository])

  # The state bucket is beside the deployment: terraform/bootstrap/gcp grants these accounts access to it.
  plan_roles = [
    "roles/browser",
    "roles/cloudfunctions.viewer",
    "roles/cloudscheduler.viewer",
    "roles/datastore.viewer",
    "roles/iam.securityReviewer",
    "roles/iam.workloadIdentityPoolViewer",
    "roles/logging.viewer",
    "roles/monitoring.viewer",
    "roles/pubsub.viewer",
    "roles/run.viewer",
    "roles/secretmanager.viewer",
    "roles/serviceusage.serviceUsageConsumer",
    "roles/storage.bucketViewer",
    "roles/storage.objectViewer",
  ]
  apply_roles = [
    "roles/artifactregistry.admin",
    "roles/browser",
    "roles/cloudfunctions.admin",
    "roles/cloudscheduler.admin",
    "roles/datastore.owner",
    "roles/iam.serviceAccountAdmin",
    "roles/iam.serviceAccountUser",
    "roles/iam.workloadIdentityPoolAdmin",
    "roles/logging.configWriter",
    "roles/monitoring.editor",
    "roles/pubsub.admin",
    "roles/run.admin",
    "roles/secretmanager.admin",
    "roles/serviceusage.serviceUsageAdmin",
    "roles/storage.admin",
  ]

  accounts = { for pair in setproduct(local.repositories, ["apply", "plan"]) : pair[1] => pair[0] }
  grants = merge([
    for kind, roles in { apply = local.apply_roles, plan = local.plan_roles } : {
      for role in roles : "${kind} ${trimprefix(role, "roles/")}" => { kind = kind, role = role }
    } if contains(keys(local.accounts), kind)
  ]...)
}

resource "google_iam_workload_identity_pool" "github" {
  for_each = local.repositories

  project                   = var.project
  workload_identity_pool_id = "${var.name}-github"
  display_name              = "${var.name} on GitHub"
}

resource "google_iam_workload_identity_pool_provider" "github" {
  for_each = local.repositories

  project                            = var.project
  workload_identity_pool_id          = google_iam_workload_identity_pool.github[each.key].workload_identity_pool_id
  workload_identity_pool_provider_id = "actions"
  display_name                       = "GitHub Actions"

  attribute_mapping = {
    "google.subject"       = "assertion.sub"
    "attribute.repository" = "assertion.repository"
  }
  # Without a condition every repository on GitHub could ask.
  attribute_condition = "assertion.repository == \"${each.key}\""

  oidc {
    issuer_uri = "https://token.actions.githubusercontent.com"
  }
}

resource "google_service_account" "this" {
  for_each = local.accounts

  project      = var.project
  account_id   = "${var.name}-${each.key}"
  display_name = "GitHub Actions: ${each.key} of ${var.name}"
}

resource "google_service_account_iam_member" "plan" {
  for_each = local.repositories

  service_account_id = google_service_account.this["plan"].name
  role               = "roles/iam.workloadIdentityUser"
  member             = "principalSet://iam.googleapis.com/${google_iam_workload_identity_pool.github[each.key].name}/attribute.repository/${each.key}"
}

resource "google_service_account_iam_member" "apply" {
  for_each = local.repositories

  service_account_id = google_service_account.this["apply"].name
  role               = "roles/iam.workloadIdentityUser"
  member             = "principal://iam.googleapis.com/${google_iam_workload_identity_pool.github[each.key].name}/subject/repo:${each.key}:environment:${var.environment}"
}

resource "google_project_iam_member" "this" {
  for_each = local.grants

  project = var.project
  role    = each.value.role
  member  = google_service_account.this[each.value.kind].member
}

# Whoever may grant any role has them all: an apply may give only those that the deployment itself gives
# (cloud.google.com/iam/docs/setting-limits-on-granting-roles).
resource "google_project_iam_member" "grants" {
  for_each = local.repositories

  project = var.project
  role    = "roles/resourcemanager.projectIamAdmin"
  member  = google_service_account.this["apply"].member

  condition {
    title = "roles of the deployment"
    expression = format(
      "api.getAttribute(\"iam.googleapis.com/modifiedGrantsByRole\", []).hasOnly([%s])",
      join(", ", [for role in sort(var.granted_roles) : "\"${role}\""]),
    )
  }
}
