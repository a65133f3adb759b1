output "machines" {
  description = "What the later phases know of each machine; internal/wcctl/fleet has its type."
  value       = [for name in local.names : terraform_data.machine[name].output]
}
