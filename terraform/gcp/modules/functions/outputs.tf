output "functions" {
  description = "Names of the functions, by service."
  value       = { for name, function in google_cloudfunctions2_function.this : name => function.name }
}

output "identities" {
  description = "Addresses of the service accounts, by service: the one it runs as, and the one that calls it (null where customers do)."
  value = {
    for name in keys(var.services) : name => {
      caller  = lookup(local.emails.caller, name, null)
      runtime = local.emails.runtime[name]
    }
  }
}

output "project_roles" {
  description = "Roles that are granted on the whole project."
  value = toset([
    "roles/datastore.user",
    "roles/datastore.viewer",
    google_project_iam_member.build_logs.role,
    google_project_iam_member.build_sources.role,
  ])
}

output "provider_settings" {
  description = "What a function is told of the providers of the external systems that it uses, by service."
  value = {
    for service, function in google_cloudfunctions2_function.this : service => {
      for name, value in function.service_config[0].environment_variables : name => value if contains(keys(var.services[service].settings), name)
    }
  }
}

output "push" {
  description = "How a service's function is called: endpoint, and the audience and account of the token, by service."
  value = {
    for name in keys(local.called) : name => {
      audience = local.audiences[name]
      email    = local.emails.caller[name]
      endpoint = google_cloudfunctions2_function.this[name].service_config[0].uri
    }
  }
}

output "secret_readers" {
  description = "Which service may read which secret: `<service>-<secret>`."
  value       = toset(keys(local.secret_readers))
}

output "secrets" {
  description = "Ids of the secrets that wait for a value, by name."
  value       = { for name, secret in google_secret_manager_secret.this : name => secret.id }
}

output "source_bucket" {
  description = "Name of the bucket that holds the package."
  value       = google_storage_bucket.source.name
}

output "urls" {
  description = "Addresses of the functions, by service."
  value       = { for name, function in google_cloudfunctions2_function.this : name => function.service_config[0].uri }
}
