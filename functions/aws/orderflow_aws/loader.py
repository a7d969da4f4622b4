"""How botocore finds the models of the services that we use."""

from __future__ import annotations

from botocore.loaders import Loader

SERVICES = ["dynamodb", "s3", "secretsmanager", "sesv2", "sns", "sqs"]


class KnownServices(Loader):
    """Loads only `SERVICES`. botocore's own loader looks through the folders of all 400 and more services, once for
    each kind of model, to see whether a service is there: a third of what it takes to make the first client."""

    def list_available_services(self, type_name: str) -> list[str]:
        """What is loaded."""
        return SERVICES
