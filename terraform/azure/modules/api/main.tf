# On Azure the door is the function's own HTTP trigger: the platform ends TLS in front of it, the function checks the
# token (orderflow.auth). What it lets in at once is instances times requests per instance; beyond it requests wait.
locals {
  # Requests that one small instance serves at a time. They wait for tables most of their time.
  requests_per_instance = 10
}
