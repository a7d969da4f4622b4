output "http_concurrency" {
  description = "Requests that one instance serves at a time, by service."
  value       = { for service, limit in var.limits : service => min(local.requests_per_instance, limit.max_concurrency) }
}

output "maximum_instance_count" {
  description = "Instances that together serve no more than the service's limit, by service."
  value       = { for service, limit in var.limits : service => max(1, floor(limit.max_concurrency / local.requests_per_instance)) }
}

output "settings" {
  description = "Environment variables for the functions behind the door, by service."
  value = {
    for service, limit in var.limits : service => {
      ORDERFLOW_AUDIENCE = var.oidc.audience
      ORDERFLOW_ISSUER   = var.oidc.issuer
      ORDERFLOW_JWKS_URL = var.oidc.jwks_url

      # Functions here are synchronous, so an instance serves as many requests as it has threads
      # (learn.microsoft.com/azure/azure-functions/python-scale-performance-reference).
      PYTHON_THREADPOOL_THREAD_COUNT = tostring(min(local.requests_per_instance, limit.max_concurrency))
    }
  }
}

output "urls" {
  description = "Base URLs, without a slash at the end, by service."
  value       = { for service, host in var.hosts : service => "https://${host}" }
}
