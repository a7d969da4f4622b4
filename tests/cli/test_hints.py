"""Every error that has a hint, in full, through the command: the operator reads what to do, a script the exit code.

Where no source is given, the words were taken from Terraform 1.11.4 itself, run without a network and credentials.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.conftest import Program
from orderflow_cli.hints import CODES, Exit
from orderflow_cli.main import app

LOCKED = """
Error: Error acquiring the state lock

Error message: resource temporarily unavailable
Lock Info:
  ID:        2f2cbe9f-5fa1-ae41-83f1-e17ea3c058bb
  Path:      terraform.tfstate
  Operation: OperationTypeApply
  Who:       root@vm
  Version:   1.11.4
  Created:   2026-11-21 16:29:14.063177879 +0000 UTC
  Info:


Terraform acquires a state lock to protect the state from being written
by multiple users at the same time. Please resolve the issue above and try
again. For most commands, you can disable locking with the "-lock=false"
flag, but this is not recommended.
"""

# (cloud, command, Terraform's words, exit code, part of what the operator is told)
ERRORS = {
    "Terraform of another version": (
        "gcp",
        "init",
        """
Error: Unsupported Terraform Core version

  on versions.tf line 2, in terraform:
   2:   required_version = ">= 1.11"

This configuration does not support Terraform version 1.9.0. To proceed,
either choose another supported Terraform version or update this version
constraint.
""",
        Exit.MISSING,
        "install the version that terraform/gcp/versions.tf asks for",
    ),
    "no registry": (
        "aws",
        "init",
        """
Error: Failed to query available provider packages

Could not retrieve the list of available versions for provider hashicorp/aws:
could not connect to registry.terraform.io: failed to request discovery
document: Get "https://registry.terraform.io/.well-known/terraform.json":
dial tcp: lookup registry.terraform.io on 10.255.255.53:53: no such host
""",
        Exit.MISSING,
        "the provider registry cannot be reached",
    ),
    "variables without a value": (
        "aws",
        "plan",
        """
