variable "alarm_email" {
  description = "Mailbox that is told."
  type        = string
  nullable    = false
}

variable "monthly" {
  description = "Spending a month."
  type        = number
  nullable    = false
}

variable "name" {
  description = "The budget's name."
  type        = string
  nullable    = false
}
