"""What to do about an error of Terraform or of a cloud, known by its own words.

Terraform wraps its lines, so words are looked for with every run of white space as one space. The words are those of
Terraform 1.11 and of the providers' error reports; tests/cli/test_hints.py has them in full, with their sources.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of the deployment commands."""

    FAILED = 1
    """Terraform or the cloud refused, or nobody agreed."""
    USAGE = 2
    """A wrong option, a variable without a value, or a question that nobody can answer."""
    MISSING = 3
    """A program, its version or a connection is missing on this machine."""
    SIGN_IN = 4
    """The cloud does not know who is asking, or it is the wrong account."""
    STATE = 5
    """The state is locked, or its store is not there."""
    INTERRUPTED = 130


CODES = (
    "Exit codes: 0 done; 1 refused by Terraform, the cloud or you; 2 wrong usage or a missing variable; "
    "3 a program or connection is missing; 4 not signed in; 5 the state is locked or not to be had; 130 interrupted."
)
"""For the help of the commands."""

_AWS = "sign in: aws sso login, and export AWS_PROFILE=<profile>"
_AZURE = "sign in: az login, then az account set --subscription <id>"
_GCP = "sign in: gcloud auth application-default login"
_STORE = "make the state's store first, and name it in terraform/{cloud}/backends: see docs/deploy/{cloud}.md"

_HINTS: tuple[tuple[str, Exit, str], ...] = (
    # (pattern in Terraform's words, exit code, what to do). The first that is found counts.
    (
        r"Unsupported Terraform Core version",
        Exit.MISSING,
        "install the version that terraform/{cloud}/versions.tf asks for",
    ),
    (
        r"Failed to query available provider packages|Failed to install provider",
        Exit.MISSING,
        "the provider registry cannot be reached: look at network and proxy, or name a mirror in TF_CLI_CONFIG_FILE",
    ),
    (
        r"No value for required variable",
        Exit.USAGE,
        "set {variables} in terraform/{cloud}/environments, or export TF_VAR_<name>",
    ),
    (r"NoSuchBucket|S3 bucket \S+ does not exist|bucket doesn't exist", Exit.STATE, _STORE),
    (r"ContainerNotFound|blob\.core\.windows\.net on \S+ ?no such host", Exit.STATE, _STORE),
    (
        r"Error acquiring the state lock",
        Exit.STATE,
        "somebody is at work on {cloud} {env}: wait. If it was a run that died: {unlock}",
    ),
    (r"Error releasing the state lock", Exit.STATE, "the lock stayed: {unlock}"),
    (
        r"Backend initialization required|Required plugins are not installed",
        Exit.STATE,
        "make init CLOUD={cloud} ENV={env}",
    ),
    (
        r"Failed to save state",
        Exit.STATE,
        "the state is in terraform/{cloud}/errored.tfstate: push it (terraform state push) before anything else",
    ),
    (r"AWS account ID not allowed", Exit.SIGN_IN, "you are signed in to another account than TF_VAR_account_id says"),
    (r"subscription ID \S+ is not known by Azure CLI", Exit.SIGN_IN, _AZURE),
    (
        r"launching Azure CLI: exec: \"az\": executable file not found",
        Exit.MISSING,
        "install the Azure CLI, then az login: learn.microsoft.com/cli/azure/install-azure-cli",
    ),
    (r"No valid credential sources|failed to refresh cached credentials|SSO session has expired", Exit.SIGN_IN, _AWS),
    (r"ExpiredToken|InvalidClientTokenId|security token included in the request", Exit.SIGN_IN, _AWS),
    (r"could not configure AzureCli Authorizer|az login|unable to build authorizer", Exit.SIGN_IN, _AZURE),
    (r"could not find default credentials|No credentials loaded|invalid_rapt|invalid_grant", Exit.SIGN_IN, _GCP),
    (
        r"AuthorizationPermissionMismatch",
        Exit.SIGN_IN,
        "who signs in lacks a role on the data: state_users in terraform/bootstrap/azure; a new role takes minutes",
    ),
    (
        r"not registered to use namespace",
        Exit.FAILED,
        "apply terraform/bootstrap/azure first: it registers what Azure must know",
    ),
    (
        r"UnreservedConcurrentExecution below its minimum",
        Exit.FAILED,
        "ask AWS for more concurrent executions (Service Quotas, Lambda): a new account has too few to reserve any",
    ),
    (
        r"do not belong to a permitted customer",
        Exit.FAILED,
        "the organisation forbids allUsers, which the API needs: exempt the project (iam.allowedPolicyMemberDomains)",
    ),
    (
        r"gcp-sa-pubsub\.iam\.gserviceaccount\.com does not exist",
        Exit.FAILED,
        "a new project: gcloud beta services identity create --service=pubsub.googleapis.com, then run this again",
    ),
    (
        r"SERVICE_DISABLED|has not been used in project \S+ before or it is disabled",
        Exit.FAILED,
        "an API was enabled a moment ago: wait some minutes, then run this again",
    ),
    (
        r"ScopeLocked|protected against deletion|BucketNotEmpty|[Dd]elet(e|ion)[ _]protection",
        Exit.FAILED,
        "deploy with deletion_protection = false first, then run this again",
    ),
    (r"Saved plan is stale", Exit.FAILED, "somebody changed the deployment after the plan: run this again"),
)


