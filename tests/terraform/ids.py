"""Ids for what the clouds would make, so that a plan shows who may do what on what.

Roles are given to and on things whose ids only the cloud knows, so a plan leaves them open. A second plan gets these
instead: made of the names in the first one, in the form that "Attribute Reference" and "Import" of each resource show
(registry.terraform.io/providers/hashicorp/aws, .../azurerm and .../google)."""

from __future__ import annotations

import json
from typing import Any
from uuid import NAMESPACE_URL, uuid5

ACCOUNTS = {
    "aws": "123456789012",
    "azure": "00000000-0000-0000-0000-000000000001",
    "gcp": "acme-orders",
}
PROJECT_NUMBER = "123456789012"
GROUP = f"/subscriptions/{ACCOUNTS['azure']}/resourceGroups/acme"

_AZURE_PATHS = {
    "azapi_resource": "Microsoft.KeyVault/vaults/vault/secrets",
    "azurerm_application_insights": "Microsoft.Insights/components",
    "azurerm_eventgrid_system_topic": "Microsoft.EventGrid/systemTopics",
    "azurerm_eventgrid_topic": "Microsoft.EventGrid/topics",
    "azurerm_key_vault": "Microsoft.KeyVault/vaults",
    "azurerm_log_analytics_workspace": "Microsoft.OperationalInsights/workspaces",
    "azurerm_servicebus_namespace": "Microsoft.ServiceBus/namespaces",
    "azurerm_servicebus_queue": "Microsoft.ServiceBus/namespaces/bus/queues",
    "azurerm_storage_account": "Microsoft.Storage/storageAccounts",
    "azurerm_storage_container": "Microsoft.Storage/storageAccounts/objects/blobServices/default/containers",
    "azurerm_user_assigned_identity": "Microsoft.ManagedIdentity/userAssignedIdentities",
}


def principal(address: str) -> str:
    """The id that the Azure identity of the resource at an address has here."""
    return str(uuid5(NAMESPACE_URL, address))


def overrides(document: dict[str, Any]) -> str:
    """Terraform test blocks that give the resources of a plan their ids."""
    blocks = []
    for change in document["resource_changes"]:
        values = _values(change["type"], change["address"], change["change"]["after"])
        if values and change["mode"] == "managed":
            body = f"target = {change['address']}\n  override_during = plan\n  values = {json.dumps(values)}"
            blocks.append(f"override_resource {{\n  {body}\n}}")
    return "\n".join(blocks)


def _values(kind: str, address: str, after: dict[str, Any]) -> dict[str, Any]:
    if kind in _AZURE_PATHS or kind.startswith("azurerm_"):
        return _azure(kind, address, after)
    aws = f"arn:aws:iam::{ACCOUNTS['aws']}"
    gcp = f"projects/{ACCOUNTS['gcp']}"
    match kind:
        case "aws_apigatewayv2_api":
            home = f"eu-west-1:{ACCOUNTS['aws']}:a1b2c3d4e5"
            return {"id": "a1b2c3d4e5", "execution_arn": f"arn:aws:execute-api:{home}"}
        case "aws_iam_role":
            return {"arn": f"{aws}:role/{after['name']}", "id": after["name"]}
        case "aws_iam_policy":
            return {"arn": f"{aws}:policy/{after['name']}"}
        case "google_artifact_registry_repository":
            return {"name": after["repository_id"]}
        case "google_iam_workload_identity_pool":
            pools = f"projects/{PROJECT_NUMBER}/locations/global/workloadIdentityPools"
            return {"name": f"{pools}/{after['workload_identity_pool_id']}"}
        case "google_project_iam_custom_role":
            return {"name": f"{gcp}/roles/{after['role_id']}"}
        case "google_service_account":
            return {"name": f"{gcp}/serviceAccounts/{after['account_id']}@{ACCOUNTS['gcp']}.iam.gserviceaccount.com"}
    return {}


def _azure(kind: str, address: str, after: dict[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if kind == "azurerm_resource_group":
        values["id"] = GROUP
    if kind in _AZURE_PATHS:
        values["id"] = f"{GROUP}/providers/{_AZURE_PATHS[kind]}/{after['name']}"
    if kind == "azurerm_user_assigned_identity":
        values |= {"principal_id": principal(address), "client_id": principal(f"{address} client")}
    if kind in ("azurerm_eventgrid_topic", "azurerm_eventgrid_system_topic"):
        values["identity"] = {"principal_id": principal(address), "tenant_id": principal("tenant")}
    if kind == "azurerm_role_definition":
        definitions = f"/subscriptions/{ACCOUNTS['azure']}/providers/Microsoft.Authorization/roleDefinitions"
        values["role_definition_resource_id"] = f"{definitions}/{principal(address)}"
    return values
