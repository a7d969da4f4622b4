# The state's bucket: it can be had back, and only those who are named get in.

mock_provider "google" {}

variables {
  account_id  = "acme-orders"
  region      = "europe-west1"
  state_users = ["user:operator@example.com"]
}

run "the_state_is_versioned_and_private" {
  command = plan

  assert {
    condition     = google_storage_bucket.state.versioning[0].enabled
    error_message = "A state that a bad apply has spoilt is lost."
  }

  assert {
    condition     = google_storage_bucket.state.public_access_prevention == "enforced" && google_storage_bucket.state.uniform_bucket_level_access
    error_message = "The bucket can be made public."
  }

  assert {
    condition     = [for member in values(google_storage_bucket_iam_member.state) : "${member.member} ${member.role}"] == ["user:operator@example.com roles/storage.objectUser"]
    error_message = "Others than those named may use the state, or they may do more than read and write it."
  }
}
