"""Azure on this machine: Azurite for Tables and Blob Storage, stand-ins of ours for Service Bus, Event Grid and the
host of Azure Functions, each spoken to by the real SDK or worker library."""

from orderflow_local.azure.cloud import AzureCloud

__all__ = ["AzureCloud"]
