output "identity" {
  description = "What google-github-actions/auth needs: the provider, and the accounts that plan and apply; null without a repository."
  value = one([
    for repository in local.repositories : {
      apply    = google_service_account.this["apply"].email
      plan     = google_service_account.this["plan"].email
      provider = google_iam_workload_identity_pool_provider.github[repository].name
    }
  ])
}
