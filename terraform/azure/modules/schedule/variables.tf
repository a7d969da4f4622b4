variable "action_group_id" {
  description = "Id of the action group that is told."
  type        = string
  nullable    = false
}

variable "location" {
  description = "Azure region."
  type        = string
  nullable    = false
}

variable "name" {
  description = "What every name begins with: prefix and environment."
  type        = string
  nullable    = false
}

variable "resource_group_name" {
  description = "Name of the resource group."
  type        = string
  nullable    = false
}

variable "tags" {
  description = "Tags of every resource that takes them."
  type        = map(string)
  nullable    = false
}

variable "timers" {
  description = "Timers by service: how often which function app runs."
  type = map(object({
    every_seconds = number
    function_name = string
  }))
  nullable = false

  # orderflow_azure makes the timer from the same topology, as a cron expression of minutes.
  validation {
    condition     = alltrue([for timer in values(var.timers) : contains([for minutes in [1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30] : minutes * 60], timer.every_seconds)])
    error_message = "every_s must be a number of minutes that divides the hour: 60, 120, 180, 240, 300, 360, 600, 720, 900, 1200 or 1800."
  }
}

variable "workspace_id" {
  description = "Id of the Log Analytics workspace that knows every run."
  type        = string
  nullable    = false
}