_SDK_HINTS: tuple[tuple[str, str], ...] = (
    # (pattern in the words of a cloud's SDK, what to do). The first that is found counts.
    (r"NoCredentialsError|ExpiredToken|UnrecognizedClient|InvalidClientTokenId|TokenRetrievalError|SSOToken", _AWS),
    (r"ClientAuthenticationError|CredentialUnavailableError|DefaultAzureCredential failed", _AZURE),
    (r"DefaultCredentialsError|RefreshError|Unauthenticated|ReauthFailError", _GCP),
    (
        r"AccessDenied|AuthorizationError|Authorization(Permission|Failure)|Unauthorized|PermissionDenied|Forbidden",
        "whoever is signed in lacks a right: docs/operations.md lists what the commands need on {cloud}",
    ),
    (
        r"ResourceNotFound|NonExistentQueue|QueueDoesNotExist|NoSuchBucket|NotFound|does not exist",
        "it is not there: is this the right environment, and is it deployed as this checkout declares it? "
        "orderflow doctor --cloud {cloud} --target deployed",
    ),
    (
        r"EndpointConnectionError|ConnectTimeout|ConnectionRefused|ConnectError|ServiceRequestError|Connection refused"
        r"|ServiceUnavailable|RetryError|DeadlineExceeded|URLError|Errno",
        "it cannot be reached: look at the network, or, for a local cloud, whether orderflow up still runs",
    ),
)


def sdk_hint(words: str, cloud: str) -> str:
    """What to do about an error of a cloud's SDK, by its words; an empty text where that is not known."""
    return next((text.format(cloud=cloud) for pattern, text in _SDK_HINTS if re.search(pattern, words)), "")


@dataclass(frozen=True, slots=True)
class Place:
    """Whom a hint speaks to: the cloud, the environment, and where Terraform keeps that environment's data."""

    cloud: str
    environment: str
    data: str


def hint(words: str, place: Place) -> tuple[Exit, str]:
    """The exit code for an error's words, and what to do about it; an empty text where that is not known."""
    flat = " ".join(words.split())
    for pattern, code, text in _HINTS:
        if re.search(pattern, flat):
            variables = re.findall(r'input variable "(\w+)" is not set', flat)
            return code, text.format(
                cloud=place.cloud,
                env=place.environment,
                variables=" and ".join(variables),
                unlock=unlock(flat, place),
            )
    return Exit.FAILED, ""


def unlock(flat: str, place: Place) -> str:
    """The command that takes a lock away, its ID read from Terraform's words."""
    found = re.search(r"\bID: (\S+)", flat)
    lock = found[1] if found else "<the lock's ID>"
    return f"TF_DATA_DIR={place.data} terraform -chdir=terraform/{place.cloud} force-unlock {lock}"
