"""The words of an error without secrets and personal data, for logs, traces, dead letters and attempts.

Nothing of ours puts data into an error's text. Libraries do: pydantic quotes what it was given, SDKs quote addresses
with keys in them. What looks like one of these is cut out; names and streets look like any other words, so nobody may
quote data in an error."""

from __future__ import annotations

import re
from functools import cache

from pydantic import ValidationError

from orderflow.envelope import first_error

_CUT = "[redacted]"


@cache
def _secrets() -> re.Pattern[str]:
    """Compiled when the first error is told: most processes never need it."""
    return re.compile(
        r"""
          (?P<kept> [\w.-]*(?:key|password|passwd|secret|signature|token|sig|credential)
                    (?: ["']?\s*=\s*["']? | ["']\s*:\s*["'] )
                  | bearer\s+ | basic\s+ | ://(?=[^/\s@]*@) )
          [^\s"';&,@]+ @?                                    # what follows such a word
        | eyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?                     # a JSON Web Token
        | \b(?:sk|rk|pk|whsec|tok|pm)_\w{4,}                 # as Stripe and others begin theirs
        | \b(?:AKIA|ASIA)[0-9A-Z]{16}\b                      # an access key of AWS
        | [^\s@"'<>()=:,;]+@[^\s@"'<>()=:,;]+\.[A-Za-z]{2,}  # an e-mail address
        | \+\d(?:[\s().-]?\d){5,}                            # a telephone number
        """,
        re.VERBOSE | re.IGNORECASE,
    )


def redact(text: str) -> str:
    """A text with what looks like a secret or personal cut out."""
    return _secrets().sub(lambda found: (found["kept"] or "") + _CUT, text)


def said(error: Exception) -> str:
    """Type and words of an error."""
    return f"{type(error).__name__}: {words(error)}"


def words(error: Exception) -> str:
    """The words of an error."""
    return redact(first_error(error) if isinstance(error, ValidationError) else str(error))
