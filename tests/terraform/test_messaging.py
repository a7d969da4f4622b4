"""What must hold between the settings of queues, dead-letter queues and who may use them, so that no message is lost or
done twice. Each rule is the cloud's own; where it says so is named beside it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from terraform import ids
from terraform.consumers import gcp_feeds, iso_seconds
from terraform.ids import ACCOUNTS, PROJECT_NUMBER
from terraform.plan import Plan
from terraform.stacks import Stacks

Topology = dict[str, Any]
DAY_S = 24 * 60 * 60
PUBSUB_AGENT = f"serviceAccount:service-{PROJECT_NUMBER}@gcp-sa-pubsub.iam.gserviceaccount.com"


@pytest.fixture(scope="session")
def aws(stacks: Stacks) -> Plan:
    return stacks.plan("aws")


@pytest.fixture(scope="session")
def azure(stacks: Stacks) -> Plan:
    return stacks.plan("azure")


@pytest.fixture(scope="session")
def gcp(stacks: Stacks) -> Plan:
    return stacks.plan("gcp")


class TestAws:
    def test_a_message_is_hidden_for_six_times_the_timeout_of_who_works_on_it(self, aws: Plan) -> None:
        """docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"""
        functions = aws.by_key("aws_lambda_function")
        queues = aws.by_key("aws_sqs_queue", "this")
        windows = aws.by_key("aws_lambda_event_source_mapping")

        assert not {
            service
            for service, queue in queues.items()
            if queue["visibility_timeout_seconds"]
            < 6 * functions[service]["timeout"] + windows[service]["maximum_batching_window_in_seconds"]
        }

    def test_every_queue_gives_up_to_its_own_dead_letter_queue_which_takes_from_no_other(self, aws: Plan) -> None:
        queues, letters = aws.by_key("aws_sqs_queue", "this"), aws.by_key("aws_sqs_queue", "dead_letter")
        assert queues.keys() == letters.keys()
        for service, queue in queues.items():
            redrive = json.loads(queue["redrive_policy"])
            allow = json.loads(letters[service]["redrive_allow_policy"])

            assert redrive["deadLetterTargetArn"] == _queue_arn(letters[service])
            assert 5 <= redrive["maxReceiveCount"] <= 100
            assert allow == {"redrivePermission": "byQueue", "sourceQueueArns": [_queue_arn(queue)]}

    def test_a_dead_letter_is_kept_longer_than_its_message_would_have_been(self, aws: Plan) -> None:
        """Its age goes on counting:
        docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html"""
        queues, letters = aws.by_key("aws_sqs_queue", "this"), aws.by_key("aws_sqs_queue", "dead_letter")

        for service, queue in queues.items():
            assert letters[service]["message_retention_seconds"] == 14 * DAY_S > queue["message_retention_seconds"]

    def test_only_the_topic_or_the_bucket_may_send_to_a_queue(self, aws: Plan, topology: Topology) -> None:
        policies = aws.by_key("aws_sqs_queue_policy", "this")
        for service, queue in aws.by_key("aws_sqs_queue", "this").items():
            declared = topology["services"][service]
            by_topic = declared["trigger"] == "queue"
            [allowed] = _allowed(policies[service])

            assert allowed["Action"] == "sqs:SendMessage"
            assert allowed["Resource"] == _queue_arn(queue)
            assert allowed["Principal"] == {"Service": "sns.amazonaws.com" if by_topic else "s3.amazonaws.com"}
            assert allowed["Condition"]["ArnEquals"] == {
                "aws:SourceArn": _topic_arn(aws) if by_topic else _bucket_arn(aws, declared["bucket"])
            }
            # A bucket's ARN names no account
            # (docs.aws.amazon.com/AmazonS3/latest/userguide/grant-destinations-permissions-to-s3.html).
            assert by_topic or allowed["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNTS["aws"]}

    def test_only_the_topic_may_send_to_a_dead_letter_queue(self, aws: Plan, topology: Topology) -> None:
        """The functions may by their own roles, not by the queue's policy."""
        for service, policy in aws.by_key("aws_sqs_queue_policy", "dead_letter").items():
            conditions = [allowed["Condition"] for allowed in _allowed(policy)]

            by_topic = topology["services"][service]["trigger"] == "queue"
            assert conditions == [{"ArnEquals": {"aws:SourceArn": _topic_arn(aws)}}] * by_topic

    def test_queues_and_topics_take_nothing_unencrypted(self, aws: Plan) -> None:
        policies = [*aws.all("aws_sqs_queue_policy"), *aws.all("aws_sns_topic_policy", "this")]

        for each in policies:
            [denied] = [
                statement
                for statement in json.loads(each.values["policy"])["Statement"]
                if statement["Effect"] == "Deny"
            ]
            assert denied["Principal"] == "*"
            assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}

    def test_the_topic_delivers_the_bare_event_to_the_queue_and_what_it_cannot_to_the_dead_letter_queue(
        self, aws: Plan
    ) -> None:
        queues, letters = aws.by_key("aws_sqs_queue", "this"), aws.by_key("aws_sqs_queue", "dead_letter")
        for service, subscription in aws.by_key("aws_sns_topic_subscription", "this").items():
            redrive = json.loads(subscription["redrive_policy"])

            assert subscription["endpoint"] == _queue_arn(queues[service])
            assert subscription["raw_message_delivery"] is True
            assert redrive == {"deadLetterTargetArn": _queue_arn(letters[service])}

    def test_a_failed_message_comes_again_alone_and_not_with_its_batch(self, aws: Plan) -> None:
        for trigger in aws.all("aws_lambda_event_source_mapping"):
            assert trigger.values["function_response_types"] == ["ReportBatchItemFailures"], trigger.address


