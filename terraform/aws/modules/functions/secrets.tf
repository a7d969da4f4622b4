# Made empty. The value is put in by hand, so that it is never in the state:
#   aws secretsmanager put-secret-value --secret-id <name> --secret-string file:///dev/stdin
resource "aws_secretsmanager_secret" "this" {
  for_each = var.secrets

  name                    = "${var.name}-${each.key}"
  description             = "Credentials of ${each.key}, an external system."
  recovery_window_in_days = var.deletion_protection ? 30 : 0
}
