output "table_arns" {
  description = "ARN of the table by collection."
  value       = local.table_arns
  depends_on  = [aws_dynamodb_table.this]
}

output "table_index_arns" {
  description = "ARNs of the table's indexes by collection, for collections that have any."
  value = {
    for collection, declared in var.collections :
    collection => [for index in declared.indexes : "${local.table_arns[collection]}/index/${index}"]
    if length(declared.indexes) > 0
  }
}

output "table_names" {
  description = "Name of the table by collection."
  value       = { for collection, table in aws_dynamodb_table.this : collection => table.name }
}
