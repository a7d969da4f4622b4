# Customers have no Google identity: their bearer tokens come from the issuer in `oidc`, and the function itself verifies
# them (functions/shared/orderflow/auth.py). Cloud Run can check nothing but Google's own tokens, in the same header; so
# it is told to let everybody through to this one function (cloud.google.com/run/docs/authenticating/public). All other
# functions take internal requests of one caller only.
resource "google_cloud_run_v2_service_iam_member" "public" {
  for_each = var.functions

  project  = var.project
  location = var.region
  name     = each.value
  role     = "roles/run.invoker"
  member   = "allUsers"
}
