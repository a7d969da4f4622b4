# The whole root on the topology as it is: that each service has everything it needs, and that names fit. A mocked
# provider proves what is asked of AWS, not that AWS grants it.

mock_provider "aws" {}

variables {
  account_id        = "123456789012"
  alarm_email       = "alarms@example.com"
  budget_monthly    = 50
  environment       = "dev"
  github_repository = "acme/orders"
  package_file      = "tests/fixtures/package.zip"
  region            = "eu-west-1"
  oidc = {
    issuer   = "https://id.example.com/"
    audience = "orders"
    jwks_url = "https://id.example.com/jwks.json"
  }
}

run "every_service_has_all_that_it_needs" {
  command = plan

  # Queue, dead-letter queue, filter.

  assert {
    condition = toset(keys(module.messaging.queue_arns)) == toset([
      for name, service in jsondecode(file("../../topology.json")).services : name if contains(["queue", "object"], service.trigger)
    ])
    error_message = "A service without a queue never hears anything."
  }

  assert {
    condition     = keys(module.messaging.queue_arns) == keys(module.messaging.dead_letter_queue_arns)
    error_message = "A service without a dead-letter queue loses what it gives up on."
  }

  assert {
    condition = jsonencode({ for name, filter in module.messaging.filter_policies : name => try(jsondecode(filter), {}) }) == jsonencode({
      for name, service in jsondecode(file("../../topology.json")).services : name => service.filter if service.trigger == "queue"
    })
    error_message = "The consumers, and they alone, subscribe to the topic, each with the topology's filter."
  }

  # Function, identity, documents.

  assert {
    condition     = keys(output.functions) == [for name, service in jsondecode(file("../../topology.json")).services : name if service.trigger != "sink"]
    error_message = "A service without a function."
  }

  assert {
    condition     = length(distinct(values(module.functions.role_names))) == length(output.functions)
    error_message = "Two functions share a role: what one may do, the other may do."
  }

  assert {
    condition     = keys(output.stores) == keys(jsondecode(file("../../topology.json")).collections)
    error_message = "A collection without a table."
  }

  # Alarms, dashboard.

  assert {
    condition = alltrue(flatten([
      for name in keys(output.functions) : [
        for alarm in ["errors", "duration", "throttles", "recursion"] : contains(module.observability.alarm_names, "orderflow-dev-${name}-${alarm}")
      ]
    ]))
    error_message = "Each function needs alarms for errors, p95, throttles and recursion."
  }

  assert {
    condition = alltrue(flatten([
      for name in keys(module.messaging.queue_arns) : [
        for alarm in ["oldest-message", "dlq-not-empty"] : contains(module.observability.alarm_names, "orderflow-dev-${name}-${alarm}")
      ]
    ]))
    error_message = "Each queue needs alarms for its oldest message and its dead letters."
  }

  assert {
    condition     = alltrue([for measure in ["deliveries", "executions", "publishes"] : contains(module.observability.alarm_names, "orderflow-dev-amplification-${measure}")])
    error_message = "Amplification needs its alarms."
  }

  assert {
    condition     = alltrue([for name in keys(output.functions) : contains(module.observability.dashboard_titles, "${name}: calls")])
    error_message = "Each function needs its row of the dashboard."
  }

  # Least privilege.

  assert {
    condition = alltrue([
      for service, grants in module.functions.grants :
      join(",", try(grants.ReceiveMessages.resources, [])) == try(module.messaging.queue_arns[service], "")
      && join(",", try(grants.WriteDeadLetters.resources, [])) == try(module.messaging.dead_letter_queue_arns[service], "")
    ])
    error_message = "A function may read its own queue only, and write into its own dead-letter queue only."
  }

  assert {
    condition = alltrue([
      for service, grants in module.functions.grants :
      toset(grants.WriteDocuments.resources) == toset([for collection in jsondecode(file("../../topology.json")).services[service].collections.write : module.store.table_arns[collection]])
    ])
    error_message = "A function may write the collections that the topology says, and no others."
  }

  assert {
    condition     = alltrue([for service, grants in module.functions.grants : can(grants.PublishEvents) == (length(jsondecode(file("../../topology.json")).services[service].emits) > 0)])
    error_message = "A service that emits events may publish, and only such a one."
  }

  assert {
    condition     = alltrue(flatten([for grants in values(module.functions.grants) : [for grant in values(grants) : [for action in grant.actions : !strcontains(action, "*")]]]))
    error_message = "A wildcard among the actions allows what nobody has thought of."
  }

  assert {
    condition     = alltrue(flatten([for grants in values(module.functions.grants) : [for purpose, grant in grants : !contains(grant.resources, "*") if purpose != "WriteTraces"]]))
    error_message = "Only X-Ray takes no resource."
  }

  # How one gets in.

  assert {
    condition = jsonencode(output.environment) == jsonencode({
      AWS_REGION               = "eu-west-1"
      ORDERFLOW_ARCHIVE_BUCKET = "orderflow-dev-archive-123456789012"
      ORDERFLOW_AUDIENCE       = "orders"
      ORDERFLOW_DROP_BUCKET    = "orderflow-dev-drop-123456789012"
      ORDERFLOW_ISSUER         = "https://id.example.com/"
      ORDERFLOW_JWKS_URL       = "https://id.example.com/jwks.json"
      ORDERFLOW_PREFIX         = "orderflow-dev"
      ORDERFLOW_QUEUES_URL     = "https://sqs.eu-west-1.amazonaws.com/123456789012/"
      ORDERFLOW_TOPIC_ARN      = "arn:aws:sns:eu-west-1:123456789012:orderflow-dev-events"
    })
    error_message = "orderflow_aws.wiring.bootstrap would not find the deployment."
  }

  assert {
    condition     = output.ci_identity.apply != output.ci_identity.plan
    error_message = "Pull requests must not have the role that applies."
  }
}