class TestAzure:
    def test_a_lock_lasts_longer_than_the_function_and_at_most_five_minutes(
        self, azure: Plan, topology: Topology
    ) -> None:
        """learn.microsoft.com/azure/service-bus-messaging/message-transfers-locks-settlement"""
        for service, queue in azure.by_key("azurerm_servicebus_queue", "this").items():
            timeout_s = topology["services"][service]["limits"]["timeout_s"]

            assert timeout_s < iso_seconds(queue["lock_duration"]) <= 300, service

    def test_an_unread_message_becomes_a_dead_letter_which_is_kept_longer(self, azure: Plan) -> None:
        queues = azure.by_key("azurerm_servicebus_queue", "this")
        letters = azure.by_key("azurerm_servicebus_queue", "dead_letter")
        for service, queue in queues.items():
            assert queue["dead_lettering_on_message_expiration"] is True
            assert 5 <= queue["max_delivery_count"] <= 100
            if service in letters:
                kept_s = iso_seconds(letters[service]["default_message_ttl"])
                assert kept_s > iso_seconds(queue["default_message_ttl"])

    def test_every_service_that_can_give_up_has_a_dead_letter_queue_of_its_own(
        self, azure: Plan, topology: Topology
    ) -> None:
        fed = {name for name, each in topology["services"].items() if each["trigger"] in ("queue", "object")}

        assert azure.by_key("azurerm_servicebus_queue", "dead_letter").keys() == fed

    def test_event_grid_delivers_as_itself_to_the_service_s_own_queue(self, azure: Plan) -> None:
        """learn.microsoft.com/azure/event-grid/add-identity-roles"""
        topic = azure.one("azurerm_eventgrid_topic")
        queues = azure.by_key("azurerm_servicebus_queue", "this")
        assert topic["identity"][0]["type"] == "SystemAssigned"
        assert topic["local_auth_enabled"] is False
        for service, subscription in azure.by_key("azurerm_eventgrid_event_subscription").items():
            assert subscription["scope"] == topic["id"]
            assert subscription["delivery_identity"][0]["type"] == "SystemAssigned"
            assert subscription["service_bus_queue_endpoint_id"] == queues[service]["id"]
            assert subscription["event_delivery_schema"] == topic["input_schema"] == "CloudEventSchemaV1_0"

    def test_event_grid_may_send_to_the_queues_that_it_feeds_and_to_no_other(self, azure: Plan) -> None:
        queues = azure.by_key("azurerm_servicebus_queue", "this")
        fed = {
            each.values["service_bus_queue_endpoint_id"]: _identity(azure, topic)
            for kind, topic in [
                ("azurerm_eventgrid_event_subscription", "azurerm_eventgrid_topic"),
                ("azurerm_eventgrid_system_topic_event_subscription", "azurerm_eventgrid_system_topic"),
            ]
            for each in azure.all(kind)
        }
        assert fed.keys() == {queue["id"] for queue in queues.values()}

        given = {
            each.values["scope"]: each.values["principal_id"]
            for each in azure.all("azurerm_role_assignment", "deliver")
            if each.values["role_definition_name"] == "Azure Service Bus Data Sender"
        }
        assert given == fed

    def test_event_grid_keeps_what_it_could_not_deliver_as_itself(self, azure: Plan) -> None:
        for subscription in azure.all("azurerm_eventgrid_event_subscription"):
            assert subscription.values["dead_letter_identity"][0]["type"] == "SystemAssigned", subscription.address
            assert subscription.values["storage_blob_dead_letter_destination"], subscription.address
        for each in azure.all("azurerm_role_assignment", "dead_letter"):
            assert each.values["role_definition_name"] == "Storage Blob Data Contributor"
            assert each.values["scope"].endswith("/containers/event-dead-letters")

    def test_no_key_opens_the_bus(self, azure: Plan) -> None:
        assert azure.one("azurerm_servicebus_namespace")["local_auth_enabled"] is False


