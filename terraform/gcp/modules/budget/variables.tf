variable "amount" {
  description = "Spending per month that warns, in whole units of the billing account's currency."
  type        = number
  nullable    = false
}

variable "billing_account" {
  description = "Billing account that pays for the project."
  type        = string
  nullable    = false
}

variable "channel" {
  description = "Id of the notification channel that is warned."
  type        = string
  nullable    = false
}

variable "name" {
  description = "Prefix and environment: the budget's name."
  type        = string
  nullable    = false
}

variable "project_number" {
  description = "Number of the project whose costs are counted."
  type        = string
  nullable    = false
}
