"""E-mail to customers."""

from orderflow.services._channels import channel_service

SERVICE = channel_service("email")
