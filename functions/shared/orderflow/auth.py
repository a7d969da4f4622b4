"""Bearer tokens of the API: JWTs of one OIDC issuer, their signature checked against the issuer's published keys."""

from __future__ import annotations

from typing import Any

from orderflow.settings import BadSetting, Settings

ALGORITHMS = ["RS256", "ES256"]
"""Pinned: a token does not choose how it is checked, and no symmetric algorithm is accepted."""

_KEYS_LIFE_SECONDS = 300
_LEEWAY_SECONDS = 10


class Unauthenticated(Exception):
    """There is no token, or it proves nothing; the message says what is wrong and never repeats the token."""


class TokenVerifier:
    """Checks tokens of ``settings.issuer`` for ``settings.audience``. Keys are fetched on first use, kept for five
    minutes, and fetched again when a token names an unknown one, so that the issuer can rotate them; that at most every
    half minute (PyJWT's rule), so that made-up keys do not send us to the issuer each time."""

    def __init__(self, settings: Settings) -> None:
        if not (settings.issuer and settings.audience and settings.jwks_url):
            raise BadSetting("ORDERFLOW_ISSUER, ORDERFLOW_AUDIENCE and ORDERFLOW_JWKS_URL must be set for the API")
        self._settings = settings
        self._keys: Any = None

    def subject(self, authorization: str | None) -> str:
        """The customer id that an ``Authorization`` header proves. Raises `Unauthenticated`."""
        import jwt  # Imported by the API function only: it brings in the cryptography package.

        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("a bearer token is required")
        if self._keys is None:
            self._keys = jwt.PyJWKClient(self._settings.jwks_url, lifespan=_KEYS_LIFE_SECONDS, timeout=5)
        try:
            key = self._keys.get_signing_key_from_jwt(token.strip())
            claims: dict[str, Any] = jwt.decode(
                token.strip(),
                key,
                algorithms=ALGORITHMS,
                audience=self._settings.audience,
                issuer=self._settings.issuer,
                leeway=_LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.PyJWKClientConnectionError:
            raise KeysUnavailable from None
        except (jwt.PyJWTError, ValueError) as error:
            raise Unauthenticated(str(error)) from None
        subject = claims["sub"]
        if not isinstance(subject, str) or not 1 <= len(subject) <= 200:
            raise Unauthenticated("the token's subject is no customer id")
        return subject


class KeysUnavailable(Exception):
    """The issuer's keys cannot be fetched: nobody can be let in, and it is not the caller's fault."""