class TestGcp:
    def test_an_acknowledgement_deadline_is_exactly_the_lock_of_the_topology(
        self, gcp: Plan, topology: Topology
    ) -> None:
        for service, feed in gcp_feeds(gcp).items():
            limits = topology["services"][service]["limits"]

            assert feed["ack_deadline_seconds"] == limits["lock_s"] > limits["timeout_s"]

    def test_every_subscription_of_a_service_gives_up_to_its_dead_letter_topic_after_5_to_100_attempts(
        self, gcp: Plan
    ) -> None:
        """cloud.google.com/pubsub/docs/handling-failures"""
        letters = gcp.by_key("google_pubsub_topic", "dead_letter")
        for feed in gcp.by_key("google_pubsub_subscription", "feed").values():
            [policy] = feed["dead_letter_policy"]

            assert policy["dead_letter_topic"] == _topic(letters[feed["labels"]["service"]])
            assert 5 <= policy["max_delivery_attempts"] <= 100

    def test_pubsub_itself_may_publish_to_every_dead_letter_topic_and_take_from_every_subscription_that_has_one(
        self, gcp: Plan
    ) -> None:
        """Without both it goes on delivering instead, and says nothing:
        cloud.google.com/pubsub/docs/handling-failures#grant_forwarding_permissions"""
        publishes = {
            each.values["topic"]
            for each in gcp.all("google_pubsub_topic_iam_member")
            if (each.values["member"], each.values["role"]) == (PUBSUB_AGENT, "roles/pubsub.publisher")
        }
        takes = {
            each.values["subscription"]
            for each in gcp.all("google_pubsub_subscription_iam_member")
            if (each.values["member"], each.values["role"]) == (PUBSUB_AGENT, "roles/pubsub.subscriber")
        }

        assert publishes == {each["name"] for each in gcp.by_key("google_pubsub_topic", "dead_letter").values()}
        assert takes == {each["name"] for each in gcp.by_key("google_pubsub_subscription", "feed").values()}

    def test_a_dead_letter_is_kept_longer_than_its_message_would_have_been(self, gcp: Plan) -> None:
        letters = gcp.by_key("google_pubsub_subscription", "dead_letter")
        for feed in gcp.by_key("google_pubsub_subscription", "feed").values():
            letter = letters[feed["labels"]["service"]]

            assert _seconds(letter["message_retention_duration"]) > _seconds(feed["message_retention_duration"])

    def test_a_dead_letter_topic_has_a_subscription_or_it_would_keep_nothing(self, gcp: Plan) -> None:
        topics = gcp.by_key("google_pubsub_topic", "dead_letter")
        letters = gcp.by_key("google_pubsub_subscription", "dead_letter")

        assert {service: each["topic"] for service, each in letters.items()} == {
            service: _topic(each) for service, each in topics.items()
        }

    def test_no_subscription_expires(self, gcp: Plan) -> None:
        """By default one without use is deleted after 31 days: cloud.google.com/pubsub/docs/subscription-properties"""
        for each in gcp.all("google_pubsub_subscription"):
            assert each.values["expiration_policy"] == [{"ttl": ""}], each.address

    def test_a_service_s_messages_are_pushed_to_its_function_as_its_own_caller_who_may_call_nothing_else(
        self, gcp: Plan
    ) -> None:
        functions = gcp.by_key("google_cloudfunctions2_function")
        callers = {
            each["member"].removeprefix("serviceAccount:"): each["name"]
            for each in gcp.by_key("google_cloud_run_v2_service_iam_member", "caller").values()
        }
        for feed in gcp.by_key("google_pubsub_subscription", "feed").values():
            function = functions[feed["labels"]["service"]]
            [token] = feed["push_config"][0]["oidc_token"]
            settings = function["service_config"][0]["environment_variables"]

            assert callers[token["service_account_email"]] == function["name"]
            assert token["audience"] == settings["ORDERFLOW_PUSH_AUDIENCE"]
            assert token["service_account_email"] == settings["ORDERFLOW_PUSH_SERVICE_ACCOUNT"]


def _queue_arn(queue: dict[str, Any]) -> str:
    return f"arn:aws:sqs:eu-west-1:{ACCOUNTS['aws']}:{queue['name']}"


def _topic_arn(aws: Plan) -> str:
    return f"arn:aws:sns:eu-west-1:{ACCOUNTS['aws']}:{aws.one('aws_sns_topic', 'this')['name']}"


def _bucket_arn(aws: Plan, bucket: str) -> str:
    return f"arn:aws:s3:::{aws.by_key('aws_s3_bucket')[bucket]['bucket']}"


def _allowed(policy: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for each in json.loads(policy["policy"])["Statement"] if each["Effect"] == "Allow"]


def _identity(azure: Plan, kind: str) -> str:
    [topic] = azure.all(kind)
    assert topic.values["identity"][0]["principal_id"] == ids.principal(topic.address)
    return ids.principal(topic.address)


def _topic(topic: dict[str, Any]) -> str:
    return f"projects/{ACCOUNTS['gcp']}/topics/{topic['name']}"


def _seconds(duration: str) -> int:
    return int(duration.removesuffix("s"))
