variable "alarm_email" {
  description = "Address that alerts are sent to."
  type        = string
  nullable    = false
}

variable "budget_monthly" {
  description = "Amount a month, in the account's currency."
  type        = number
  nullable    = false
}

variable "name" {
  description = "What every name begins with: prefix and environment."
  type        = string
  nullable    = false
}

variable "resource_group_id" {
  description = "Id of the resource group whose cost is watched."
  type        = string
  nullable    = false
}
