output "id" {
  description = "The API's id."
  value       = aws_apigatewayv2_api.this.id
}

output "url" {
  description = "Where the API answers, without a slash at the end."
  value       = aws_apigatewayv2_api.this.api_endpoint
}

output "unguarded_routes" {
  description = "Routes that are answered without a token."
  value       = toset([for route in aws_apigatewayv2_route.unguarded : route.route_key])
}
