# What no output of the root tells: that no key opens anything, that what is stored is encrypted twice and private, and
# that each function is set up to ask with its own identity. Each module is planned alone.

mock_provider "azapi" {}

mock_provider "azurerm" {
  source = "./tests/mocks"
}

variables {
  account_id          = "11111111-2222-3333-4444-555555555555"
  account_name        = "orderflowdevxxabcde"
  deletion_protection = true
  location            = "westeurope"
  name                = "orderflow-dev"
  redundant           = false
  resource_group_name = "orderflow-dev"
  suffix              = "abcde"
  tags                = {}
}

run "documents_are_reached_by_identity_only_and_encrypted" {
  command = plan

  module {
    source = "./modules/store"
  }

  variables {
    collections = { orders = { indexes = ["due"], ttl = false } }
  }

  assert {
    condition     = !azurerm_storage_account.this.shared_access_key_enabled && !azurerm_storage_account.this.local_user_enabled
    error_message = "A key opens the documents."
  }

  assert {
    condition     = !azurerm_storage_account.this.allow_nested_items_to_be_public
    error_message = "Documents could be made public."
  }

  assert {
    condition     = azurerm_storage_account.this.infrastructure_encryption_enabled && azurerm_storage_account.this.https_traffic_only_enabled && azurerm_storage_account.this.min_tls_version == "TLS1_2"
    error_message = "Documents are not encrypted at rest and on the way."
  }

  assert {
    condition     = azurerm_management_lock.this["keep"].lock_level == "CanNotDelete"
    error_message = "The account can be deleted in spite of deletion_protection."
  }
}

