"""How botocore finds the models of the services that we use, and reads them."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import orjson
from botocore.loaders import JSONFileLoader, Loader

SERVICES = ["dynamodb", "s3", "secretsmanager", "sesv2", "sns", "sqs"]


class OrjsonFiles(JSONFileLoader):
    """Reads models as plain dicts, by orjson. botocore's own reader makes an ``OrderedDict`` of every object, of which
    only the order matters to it: half of what it takes to make the first client."""

    def load_file(self, file_path: str) -> Any:
        """A file's content by its path without the ending, None where there is none."""
        plain, packed = Path(f"{file_path}.json"), Path(f"{file_path}.json.gz")
        if plain.is_file():
            return orjson.loads(plain.read_bytes())
        return orjson.loads(gzip.decompress(packed.read_bytes())) if packed.is_file() else None


class KnownServices(Loader):
    """Loads only `SERVICES`. botocore's own loader looks through the folders of all 400 and more services, once for
    each kind of model, to see whether a service is there: a third of what it takes to make the first client."""

    FILE_LOADER_CLASS = OrjsonFiles

    def list_available_services(self, type_name: str) -> list[str]:
        """What is loaded."""
        return SERVICES
