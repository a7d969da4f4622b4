resource "azurerm_log_analytics_workspace" "this" {
  name                = var.name
  location            = var.location
  resource_group_name = var.resource_group_name

  local_authentication_enabled = false
  retention_in_days            = var.log_retention_days
  sku                          = "PerGB2018"

  tags = var.tags
}

# Telemetry by identity only: the connection string tells where, and no more.
resource "azurerm_application_insights" "this" {
  name                = var.name
  location            = var.location
  resource_group_name = var.resource_group_name
  workspace_id        = azurerm_log_analytics_workspace.this.id

  application_type             = "web"
  local_authentication_enabled = false
  retention_in_days            = var.log_retention_days

  tags = var.tags
}

resource "azurerm_monitor_diagnostic_setting" "this" {
  for_each = var.audited

  name                       = "workspace"
  log_analytics_workspace_id = azurerm_log_analytics_workspace.this.id
  target_resource_id         = each.value.id

  dynamic "enabled_log" {
    for_each = each.value.logs

    content {
      category = enabled_log.value
    }
  }

  enabled_metric {
    category = "AllMetrics"
  }
}

resource "azurerm_monitor_action_group" "this" {
  name                = var.name
  resource_group_name = var.resource_group_name
  short_name          = substr(replace(var.name, "-", ""), 0, 12)

  email_receiver {
    name                    = "operators"
    email_address           = var.alarm_email
    use_common_alert_schema = true
  }

  tags = var.tags
}
