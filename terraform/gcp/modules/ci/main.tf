# GitHub Actions proves who it is with a token of GitHub's; no key is made. Two accounts: a pull request may plan, only a job
# in the approved environment may apply
# (docs.github.com/actions/concepts/security/openid-connect, cloud.google.com/iam/docs/workload-identity-federation-with-deployment-pipelines).

locals {
  repositories = toset(var.github_repository == null ? [] : [var.github_repository])

  # None of these can be changed by an apply of GitHub's: roles and identities of its own are a person's to give.
  # The state bucket is beside the deployment: terraform/bootstrap/gcp lets these accounts in.
  roles = {
    apply = [
      "roles/artifactregistry.admin",
      "roles/browser",
      "roles/cloudfunctions.admin",
      "roles/cloudscheduler.admin",
      "roles/datastore.owner",
      "roles/iam.roleViewer",
      "roles/iam.serviceAccountAdmin",
      "roles/iam.serviceAccountUser",
      "roles/iam.workloadIdentityPoolViewer",
      "roles/logging.configWriter",
      "roles/monitoring.editor",
      "roles/pubsub.admin",
      "roles/run.admin",
      "roles/secretmanager.admin",
      "roles/serviceusage.serviceUsageAdmin",
      "roles/storage.admin",
    ]
    # What it takes to see resources, and no data of customers.
    plan = [
      "roles/artifactregistry.reader",
      "roles/browser",
      "roles/cloudfunctions.viewer",
      "roles/cloudscheduler.viewer",
      "roles/iam.roleViewer",
      "roles/iam.securityReviewer",
      "roles/iam.serviceAccountViewer",
      "roles/iam.workloadIdentityPoolViewer",
      "roles/logging.viewer",
      "roles/monitoring.viewer",
      "roles/pubsub.viewer",
      "roles/run.viewer",
      "roles/secretmanager.viewer",
      "roles/serviceusage.serviceUsageConsumer",
      "roles/storage.bucketViewer",
    ]
  }

  subjects = {
    apply = "repo:${coalesce(var.github_repository, "none")}:environment:${var.environment}"
    plan  = "repo:${coalesce(var.github_repository, "none")}:pull_request"
  }

  accounts = { for pair in setproduct(local.repositories, keys(local.roles)) : pair[1] => pair[0] }
  emails = {
    for kind, account in google_service_account.this :
    kind => "${account.account_id}@${var.project}.iam.gserviceaccount.com"
  }
  grants = merge([
    for kind in keys(local.accounts) : {
      for role in local.roles[kind] : "${kind} ${trimprefix(role, "roles/")}" => { kind = kind, role = role }
    }
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
    "google.subject" = "assertion.sub"
  }
  # Without a condition every repository on GitHub could ask.
  attribute_condition = "assertion.sub == \"${local.subjects["plan"]}\" || assertion.sub == \"${local.subjects["apply"]}\""

  oidc {
    issuer_uri = "https://token.actions.githubusercontent.com"
  }
}

resource "google_service_account" "this" {
  for_each = local.accounts

  project      = var.project
  account_id   = "${var.name}-ci-${each.key}"
  display_name = "GitHub Actions: ${each.key} of ${var.name}"
}

resource "google_service_account_iam_member" "this" {
  for_each = local.accounts

  service_account_id = google_service_account.this[each.key].name
  role               = "roles/iam.workloadIdentityUser"
  member             = "principal://iam.googleapis.com/${google_iam_workload_identity_pool.github[each.value].name}/subject/${local.subjects[each.key]}"
}

resource "google_project_iam_member" "this" {
  for_each = local.grants

  project = var.project
  role    = each.value.role
  member  = "serviceAccount:${local.emails[each.value.kind]}"
}

# Firestore's viewers see the documents; its database and indexes alone are seen by no predefined role
# (cloud.google.com/firestore/docs/security/iam).
resource "google_project_iam_custom_role" "plan" {
  for_each = local.repositories

  project = var.project
  role_id = "${replace(var.name, "-", "_")}_plan"
  title   = "Reads the Firestore database's definition, for ${var.name}"
  permissions = [
    "datastore.databases.getMetadata",
    "datastore.indexes.get",
    "datastore.indexes.list",
  ]
}

resource "google_project_iam_member" "plan_store" {
  for_each = local.repositories

  project = var.project
  role    = google_project_iam_custom_role.plan[each.key].name
  member  = "serviceAccount:${local.emails["plan"]}"
}

resource "google_project_iam_member" "plan_package" {
  for_each = local.repositories

  project = var.project
  role    = "roles/storage.objectViewer"
  member  = "serviceAccount:${local.emails["plan"]}"

  condition {
    title      = "package only"
    expression = "resource.name.startsWith(\"projects/_/buckets/${var.source_bucket}/\")"
  }
}

# Whoever may grant any role has them all: an apply may give only those that the deployment itself gives
# (cloud.google.com/iam/docs/setting-limits-on-granting-roles).
resource "google_project_iam_member" "grants" {
  for_each = local.repositories

  project = var.project
  role    = "roles/resourcemanager.projectIamAdmin"
  member  = "serviceAccount:${local.emails["apply"]}"

  condition {
    title = "roles of the deployment"
    expression = format(
      "api.getAttribute(\"iam.googleapis.com/modifiedGrantsByRole\", []).hasOnly([%s])",
      join(", ", [for role in sort(var.granted_roles) : "\"${role}\""]),
    )
  }
}
