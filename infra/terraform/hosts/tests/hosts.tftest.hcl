variables {
  cluster = "rack"
  machines = [
    {
      name            = "rack-1"
      role            = "control-plane"
      address         = "cp.example.org"
      private_address = "10.0.0.11"
      ssh_user        = "root"
      architecture    = "amd64"
    },
    {
      name            = "rack-3"
      role            = "worker"
      address         = "10.0.0.13"
      private_address = "10.0.0.13"
      ssh_port        = 2222
      ssh_user        = "ubuntu"
      architecture    = "arm64"
      edge            = true
    },
    {
      name            = "rack-2"
      role            = "worker"
      address         = "10.0.0.12"
      private_address = "10.0.0.12"
      ssh_user        = "root"
      architecture    = "amd64"
    },
  ]
}

run "machines_are_as_configured" {
  assert {
    condition = jsonencode(output.machines) == jsonencode([
      {
        name           = "rack-1"
        role           = "control-plane"
        address        = "10.0.0.11"
        public_address = "cp.example.org"
        api_address    = "cp.example.org:6443"
        edge           = false
        architecture   = "amd64"
        ssh            = { host = "cp.example.org", port = 22, user = "root", proxy_command = "" }
      },
      {
        name           = "rack-3"
        role           = "worker"
        address        = "10.0.0.13"
        public_address = ""
        api_address    = ""
        edge           = true
        architecture   = "arm64"
        ssh            = { host = "10.0.0.13", port = 2222, user = "ubuntu", proxy_command = "" }
      },
      {
        name           = "rack-2"
        role           = "worker"
        address        = "10.0.0.12"
        public_address = ""
        api_address    = ""
        edge           = false
        architecture   = "amd64"
        ssh            = { host = "10.0.0.12", port = 22, user = "root", proxy_command = "" }
      },
    ])
    error_message = "The output is not what wastecoach.yaml says: ${jsonencode(output.machines)}"
  }
}

run "behind_a_bastion_nothing_but_ssh_is_reached" {
  variables {
    bastion = true
  }

  assert {
    condition     = alltrue([for m in output.machines : m.api_address == ""])
    error_message = "An address of the API server that nobody here reaches: ${jsonencode(output.machines)}"
  }
  assert {
    condition     = output.machines[0].address == "10.0.0.11"
    error_message = "The login to the control plane goes on to its private address."
  }
}
