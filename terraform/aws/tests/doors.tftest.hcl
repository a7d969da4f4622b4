# Ways in: the HTTP API, the schedule, GitHub.

mock_provider "aws" {}

variables {
  name = "orders-dev"
  scope = {
    account_id = "123456789012"
    partition  = "aws"
    region     = "eu-west-1"
  }
}

run "the_api_asks_for_a_token_and_bears_no_flood" {
  command = plan

  module {
    source = "./modules/api"
  }

  variables {
    function_arn     = "arn:aws:lambda:eu-west-1:123456789012:function:orders-dev-api"
    function_name    = "orders-dev-api"
    log_group_arn    = "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/vendedlogs/apis/orders-dev"
    max_concurrency  = 50
    oidc             = { issuer = "https://id.example.com/", audience = "orders" }
    timeout_s        = 15
    unguarded_routes = ["GET /health"]
  }

  assert {
    condition     = aws_apigatewayv2_route.guarded.route_key == "$default" && aws_apigatewayv2_route.guarded.authorization_type == "JWT"
    error_message = "What is not named as open needs a token."
  }

  assert {
    condition     = aws_apigatewayv2_authorizer.this.jwt_configuration[0].issuer == "https://id.example.com/" && toset(aws_apigatewayv2_authorizer.this.jwt_configuration[0].audience) == toset(["orders"])
    error_message = "Tokens of another issuer, or for somebody else, must not do."
  }

  assert {
    condition     = aws_apigatewayv2_stage.this.default_route_settings[0].throttling_burst_limit == 50 && length(aws_apigatewayv2_stage.this.access_log_settings) == 1
    error_message = "Requests are bounded, and logged."
  }
}

run "an_api_slower_than_its_gateway_is_refused" {
  command = plan

  module {
    source = "./modules/api"
  }

  variables {
    function_arn     = "arn:aws:lambda:eu-west-1:123456789012:function:orders-dev-api"
    function_name    = "orders-dev-api"
    log_group_arn    = "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/vendedlogs/apis/orders-dev"
    max_concurrency  = 50
    oidc             = { issuer = "https://id.example.com/", audience = "orders" }
    timeout_s        = 31
    unguarded_routes = []
  }

  expect_failures = [var.timeout_s]
}

run "a_minute_is_written_as_the_scheduler_wants_it" {
  command = plan

  module {
    source = "./modules/schedule"
  }

  variables {
    role_boundary_arn = null
    schedules = {
      clock = { every_s = 60, function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:orders-dev-clock" }
      night = { every_s = 3600, function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:orders-dev-night" }
    }
  }

  assert {
    condition     = { for service, schedule in aws_scheduler_schedule.this : service => schedule.schedule_expression } == { clock = "rate(1 minute)", night = "rate(60 minutes)" }
    error_message = "One is singular, more are plural."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this["clock"].policy).Statement[0].Resource == ["arn:aws:lambda:eu-west-1:123456789012:function:orders-dev-clock"]
    error_message = "A schedule may call its own function only."
  }
}

run "seconds_are_refused" {
  command = plan

  module {
    source = "./modules/schedule"
  }

  variables {
    role_boundary_arn = null
    schedules         = { clock = { every_s = 90, function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:orders-dev-clock" } }
  }

  expect_failures = [var.schedules]
}

run "github_plans_from_a_pull_request_and_applies_from_its_environment" {
  command = plan

  module {
    source = "./modules/ci"
  }

  variables {
    environment       = "prod"
    github_repository = "acme/orders"
    state_bucket      = "orders-state-123456789012"
  }

  assert {
    condition     = jsondecode(aws_iam_role.this["apply"].assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"] == ["repo:acme/orders:environment:prod"]
    error_message = "Only a job of the environment, behind its approval, may apply."
  }

  assert {
    condition     = !contains(jsondecode(aws_iam_role.this["plan"].assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"], "repo:acme/orders:*")
    error_message = "Not everything in the repository may sign in."
  }

  assert {
    condition     = [for attachment in values(aws_iam_role_policy_attachment.this) : attachment.role if strcontains(attachment.role, "plan")] == ["orders-dev-ci-plan"]
    error_message = "A plan reads; it must have one policy, the one for reading."
  }

  assert {
    condition = alltrue(flatten([
      for statement in jsondecode(aws_iam_policy.this["read"].policy).Statement : [
        for action in statement.Action : can(regex(":(Get|List|Describe|View|GET)", action)) && !contains(["s3:GetObject", "secretsmanager:GetSecretValue", "dynamodb:GetItem"], action)
      ]
    ]))
    error_message = "A plan changes nothing and sees no data."
  }

  assert {
    condition = alltrue(flatten([
      for policy in values(aws_iam_policy.this) : [
        for statement in jsondecode(policy.policy).Statement : [for action in statement.Action : !strcontains(action, "*")]
      ]
    ]))
    error_message = "A wildcard among the actions allows what nobody has thought of."
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_policy.this["bounded"].policy).Statement :
      try(statement.Condition.StringEquals["iam:PermissionsBoundary"], "") == "arn:aws:iam::123456789012:policy/orders-dev-boundary"
      if statement.Effect == "Allow" && contains(statement.Action, "iam:PutRolePolicy")
    ])
    error_message = "CI may make roles within the boundary only, else it could make itself an administrator."
  }
}
