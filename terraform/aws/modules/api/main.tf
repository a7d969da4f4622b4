resource "aws_apigatewayv2_api" "this" {
  name          = "${var.name}-api"
  description   = "The HTTP API of ${var.name}."
  protocol_type = "HTTP"
}

resource "aws_apigatewayv2_authorizer" "this" {
  api_id           = aws_apigatewayv2_api.this.id
  name             = "oidc"
  authorizer_type  = "JWT"
  identity_sources = ["$request.header.Authorization"]

  jwt_configuration {
    audience = [var.oidc.audience]
    issuer   = var.oidc.issuer
  }
}

resource "aws_apigatewayv2_integration" "this" {
  api_id                 = aws_apigatewayv2_api.this.id
  integration_type       = "AWS_PROXY"
  integration_uri        = var.function_arn
  payload_format_version = "2.0"
  timeout_milliseconds   = var.timeout_s * 1000
}

# Which paths exist is the function's knowledge; here it is only that they need a token, also those that do not exist.
resource "aws_apigatewayv2_route" "guarded" {
  api_id             = aws_apigatewayv2_api.this.id
  route_key          = "$default"
  authorization_type = "JWT"
  authorizer_id      = aws_apigatewayv2_authorizer.this.id
  target             = "integrations/${aws_apigatewayv2_integration.this.id}"
}

resource "aws_apigatewayv2_route" "unguarded" {
  for_each = var.unguarded_routes

  api_id             = aws_apigatewayv2_api.this.id
  route_key          = each.value
  authorization_type = "NONE"
  target             = "integrations/${aws_apigatewayv2_integration.this.id}"
}

resource "aws_apigatewayv2_stage" "this" {
  api_id      = aws_apigatewayv2_api.this.id
  name        = "$default"
  auto_deploy = true

  # docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html
  access_log_settings {
    destination_arn = var.log_group_arn
    format = jsonencode({
      error              = "$context.error.message"
      integration_error  = "$context.integrationErrorMessage"
      integration_status = "$context.integrationStatus"
      latency_ms         = "$context.responseLatency"
      method             = "$context.httpMethod"
      path               = "$context.path"
      request_id         = "$context.requestId"
      response_bytes     = "$context.responseLength"
      route              = "$context.routeKey"
      source_ip          = "$context.identity.sourceIp"
      status             = "$context.status"
      time               = "$context.requestTime"
      token_error        = "$context.authorizer.error"
    })
  }

  # More than the function bears is refused at the door (429), before it is paid for.
  default_route_settings {
    detailed_metrics_enabled = true
    throttling_burst_limit   = var.max_concurrency
    throttling_rate_limit    = var.max_concurrency
  }
}

resource "aws_lambda_permission" "this" {
  statement_id  = "InvokeFromApi"
  action        = "lambda:InvokeFunction"
  function_name = var.function_name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.this.execution_arn}/*"
}
