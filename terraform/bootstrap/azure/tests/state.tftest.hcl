# The state's account: it can be had back, takes no key, and shows nothing to the public.

mock_provider "azurerm" {}

variables {
  account_id = "11111111-2222-3333-4444-555555555555"
  region     = "westeurope"
}

run "the_state_is_versioned_private_and_without_keys" {
  command = plan

  assert {
    condition     = azurerm_storage_account.state.blob_properties[0].versioning_enabled
    error_message = "A state that a bad apply has spoilt is lost."
  }

  assert {
    condition     = azurerm_storage_account.state.shared_access_key_enabled == false && azurerm_storage_account.state.local_user_enabled == false
    error_message = "A key or a password opens the state."
  }

  assert {
    condition     = azurerm_storage_account.state.allow_nested_items_to_be_public == false && azurerm_storage_container.state.container_access_type == "private"
    error_message = "The state can be read by everybody."
  }

  assert {
    condition     = azurerm_storage_account.state.https_traffic_only_enabled && azurerm_storage_account.state.min_tls_version == "TLS1_2"
    error_message = "The state travels in plain text."
  }

  assert {
    condition     = azurerm_storage_account.state.infrastructure_encryption_enabled
    error_message = "The state is encrypted once only."
  }
}

run "a_longer_prefix_than_the_account_s_name_has_room_for_is_refused" {
  command = plan

  variables {
    prefix = "orderflows"
  }

  expect_failures = [var.prefix]
}