run "objects_are_private_encrypted_and_can_be_had_back" {
  command = plan

  module {
    source = "./modules/objects"
  }

  variables {
    buckets  = ["archive", "drop"]
    watchers = { files = { bucket = "drop", queue_id = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/orderflow-dev/providers/Microsoft.ServiceBus/namespaces/orderflow-dev-abcde/queues/orderflow-dev-files" } }
  }

  assert {
    condition     = !azurerm_storage_account.this.shared_access_key_enabled && !azurerm_storage_account.this.allow_nested_items_to_be_public && azurerm_storage_account.this.infrastructure_encryption_enabled
    error_message = "A key opens the archive, or it could be made public, or it is not encrypted twice."
  }

  assert {
    condition     = alltrue([for container in azurerm_storage_container.this : container.container_access_type == "private"])
    error_message = "A container is public."
  }

  assert {
    condition     = azurerm_storage_account.this.blob_properties[0].versioning_enabled && azurerm_storage_account.this.blob_properties[0].delete_retention_policy[0].days == 14
    error_message = "An object that was overwritten or deleted cannot be had back."
  }

  assert {
    condition     = azurerm_eventgrid_system_topic_event_subscription.this["files"].delivery_identity[0].type == "SystemAssigned"
    error_message = "Events of new objects are not delivered by identity."
  }
}

run "messages_are_sent_and_received_by_identity_only" {
  command = plan

  module {
    source = "./modules/messaging"
  }

  variables {
    dead_letters = {
      account_id     = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/orderflow-dev/providers/Microsoft.Storage/storageAccounts/orderflowdevobabcde"
      container_id   = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/orderflow-dev/providers/Microsoft.Storage/storageAccounts/orderflowdevobabcde/blobServices/default/containers/x"
      container_name = "x"
    }

    queues = {
      payment = { filter = { kind = ["OrderPlaced"] }, lock_seconds = 180, max_deliveries = 100, own_dead_letters = true, subscribed = true, timeout_in_seconds = 30 }
    }
  }

  assert {
    condition     = !azurerm_servicebus_namespace.this.local_auth_enabled && !azurerm_eventgrid_topic.this.local_auth_enabled
    error_message = "A key opens the queues or the topic."
  }

  assert {
    condition     = azurerm_servicebus_namespace.this.minimum_tls_version == "1.2"
    error_message = "Messages may travel by an old TLS."
  }

  assert {
    condition     = azurerm_eventgrid_topic.this.input_schema == "CloudEventSchemaV1_0" && azurerm_eventgrid_event_subscription.this["payment"].event_delivery_schema == "CloudEventSchemaV1_0"
    error_message = "Events are not CloudEvents all the way."
  }

  assert {
    condition = (
      azurerm_eventgrid_event_subscription.this["payment"].delivery_identity[0].type == "SystemAssigned"
      && azurerm_eventgrid_event_subscription.this["payment"].dead_letter_identity[0].type == "SystemAssigned"
      && azurerm_role_assignment.deliver["payment"].role_definition_name == "Azure Service Bus Data Sender"
      && azurerm_role_assignment.dead_letter.role_definition_name == "Storage Blob Data Contributor"
    )
    error_message = "Event Grid does not deliver and dead-letter by its own identity."
  }

  assert {
    condition     = azurerm_eventgrid_event_subscription.this["payment"].storage_blob_dead_letter_destination[0].storage_blob_container_name == "x"
    error_message = "An event that cannot be delivered is lost."
  }

  # Days: P14D against P365D.
  assert {
    condition     = tonumber(regex("[0-9]+", azurerm_servicebus_queue.dead_letter["payment"].default_message_ttl)) > tonumber(regex("[0-9]+", azurerm_servicebus_queue.this["payment"].default_message_ttl))
    error_message = "A dead letter does not outlast the messages of its queue."
  }

  assert {
    condition     = azurerm_servicebus_queue.this["payment"].dead_lettering_on_message_expiration && azurerm_servicebus_queue.dead_letter["payment"].max_delivery_count == 2000
    error_message = "A message that expires is lost, or looking at dead letters loses them."
  }
}

run "functions_ask_with_their_own_identity_and_hold_no_keys" {
  command = plan

  module {
    source = "./modules/functions"
  }

  variables {
    application_insights_connection_string = "InstrumentationKey=00000000-0000-0000-0000-000000000000"
    application_insights_id                = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/orderflow-dev/providers/Microsoft.Insights/components/x"
    archive_bucket                         = "archive"
    claims                                 = { bucket = "archive", prefix = "claims/" }
    compact_name                           = "orderflowdev"
    container_ids                          = { archive = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/orderflow-dev/providers/Microsoft.Storage/storageAccounts/x/blobServices/default/containers/archive" }
    dead_letter_queue_ids                  = {}
    drop_bucket                            = "drop"
    environment                            = { ORDERFLOW_PREFIX = "orderflow-dev" }
    queue_ids                              = {}
    secrets                                = ["gateway"]
    table_ids                              = {}
    tenant_id                              = "11111111-1111-1111-1111-111111111111"
    topic_id                               = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/orderflow-dev/providers/Microsoft.EventGrid/topics/x"

    functions = {
      channel = { hears = ["Placed"], limits = { batch_size = 10, batch_window_s = 0, memory_mb = 256, timeout_s = 50 }, maximum_instance_count = 1, trigger = "schedule" }
      sweeper = { emits = ["Placed"], limits = { batch_size = 10, batch_window_s = 0, memory_mb = 256, timeout_s = 50 }, maximum_instance_count = 1, trigger = "schedule", uses = ["gateway"] }
    }
  }

  assert {
    condition = (
      azurerm_function_app_flex_consumption.this["sweeper"].runtime_name == "python"
      && azurerm_function_app_flex_consumption.this["sweeper"].runtime_version == "3.13"
      && azurerm_service_plan.this["sweeper"].sku_name == "FC1"
    )
    error_message = "The function does not run on Python 3.13 and Flex Consumption."
  }

  assert {
    condition     = azurerm_function_app_flex_consumption.this["sweeper"].storage_authentication_type == "UserAssignedIdentity" && azurerm_function_app_flex_consumption.this["sweeper"].storage_access_key == null
    error_message = "The package is fetched with a key."
  }

  # Whole settings are unknown as long as the identity is, so those that are known are read one by one.
  assert {
    condition = (
      azurerm_function_app_flex_consumption.this["sweeper"].app_settings["AZUREWEBJOBSSTORAGE"] == ""
      && azurerm_function_app_flex_consumption.this["sweeper"].app_settings["AzureWebJobsStorage__accountName"] == azurerm_storage_account.host["sweeper"].name
      && azurerm_function_app_flex_consumption.this["sweeper"].app_settings["AzureWebJobsStorage__credential"] == "managedidentity"
      && azurerm_function_app_flex_consumption.this["sweeper"].app_settings["ORDERFLOW_SERVICEBUS__credential"] == "managedidentity"
    )
    error_message = "The host would look for a connection string."
  }

  assert {
    condition     = azurerm_function_app_flex_consumption.this["sweeper"].app_settings["ORDERFLOW_SERVICE"] == "sweeper"
    error_message = "The app would run every service."
  }

  # Settings that Flex Consumption refuses or takes ill.
  assert {
    condition = length(setintersection(
      keys(azurerm_function_app_flex_consumption.this["sweeper"].app_settings),
      ["AzureWebJobsStorage", "FUNCTIONS_EXTENSION_VERSION", "FUNCTIONS_WORKER_RUNTIME", "SCM_DO_BUILD_DURING_DEPLOYMENT", "WEBSITE_CONTENTSHARE", "WEBSITE_RUN_FROM_PACKAGE"],
    )) == 0
    error_message = "The app has a setting that Flex Consumption does not take."
  }

  assert {
    condition     = azurerm_function_app_flex_consumption.this["sweeper"].site_config[0].application_insights_connection_string == "InstrumentationKey=00000000-0000-0000-0000-000000000000"
    error_message = "The function reports to nobody."
  }

  assert {
    condition = (
      azurerm_function_app_flex_consumption.this["sweeper"].https_only
      && !azurerm_function_app_flex_consumption.this["sweeper"].webdeploy_publish_basic_authentication_enabled
      && azurerm_function_app_flex_consumption.this["sweeper"].site_config[0].ip_restriction_default_action == "Deny"
    )
    error_message = "The function takes plain HTTP, passwords or calls from outside."
  }

  assert {
    condition     = !azurerm_storage_account.host["sweeper"].shared_access_key_enabled && !azurerm_storage_account.host["sweeper"].allow_nested_items_to_be_public
    error_message = "A key opens the package, or it could be made public."
  }

  assert {
    condition = alltrue([
      for name, role in { "channel/redeem-claims" = "Storage Blob Data Reader", "sweeper/store-claims" = "Storage Blob Data Contributor" } :
      azurerm_role_assignment.this[name].role_definition_name == role
      && strcontains(azurerm_role_assignment.this[name].condition, "blobs:path] StringStartsWith 'claims/'")
      && alltrue([for action in ["read", "write", "add/action", "move/action", "delete"] : strcontains(azurerm_role_assignment.this[name].condition, "/containers/blobs/${action}'")])
    ]) && !contains(keys(azurerm_role_assignment.this), "channel/store-claims") && !contains(keys(azurerm_role_assignment.this), "sweeper/redeem-claims")
    error_message = "Who publishes stores the data of large events, who consumes reads them, and nobody reaches the rest of the archive."
  }

  assert {
    condition     = azurerm_key_vault.this.rbac_authorization_enabled && azurerm_key_vault.this.purge_protection_enabled
    error_message = "The vault does not ask for a role, or can be purged."
  }

  assert {
    condition     = contains(keys(azurerm_function_app_flex_consumption.this["sweeper"].app_settings), "ORDERFLOW_VAULT_URL") && !contains(keys(azurerm_function_app_flex_consumption.this["channel"].app_settings), "ORDERFLOW_VAULT_URL")
    error_message = "The functions that read a secret, and no others, are told where the vault is."
  }

  assert {
    condition     = azapi_resource.secret["gateway"].body.properties.value == "not set yet"
    error_message = "The value of a secret is in the state."
  }
}

run "workflows_hold_no_secret_and_pull_requests_cannot_apply" {
  command = plan

  module {
    source = "./modules/ci"
  }

  variables {
    environment       = "prod"
    github_repository = "acme/orders"
    resource_group_id = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/orderflow-dev"
    roles             = ["Storage Blob Data Owner"]
  }

  assert {
    condition     = azurerm_federated_identity_credential.this["apply"].subject == "repo:acme/orders:environment:prod" && azurerm_federated_identity_credential.this["plan"].subject == "repo:acme/orders:pull_request"
    error_message = "A workflow could sign in that should not."
  }

  assert {
    condition     = keys(azurerm_role_assignment.apply) == ["apply"] && keys(azurerm_role_assignment.give_roles) == ["apply"] && azurerm_role_assignment.plan["plan"].role_definition_name == "Reader"
    error_message = "A pull request may change things."
  }

  assert {
    condition     = alltrue([for action in azurerm_role_definition.refresh["plan"].permissions[0].actions : !strcontains(action, "*")])
    error_message = "A plan may do more than is listed."
  }
}
