# Functions, what calls them, and how many of them there may be.

mock_provider "aws" {}

variables {
  archive_arn         = "arn:aws:s3:::orders-dev-archive"
  claims              = { bucket_arn = "arn:aws:s3:::orders-dev-archive", prefix = "claims/" }
  deletion_protection = true
  drop_arn            = "arn:aws:s3:::orders-dev-drop"
  name                = "orders-dev"
  package_files       = { plain = "tests/fixtures/package.zip", tokens = "tests/fixtures/package-tokens.zip" }
  role_boundary_arn   = "arn:aws:iam::123456789012:policy/orders-dev-boundary"
  secrets             = ["gateway", "printer"]
  table_arns          = { orders = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders-dev-orders" }
  table_index_arns    = {}
  topic_arns          = ["arn:aws:sns:eu-west-1:123456789012:orders-dev-events"]
  scope = {
    account_id = "123456789012"
    partition  = "aws"
    region     = "eu-west-1"
  }
  functions = {
    payment = {
      batch_size      = 10
      batch_window_s  = 0
      dead_letter_arn = "arn:aws:sqs:eu-west-1:123456789012:orders-dev-payment-dlq"
      environment     = {}
      hears           = true
      log_group       = "/aws/lambda/orders-dev-payment"
      max_concurrency = 7
      memory_mb       = 256
      publishes       = true
      queue_arn       = "arn:aws:sqs:eu-west-1:123456789012:orders-dev-payment"
      reads           = []
      timeout_s       = 30
      trigger         = "queue"
      uses            = ["gateway"]
      writes          = ["orders"]
    }
    door = {
      batch_size      = 10
      batch_window_s  = 0
      environment     = {}
      hears           = false
      log_group       = "/aws/lambda/orders-dev-door"
      max_concurrency = 50
      memory_mb       = 256
      publishes       = false
      reads           = ["orders"]
      timeout_s       = 15
      trigger         = "http"
      uses            = []
      writes          = []
    }
    clock = {
      batch_size      = 10
      batch_window_s  = 0
      environment     = {}
      every_s         = 60
      hears           = false
      log_group       = "/aws/lambda/orders-dev-clock"
      max_concurrency = 1
      memory_mb       = 256
      publishes       = false
      reads           = []
      timeout_s       = 50
      trigger         = "schedule"
      uses            = []
      writes          = ["orders"]
    }
  }
}

run "a_function_is_bounded_and_traced" {
  command = plan

  module {
    source = "./modules/functions"
  }

  assert {
    condition     = alltrue([for function in values(aws_lambda_function.this) : function.runtime == "python3.13" && function.architectures[0] == "arm64" && function.tracing_config[0].mode == "Active"])
    error_message = "Every function runs Python 3.13 on arm64 and is traced."
  }

  assert {
    condition     = { for service, function in aws_lambda_function.this : service => function.handler } == { clock = "orderflow_aws.entrypoints.sweep", door = "orderflow_aws.entrypoints.api", payment = "orderflow_aws.entrypoints.consume" }
    error_message = "The trigger decides the handler."
  }

  assert {
    condition     = aws_lambda_function.this["payment"].filename == "tests/fixtures/package.zip"
    error_message = "What tokens take is not in the package of a consumer that has none."
  }

  assert {
    condition     = { for service, function in aws_lambda_function.this : service => function.reserved_concurrent_executions } == { clock = 1, door = 50, payment = -1 }
    error_message = "Concurrency is reserved where nothing else bounds it; SQS's pollers do not know of it."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this["payment"].scaling_config[0].maximum_concurrency == 7 && contains(aws_lambda_event_source_mapping.this["payment"].function_response_types, "ReportBatchItemFailures")
    error_message = "A mapping bounds its function, and takes single failures of a batch."
  }

  assert {
    condition     = length(aws_lambda_event_source_mapping.this["payment"].filter_criteria) == 0
    error_message = "A mapping's filter deletes what does not match."
  }

  assert {
    condition     = alltrue([for config in values(aws_lambda_function_recursion_config.this) : config.recursive_loop == "Terminate"]) && length(aws_lambda_function_recursion_config.this) == 3
    error_message = "Every function says what becomes of a loop."
  }

  assert {
    condition     = aws_lambda_function_event_invoke_config.this["clock"].maximum_retry_attempts == 0 && keys(aws_lambda_function_event_invoke_config.this) == ["clock"]
    error_message = "A scheduled run that failed is not repeated: the next one comes."
  }
}

run "an_identity_may_do_what_its_service_does" {
  command = plan

  module {
    source = "./modules/functions"
  }

  assert {
    condition     = join(",", output.grants.payment.ReadSecrets.resources) == "arn:aws:secretsmanager:eu-west-1:123456789012:secret:orders-dev-gateway-??????"
    error_message = "A secret is for the services that use its external system."
  }

  assert {
    condition     = !can(output.grants.door.PublishEvents) && !can(output.grants.door.WriteDocuments) && !can(output.grants.door.ReceiveMessages) && !can(output.grants.door.ReadSecrets)
    error_message = "A function that only reads may only read."
  }

  assert {
    condition = (
      join(",", output.grants.payment.StoreClaims.resources) == "arn:aws:s3:::orders-dev-archive/claims/*"
      && join(",", output.grants.payment.RedeemClaims.resources) == "arn:aws:s3:::orders-dev-archive/claims/*"
      && !can(output.grants.door.StoreClaims)
      && !can(output.grants.clock.RedeemClaims)
    )
    error_message = "Who publishes stores the data of large events, who consumes reads them, and nobody reaches the rest of the archive."
  }

  assert {
    condition     = alltrue([for role in values(aws_iam_role.this) : role.permissions_boundary == "arn:aws:iam::123456789012:policy/orders-dev-boundary"])
    error_message = "Every role is made within the boundary."
  }
}

run "who_checks_or_signs_tokens_has_the_package_for_it_and_nobody_else" {
  command = plan

  module {
    source = "./modules/functions"
  }

  variables {
    systems = { gateway = { provider = "fcm" } }
  }

  assert {
    condition = { for service, function in aws_lambda_function.this : service => function.filename } == {
      clock   = "tests/fixtures/package.zip"
      door    = "tests/fixtures/package-tokens.zip"
      payment = "tests/fixtures/package-tokens.zip"
    }
    error_message = "The API checks tokens, and FCM wants a signed one."
  }

  assert {
    condition     = alltrue([for function in values(aws_lambda_function.this) : function.source_code_hash == filebase64sha256(function.filename)])
    error_message = "A function is told of a new package by the hash of its own."
  }
}

run "a_mapping_of_one_is_refused" {
  command = plan

  module {
    source = "./modules/functions"
  }

  variables {
    functions = {
      payment = {
        batch_size      = 10
        batch_window_s  = 0
        environment     = {}
        hears           = true
        log_group       = "/aws/lambda/orders-dev-payment"
        max_concurrency = 1
        memory_mb       = 256
        publishes       = true
        queue_arn       = "arn:aws:sqs:eu-west-1:123456789012:orders-dev-payment"
        reads           = []
        timeout_s       = 30
        trigger         = "queue"
        uses            = []
        writes          = []
      }
    }
  }

  expect_failures = [var.functions]
}

run "a_batch_that_lambda_does_not_take_from_a_fifo_queue_is_refused" {
  command = plan

  module {
    source = "./modules/functions"
  }

  variables {
    functions = {
      payment = {
        batch_size      = 10
        batch_window_s  = 1
        environment     = {}
        hears           = true
        log_group       = "/aws/lambda/orders-dev-payment"
        max_concurrency = 2
        memory_mb       = 256
        publishes       = true
        queue_arn       = "arn:aws:sqs:eu-west-1:123456789012:orders-dev-payment.fifo"
        reads           = []
        timeout_s       = 30
        trigger         = "queue"
        uses            = []
        writes          = []
      }
    }
  }

  expect_failures = [var.functions]
}

run "texts_go_to_phone_numbers_only_and_from_who_sends_them_only" {
  command = plan

  module {
    source = "./modules/functions"
  }

  variables {
    systems = { gateway = { provider = "sns" } }
  }

  assert {
    condition = [for statement in jsondecode(aws_iam_role_policy.this["payment"].policy).Statement : jsonencode(statement) if statement.Sid == "SendTexts"] == [jsonencode({
      Action      = ["sns:Publish"]
      Effect      = "Allow"
      NotResource = ["arn:aws:sns:*:*:*"]
      Sid         = "SendTexts"
    })]
    error_message = "Texts cannot be sent, or a topic can be published to."
  }

  assert {
    condition     = !strcontains(aws_iam_role_policy.this["door"].policy, "SendTexts")
    error_message = "A function that sends no texts may."
  }
}