run "the_longest_names_fit_and_nobody_is_let_in_unasked" {
  command = plan

  variables {
    environment       = "staging"
    github_repository = null
    prefix            = "abcdefghi"
    region            = "ap-southeast-1"
  }

  # The modules refuse names that are too long: that this plans is the proof. What is left of the two tightest limits:

  assert {
    condition     = max([for name in values(output.functions) : length("${name}-subscription")]...) <= 64
    error_message = "A role's name has 64 characters at most."
  }

  assert {
    condition     = max(length(output.archive_bucket), length(output.drop_bucket)) <= 63
    error_message = "A bucket's name has 63 characters at most."
  }

  assert {
    condition     = output.ci_identity == null && module.ci.role_boundary_arn == null
    error_message = "Without a repository there must be no role for GitHub."
  }
}

run "a_service_more_in_the_topology_needs_no_other_change" {
  command = plan

  variables {
    secrets       = ["coupons"]
    topology_file = "tests/fixtures/one-more-service.json"
  }

  assert {
    condition     = can(module.messaging.queue_arns.loyalty) && can(module.messaging.dead_letter_queue_arns.loyalty)
    error_message = "It has no queue, or no dead-letter queue."
  }

  assert {
    condition     = jsonencode(jsondecode(module.messaging.filter_policies.loyalty)) == jsonencode({ kind = ["ShipmentCreated"], tier = ["elevated", "high"] })
    error_message = "It has no filter, or another one than it should."
  }

  assert {
    condition     = output.functions.loyalty == "orderflow-dev-loyalty" && module.functions.role_names.loyalty == "orderflow-dev-loyalty"
    error_message = "It has no function, or no identity."
  }

  assert {
    condition     = join(",", module.functions.grants.loyalty.ReadSecrets.resources) == "arn:aws:secretsmanager:eu-west-1:123456789012:secret:orderflow-dev-coupons-??????"
    error_message = "It may not read the secret of the external system that it uses."
  }

  assert {
    condition     = output.stores.points == "orderflow-dev-points"
    error_message = "It has no table."
  }

  assert {
    condition = alltrue([
      for alarm in ["errors", "duration", "throttles", "recursion", "oldest-message", "dlq-not-empty"] :
      contains(module.observability.alarm_names, "orderflow-dev-loyalty-${alarm}")
    ])
    error_message = "It is not watched."
  }

  assert {
    condition     = alltrue([for graph in ["queue", "calls", "duration (ms)"] : contains(module.observability.dashboard_titles, "loyalty: ${graph}")])
    error_message = "It has no row in the dashboard."
  }
}

run "for_an_ordered_service_all_publish_to_a_second_topic_as_well" {
  command = plan

  variables {
    secrets       = ["coupons"]
    topology_file = "tests/fixtures/ordered.json"
  }

  assert {
    condition = (
      output.environment.ORDERFLOW_ORDERED_SERVICES == "loyalty"
      && output.environment.ORDERFLOW_ORDERED_TOPIC_ARN == "arn:aws:sns:eu-west-1:123456789012:orderflow-dev-events-ordered.fifo"
    )
    error_message = "The functions do not know of the FIFO topic and its services."
  }

  assert {
    condition     = join(",", module.functions.grants.api.PublishEvents.resources) == "${output.topic},${output.environment.ORDERFLOW_ORDERED_TOPIC_ARN}"
    error_message = "Whoever publishes may not publish to both topics."
  }

  assert {
    condition     = contains(module.observability.alarm_names, "orderflow-dev-loyalty.fifo-oldest-message") && contains(module.observability.alarm_names, "orderflow-dev-loyalty-dlq.fifo-not-empty")
    error_message = "The FIFO queues are not watched."
  }
}

run "without_one_nobody_hears_of_order" {
  command = plan

  assert {
    condition     = !anytrue([for name in keys(output.environment) : strcontains(name, "ORDERED")]) && length(module.functions.grants.api.PublishEvents.resources) == 1
    error_message = "Order costs something although nobody asked for it."
  }
}
