"""E-mail to customers."""

from orderflow.services.channels import channel_service

SERVICE = channel_service("email")
