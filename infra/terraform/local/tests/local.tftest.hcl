# /bin/true stands for wcctl: it makes nothing.
variables {
  cluster        = "lab"
  wcctl          = "/bin/true"
  state_dir      = "/var/lib/wastecoach/lab"
  subnet         = "10.80.0.0/24"
  authorized_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ7 me@here"
  reservations = {
    "lab-control-plane" = { id = "a1", ssh_port = 20022, api_port = 26443 }
    "lab-worker-1"      = { id = "b1", ssh_port = 20122 }
    "lab-worker-2"      = { id = "c1", ssh_port = 20222 }
  }
}

run "made" {
  assert {
    condition = jsonencode(output.machines) == jsonencode([
      {
        name           = "lab-control-plane"
        role           = "control-plane"
        address        = "10.80.0.11"
        public_address = ""
        api_address    = "127.0.0.1:26443"
        edge           = false
        architecture   = "amd64"
        ssh            = { host = "127.0.0.1", port = 20022, user = "root", proxy_command = "" }
      },
      {
        name           = "lab-worker-1"
        role           = "worker"
        address        = "10.80.0.12"
        public_address = ""
        api_address    = ""
        edge           = true
        architecture   = "amd64"
        ssh            = { host = "127.0.0.1", port = 20122, user = "root", proxy_command = "" }
      },
      {
        name           = "lab-worker-2"
        role           = "worker"
        address        = "10.80.0.13"
        public_address = ""
        api_address    = ""
        edge           = false
        architecture   = "amd64"
        ssh            = { host = "127.0.0.1", port = 20222, user = "root", proxy_command = "" }
      },
    ])
    error_message = "The machines are not as reserved: ${jsonencode(output.machines)}"
  }
}

# A removed worker's number and address are not given again, and the others keep theirs.
run "without_a_removed_worker" {
  variables {
    retired_workers = [1]
    reservations = {
      "lab-control-plane" = { id = "a1", ssh_port = 20022, api_port = 26443 }
      "lab-worker-2"      = { id = "c1", ssh_port = 20222 }
      "lab-worker-3"      = { id = "d1", ssh_port = 20322 }
    }
  }

  assert {
    condition     = jsonencode(output.machines[*].name) == jsonencode(["lab-control-plane", "lab-worker-2", "lab-worker-3"])
    error_message = "The names are ${jsonencode(output.machines[*].name)}"
  }
  assert {
    condition     = jsonencode(output.machines[*].address) == jsonencode(["10.80.0.11", "10.80.0.13", "10.80.0.14"])
    error_message = "The addresses are ${jsonencode(output.machines[*].address)}"
  }
  assert {
    condition     = jsonencode(output.machines[*].edge) == jsonencode([false, true, false])
    error_message = "The first worker that is left must be the edge."
  }
}
