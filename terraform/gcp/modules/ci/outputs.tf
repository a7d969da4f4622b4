output "identity" {
  description = "What google-github-actions/auth needs: the provider, and the accounts that plan and apply; null without a repository."
  value = one([
    for repository in local.repositories : {
      apply    = local.emails["apply"]
      plan     = local.emails["plan"]
      provider = google_iam_workload_identity_pool_provider.github[repository].name
    }
  ])
}
