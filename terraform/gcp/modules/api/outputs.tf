output "url" {
  description = "Address of the HTTP API."
  value       = one([for name in keys(var.functions) : var.urls[name]])
}
