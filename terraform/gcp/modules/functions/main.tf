# One Cloud Run function (2nd gen) a service. All are HTTP functions: functions/gcp/orderflow_gcp/entrypoints.py says why.

locals {
  # The address by which a caller names a function in its token. It is known before the function is, which must be told it;
  # Cloud Run takes it for every function made by the Cloud Functions API, as the service's custom audience
  # (cloud.google.com/functions/docs/securing/authenticating, cloud.google.com/run/docs/configuring/custom-audiences).
  audiences = {
    for name in keys(var.services) : name => "https://${var.region}-${var.project.id}.cloudfunctions.net/${var.name}-${name}"
  }

  called = { for name, service in var.services : name => service if service.trigger != "http" }

  environments = {
    for name, service in var.services : name => merge(
      var.environment_variables,
      service.settings,
      service.trigger == "queue" ? { ORDERFLOW_SERVICE = name } : {},
      service.trigger == "http" ? { for key, value in var.oidc : "ORDERFLOW_${upper(key)}" => value } : {
        ORDERFLOW_PUSH_AUDIENCE        = local.audiences[name]
        ORDERFLOW_PUSH_SERVICE_ACCOUNT = local.emails.caller[name]
      },
    )
  }
}

resource "google_cloudfunctions2_function" "this" {
  for_each = var.services

  project     = var.project.id
  location    = var.region
  name        = "${var.name}-${each.key}"
  description = "Service ${each.key} of ${var.name}"
  labels      = { service = each.key }

  build_config {
    runtime           = "python313"
    entry_point       = each.value.trigger == "queue" ? "consume" : each.key
    docker_repository = google_artifact_registry_repository.this.id
    service_account   = google_service_account.build.id

    # Cloud Build compiles the function's files (buildpacks: cmd/python/functions_framework, "compileall -f"), and then
    # every file is of 1980 (github.com/buildpacks/lifecycle/issues/1358): bytecode that is checked by the time of its
    # source is thrown away at each start. With this it is checked by the source's hash (docs.python.org/3/library/
    # compileall.html). The value is the time that the package's files have.
    environment_variables = { SOURCE_DATE_EPOCH = "315532800" }

    # Security patches of the runtime come by themselves (cloud.google.com/functions/docs/runtime-support).
    automatic_update_policy {}

    source {
      storage_source {
        bucket = google_storage_bucket.source.name
        object = google_storage_bucket_object.package.name
      }
    }
  }

  service_config {
    available_memory      = "${each.value.limits.memory_mb}Mi"
    environment_variables = local.environments[each.key]
    ingress_settings      = each.value.trigger == "http" ? "ALLOW_ALL" : "ALLOW_INTERNAL_ONLY"
    service_account_email = local.emails.runtime[each.key]
    timeout_seconds       = each.value.limits.timeout_s

    # One request an instance: then the greatest number of instances is the greatest concurrency, exactly.
    max_instance_count               = each.value.limits.max_concurrency
    max_instance_request_concurrency = 1
  }

  lifecycle {
    precondition {
      condition     = length("${var.name}-${each.key}") <= 49
      error_message = "The name of function ${each.key} is longer than the 49 characters of a Cloud Run service's."
    }
  }

  depends_on = [time_sleep.build_grants]
}
