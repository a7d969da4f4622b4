variable "name" {
  description = "Begins every name: prefix and environment."
  type        = string
  nullable    = false
}

variable "role_boundary_arn" {
  description = "Permissions boundary of every role, or null."
  type        = string
}

variable "schedules" {
  description = "Schedules by service: the function to call, and the seconds between two calls."
  type = map(object({
    every_s      = number
    function_arn = string
  }))
  nullable = false

  # docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
  validation {
    condition     = alltrue([for schedule in values(var.schedules) : schedule.every_s >= 60 && schedule.every_s % 60 == 0])
    error_message = "every_s of a scheduled service must be whole minutes: the scheduler knows nothing shorter."
  }

  validation {
    condition     = alltrue([for service in keys(var.schedules) : length("${var.name}-${service}-schedule") <= 64])
    error_message = "A role's name has 64 characters at most."
  }
}

variable "scope" {
  description = "Where this is: what ARNs are made of."
  type = object({
    account_id = string
    partition  = string
    region     = string
  })
  nullable = false
}