Error: No value for required variable

  on variables.tf line 1:
   1: variable "account_id" {

The root module input variable "account_id" is not set, and has no default
value. Use a -var or -var-file command line argument to provide a value for
this variable.

Error: No value for required variable

  on variables.tf line 5:
   5: variable "region" {

The root module input variable "region" is not set, and has no default value.
Use a -var or -var-file command line argument to provide a value for this
variable.
""",
        Exit.USAGE,
        "set account_id and region in terraform/aws/environments",
    ),
    "a locked state": (
        "gcp",
        "plan",
        LOCKED,
        Exit.STATE,
        "terraform -chdir=terraform/gcp force-unlock 2f2cbe9f-5fa1-ae41-83f1-e17ea3c058bb",
    ),
    "a lock that stays": (
        "gcp",
        "apply",
        "Error: Error releasing the state lock\n\nError message: timeout\n  ID:        12",
        Exit.STATE,
        "force-unlock 12",
    ),
    "a state that is not saved": (
        "aws",
        "apply",
        "Error: Failed to save state\n\nError saving state: timeout",
        Exit.STATE,
        "terraform state push",
    ),
    "a plan that is stale": (
        "aws",
        "apply",
        "Error: Saved plan is stale\n\nThe given plan file can no longer be applied",
        Exit.FAILED,
        "run this again",
    ),
    "no init": (
        "aws",
        "plan",
        'Error: Backend initialization required, please run "terraform init"',
        Exit.STATE,
        "make init CLOUD=aws ENV=dev",
    ),
    # The bucket's name is the backend's own words (terraform 1.11.4, backend s3: "S3 bucket %q does not exist.").
    "no bucket for the state on AWS": (
        "aws",
        "init",
        'Error: S3 bucket "orderflow-state-123456789012" does not exist.',
        Exit.STATE,
        "docs/deploy/aws.md",
    ),
    # github.com/MicrosoftDocs/azure-dev-docs/issues/558
    "no account for the state on Azure": (
        "azure",
        "init",
        """
Error: Failed to get existing workspaces: containers.Client#ListBlobs: Failure sending request: StatusCode=0 --
Original Error: Get "https://orderflowstate.blob.core.windows.net/terraform?comp=list&restype=container": dial tcp:
lookup orderflowstate.blob.core.windows.net on 168.63.129.16:53:no such host
""",
        Exit.STATE,
        "docs/deploy/azure.md",
    ),
    # github.com/microsoft/NubesGen/issues/474
    "no container for the state on Azure": (
        "azure",
        "init",
        """
Error: Failed to get existing workspaces: containers.Client#ListBlobs: Failure responding to request: StatusCode=404
-- Original Error: autorest/azure: Service returned an error. Status=404 Code="ContainerNotFound" Message="The
specified container does not exist."
""",
        Exit.STATE,
        "docs/deploy/azure.md",
    ),
    # terraform 1.11.4, backend gcs: "querying Cloud Storage failed: %v", and Google's storage client: ErrBucketNotExist
    "no bucket for the state on Google Cloud": (
        "gcp",
        "init",
        "Error: Failed to get existing workspaces: querying Cloud Storage failed: storage: bucket doesn't exist",
        Exit.STATE,
        "docs/deploy/gcp.md",
    ),
    "nobody signed in to AWS": (
        "aws",
        "init",
        """
Error: No valid credential sources found

Please see https://developer.hashicorp.com/terraform/language/backend/s3
for more information about providing credentials.

Error: failed to refresh cached credentials, no EC2 IMDS role found,
operation error ec2imds: GetMetadata, access disabled to EC2 IMDS via client
option, or "AWS_EC2_METADATA_DISABLED" environment variable
""",
        Exit.SIGN_IN,
        "aws sso login",
    ),
    # github.com/hashicorp/terraform-provider-aws/issues/38965
    "an AWS session that has ended": (
        "aws",
        "plan",
        "Error: failed to refresh cached credentials, the SSO session has expired or is invalid: open x.json",
        Exit.SIGN_IN,
        "aws sso login",
    ),
    # github.com/hashicorp/terraform-provider-aws/issues/32809
    "an AWS token that has expired": (
        "aws",
        "apply",
        "ExpiredTokenException: The security token included in the request is expired",
        Exit.SIGN_IN,
        "aws sso login",
    ),
    # github.com/hashicorp/aws-sdk-go-base: "AWS account ID not allowed: %s"
    "another AWS account": (
        "aws",
        "plan",
        "Error: AWS account ID not allowed: 210987654321",
        Exit.SIGN_IN,
        "another account than TF_VAR_account_id",
    ),
    "no Azure CLI": (
        "azure",
        "init",
        """
Error: unable to build authorizer for Storage API: could not configure AzureCli Authorizer: could not parse Azure CLI version: launching Azure CLI: exec: "az": executable file not found in $PATH
""",  # noqa: E501  one line, as Terraform prints it
        Exit.MISSING,
        "install the Azure CLI",
    ),
    # github.com/hashicorp/terraform-provider-azurerm/issues/21776
    "nobody signed in to Azure": (
        "azure",
        "plan",
        """
Error: unable to build authorizer for Resource Manager API: could not configure AzureCli Authorizer: obtaining tenant
ID: running Azure CLI: exit status 1: ERROR: Please run 'az login' to setup account.
""",
        Exit.SIGN_IN,
        "sign in: az login",
    ),
    # github.com/hashicorp/terraform-provider-azurerm/issues/27439
    "another Azure subscription": (
        "azure",
        "plan",
        """
Error: unable to build authorizer for Resource Manager API: could not configure AzureCli Authorizer: the provided
subscription ID "11111111-2222-3333-4444-555555555555" is not known by Azure CLI
""",
        Exit.SIGN_IN,
        "az account set --subscription",
    ),
    "nobody signed in to Google Cloud": (
        "gcp",
        "init",
        """
Error: storage.NewClient() failed: dialing: google: could not find default credentials. See https://cloud.google.com/docs/authentication/external/set-up-adc for more information
""",  # noqa: E501  one line, as Terraform prints it
        Exit.SIGN_IN,
        "gcloud auth application-default login",
    ),
    # github.com/eatonc/actual-gcp/issues/3
    "no credentials for the Google provider": (
        "gcp",
        "plan",
        """
Error: Attempted to load application default credentials since neither `credentials` nor `access_token` was set in the
provider block.  No credentials loaded. To use your gcloud credentials, run 'gcloud auth application-default login'
""",
        Exit.SIGN_IN,
        "gcloud auth application-default login",
    ),
    # Pub/Sub's setIamPolicy: these words are in several public deployment guides
    "a project without Pub/Sub's service agent": (
        "gcp",
        "apply",
        """
Error: Error applying IAM policy for pubsub topic: googleapi: Error 400: Service account
service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com does not exist., badRequest
""",
        Exit.FAILED,
        "gcloud beta services identity create --service=pubsub.googleapis.com",
    ),
    # Any Google API's 403 accessNotConfigured
    "an API that was enabled a moment ago": (
        "gcp",
        "apply",
        """
Error: Error creating Topic: googleapi: Error 403: Cloud Pub/Sub API has not been used in project 123456789012 before
or it is disabled.
""",
        Exit.FAILED,
        "wait some minutes",
    ),
    # github.com/hashicorp/terraform-provider-azurerm/issues/17478
    "a locked account": (
        "azure",
        "apply",
        'Error: deleting Role Assignment: unexpected status 409: Service returned an error. Code="ScopeLocked"',
        Exit.FAILED,
        "deletion_protection = false",
    ),
    # The words that follow are quoted by many public deployment guides.
    "no role on the state": (
        "azure",
        "init",
        """
Error: Failed to get existing workspaces: containers.Client#ListBlobs: Failure responding to request: StatusCode=403 --
Original Error: autorest/azure: Service returned an error. Status=403 Code="AuthorizationPermissionMismatch"
""",
        Exit.SIGN_IN,
        "state_users",
    ),
    "a subscription without the resource providers": (
        "azure",
        "apply",
        """
MissingSubscriptionRegistration: The subscription is not registered to use
namespace 'Microsoft.App'.
""",
        Exit.FAILED,
        "terraform/bootstrap/azure",
    ),
    "too few concurrent executions": (
        "aws",
        "apply",
        """
InvalidParameterValueException: Specified ReservedConcurrentExecutions for function decreases account's
UnreservedConcurrentExecution below its minimum value of [10].
""",
        Exit.FAILED,
        "Service Quotas",
    ),
    "an organisation that lets nobody in": (
        "gcp",
        "apply",
        """
Error 400: One or more users named in the policy do not belong to a permitted customer, perhaps due to an organization
policy., failedPrecondition
""",
        Exit.FAILED,
        "iam.allowedPolicyMemberDomains",
    ),
    # DynamoDB's DeleteTable: several emulators hold themselves to these very words
    "a protected table": (
        "aws",
        "apply",
        """
Error: deleting Amazon DynamoDB Table (orderflow-dev-orders): ValidationException: Resource cannot be deleted as it is
currently protected against deletion. Disable deletion protection first.
""",
        Exit.FAILED,
        "deletion_protection = false",
    ),
}


@pytest.mark.parametrize(("cloud", "command", "words", "code", "told"), ERRORS.values(), ids=ERRORS.keys())
def test_the_operator_is_told_what_to_do_about(
    terraform: Program, az: Program, cloud: str, command: str, words: str, code: Exit, told: str
) -> None:
    """Terraform's own words come first, then one line that says what to do."""
    terraform.says(command, err=words, code=1)

    result = CliRunner().invoke(app, ["deploy", "--cloud", cloud, "--yes"])

    assert result.exit_code == code
    [line] = [line for line in result.stderr.splitlines() if line.startswith("-> ")]
    assert told in line
    assert words.strip() in result.stderr
    assert "{" not in line, "a place in the hint was not filled in"


def test_an_error_that_nobody_foresaw_is_shown_as_it_is(terraform: Program) -> None:
    terraform.says("plan", err="Error: The moon is in the wrong place", code=1)

    result = CliRunner().invoke(app, ["plan", "--cloud", "aws"])

    assert result.exit_code == Exit.FAILED
    assert "The moon is in the wrong place" in result.stderr
    assert "-> " not in result.stderr


def test_without_terraform_one_is_told_where_to_get_it(checkout: Path, no_programs: Path) -> None:
    result = CliRunner().invoke(app, ["plan", "--cloud", "aws"])

    assert result.exit_code == Exit.MISSING
    assert "terraform is not installed: developer.hashicorp.com/terraform/install" in result.stderr


@pytest.mark.parametrize("command", ["init", "plan", "deploy", "outputs", "destroy"])
def test_the_help_of_a_command_says_what_its_exit_codes_mean(command: str) -> None:
    help_text = " ".join(CliRunner().invoke(app, [command, "--help"]).stdout.split())
    for code in (*Exit, 0):
        assert str(int(code)) in CODES
    assert "5 the state is locked" in help_text
