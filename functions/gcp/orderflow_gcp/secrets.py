"""Secret Manager, where the secret ``<name>`` is called ``<prefix>-<name>``.

Why not google-cloud-secret-manager
    Reading the newest version of a secret is one GET with a token, which google-auth makes
    (cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets.versions/access); the library would be one
    more in the package.
Errors
    `Unavailable`, also for a secret without a version and for one that this function may not read.
"""

from __future__ import annotations

from base64 import b64decode
from functools import cached_property
from typing import TYPE_CHECKING

from orderflow.ports import Unavailable

if TYPE_CHECKING:
    from google.auth.transport.requests import AuthorizedSession

ENDPOINT = "https://secretmanager.googleapis.com"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_TIMEOUT_SECONDS = 10.0


class SecretManagerSecrets:
    """`orderflow.ports.Secrets` over the secrets of one deployment. The client is made on first use, after the server
    has forked."""

    def __init__(self, project: str, prefix: str, endpoint: str = ENDPOINT) -> None:
        self._parent = f"{endpoint}/v1/projects/{project}/secrets/{prefix}"

    def read(self, name: str) -> str:
        from google.auth.exceptions import GoogleAuthError
        from requests import RequestException

        what = f"Secret Manager {name}"
        try:
            response = self._session.get(f"{self._parent}-{name}/versions/latest:access", timeout=_TIMEOUT_SECONDS)
            if response.status_code != 200:
                raise Unavailable(f"{what}: HTTP {response.status_code}")
            return b64decode(response.json()["payload"]["data"]).decode()
        except (RequestException, GoogleAuthError) as error:
            raise Unavailable(f"{what}: {type(error).__name__}") from error

    @cached_property
    def _session(self) -> AuthorizedSession:
        import google.auth
        from google.auth.transport.requests import AuthorizedSession

        credentials, _ = google.auth.default(scopes=[SCOPE])
        return AuthorizedSession(credentials)  # type: ignore[no-untyped-call]
