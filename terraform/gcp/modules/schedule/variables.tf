variable "name" {
  description = "Prefix and environment: the first part of every name."
  type        = string
  nullable    = false
}

variable "project" {
  description = "Project id."
  type        = string
  nullable    = false
}

variable "push" {
  description = "Where each service is called and as whom, by service."
  type = map(object({
    audience = string
    email    = string
    endpoint = string
  }))
  nullable = false
}

variable "region" {
  description = "Region of the jobs."
  type        = string
  nullable    = false
}

variable "services" {
  description = "The services that are triggered by the clock, as the topology declares them, by name."
  type = map(object({
    every_s = number
    limits = object({
      timeout_s = number
    })
  }))
  nullable = false

  validation {
    condition     = alltrue([for service in values(var.services) : contains([1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60], service.every_s / 60)])
    error_message = "services must have an every_s of whole minutes that divide an hour: Cloud Scheduler takes cron expressions (cloud.google.com/scheduler/docs/configuring/cron-job-schedules)."
  }

  validation {
    condition     = alltrue([for service in values(var.services) : service.limits.timeout_s >= 15 && service.limits.timeout_s <= 1800])
    error_message = "limits.timeout_s must be 15 to 1800: Cloud Scheduler's attempt deadlines (cloud.google.com/scheduler/docs/reference/rest/v1/projects.locations.jobs)."
  }
}
