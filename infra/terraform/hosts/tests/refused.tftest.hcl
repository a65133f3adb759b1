# Each run has one fault that the module must refuse.

run "unknown_role" {
  command = plan
  variables {
    cluster = "rack"
    machines = [
      {
        name            = "a"
        role            = "control-plane"
        address         = "10.0.0.1"
        private_address = "10.0.0.1"
        ssh_user        = "root"
        architecture    = "amd64"
      },
      {
        name            = "b"
        role            = "worker"
        address         = "10.0.0.2"
        private_address = "10.0.0.2"
        ssh_user        = "root"
        architecture    = "amd64"
        edge            = true
      },
      {
        name            = "c"
        role            = "etcd"
        address         = "10.0.0.3"
        private_address = "10.0.0.3"
        ssh_user        = "root"
        architecture    = "amd64"
        edge            = false
      },
    ]
  }
  expect_failures = [var.machines]
}

run "two_control_planes" {
  command = plan
  variables {
    cluster = "rack"
    machines = [
      {
        name            = "a"
        role            = "control-plane"
        address         = "10.0.0.1"
        private_address = "10.0.0.1"
        ssh_user        = "root"
        architecture    = "amd64"
      },
      {
        name            = "c"
        role            = "control-plane"
        address         = "10.0.0.3"
        private_address = "10.0.0.3"
        ssh_user        = "root"
        architecture    = "amd64"
      },
      {
        name            = "b"
        role            = "worker"
        address         = "10.0.0.2"
        private_address = "10.0.0.2"
        ssh_user        = "root"
        architecture    = "amd64"
        edge            = true
      },
    ]
  }
  expect_failures = [var.machines]
}

run "no_worker" {
  command = plan
  variables {
    cluster = "rack"
    machines = [
      {
        name            = "a"
        role            = "control-plane"
        address         = "10.0.0.1"
        private_address = "10.0.0.1"
        ssh_user        = "root"
        architecture    = "amd64"
      },
    ]
  }
  expect_failures = [var.machines]
}

run "bad_name" {
  command = plan
  variables {
    cluster = "rack"
    machines = [
      {
        name            = "a"
        role            = "control-plane"
        address         = "10.0.0.1"
        private_address = "10.0.0.1"
        ssh_user        = "root"
        architecture    = "amd64"
      },
      {
        name            = "B_1"
        role            = "worker"
        address         = "10.0.0.2"
        private_address = "10.0.0.2"
        ssh_user        = "root"
        architecture    = "amd64"
        edge            = true
      },
    ]
  }
  expect_failures = [var.machines]
}

run "same_name" {
  command = plan
  variables {
    cluster = "rack"
    machines = [
      {
        name            = "a"
        role            = "control-plane"
        address         = "10.0.0.1"
        private_address = "10.0.0.1"
        ssh_user        = "root"
        architecture    = "amd64"
      },
      {
        name            = "a"
        role            = "worker"
        address         = "10.0.0.2"
        private_address = "10.0.0.2"
        ssh_user        = "root"
        architecture    = "amd64"
        edge            = true
      },
    ]
  }
  expect_failures = [var.machines]
}

run "address_is_no_ipv4" {
  command = plan
  variables {
    cluster = "rack"
    machines = [
      {
        name            = "a"
        role            = "control-plane"
        address         = "10.0.0.1"
        private_address = "10.0.0.1"
        ssh_user        = "root"
        architecture    = "amd64"
      },
      {
        name            = "b"
        role            = "worker"
        address         = "10.0.0.2"
        private_address = "node.example.org"
        ssh_user        = "root"
        architecture    = "amd64"
        edge            = true
      },
    ]
  }
  expect_failures = [var.machines]
}

run "same_address" {
  command = plan
  variables {
    cluster = "rack"
    machines = [
      {
        name            = "a"
        role            = "control-plane"
        address         = "10.0.0.1"
        private_address = "10.0.0.1"
        ssh_user        = "root"
        architecture    = "amd64"
      },
      {
        name            = "b"
        role            = "worker"
        address         = "10.0.0.2"
        private_address = "10.0.0.1"
        ssh_user        = "root"
        architecture    = "amd64"
        edge            = true
      },
    ]
  }
  expect_failures = [var.machines]
}

run "no_user" {
  command = plan
  variables {
    cluster = "rack"
    machines = [
      {
        name            = "a"
        role            = "control-plane"
        address         = "10.0.0.1"
        private_address = "10.0.0.1"
        ssh_user        = "root"
        architecture    = "amd64"
      },
      {
        name            = "b"
        role            = "worker"
        address         = "10.0.0.2"
        private_address = "10.0.0.2"
        ssh_user        = ""
        architecture    = "amd64"
        edge            = true
      },
    ]
  }
  expect_failures = [var.machines]
}

run "bad_port" {
  command = plan
  variables {
    cluster = "rack"
    machines = [
      {
        name            = "a"
        role            = "control-plane"
        address         = "10.0.0.1"
        private_address = "10.0.0.1"
        ssh_user        = "root"
        architecture    = "amd64"
      },
      {
        name            = "b"
        role            = "worker"
        address         = "10.0.0.2"
        private_address = "10.0.0.2"
        ssh_user        = "root"
        architecture    = "amd64"
        edge            = true
        ssh_port        = 70000
      },
    ]
  }
  expect_failures = [var.machines]
}

run "bad_architecture" {
  command = plan
  variables {
    cluster = "rack"
    machines = [
      {
        name            = "a"
        role            = "control-plane"
        address         = "10.0.0.1"
        private_address = "10.0.0.1"
        ssh_user        = "root"
        architecture    = "amd64"
      },
      {
        name            = "b"
        role            = "worker"
        address         = "10.0.0.2"
        private_address = "10.0.0.2"
        ssh_user        = "root"
        architecture    = "x86_64"
        edge            = true
      },
    ]
  }
  expect_failures = [var.machines]
}

run "no_edge" {
  command = plan
  variables {
    cluster = "rack"
    machines = [
      {
        name            = "a"
        role            = "control-plane"
        address         = "10.0.0.1"
        private_address = "10.0.0.1"
        ssh_user        = "root"
        architecture    = "amd64"
      },
      {
        name            = "b"
        role            = "worker"
        address         = "10.0.0.2"
        private_address = "10.0.0.2"
        ssh_user        = "root"
        architecture    = "amd64"
        edge            = false
      },
    ]
  }
  expect_failures = [var.machines]
}

run "two_edges" {
  command = plan
  variables {
    cluster = "rack"
    machines = [
      {
        name            = "a"
        role            = "control-plane"
        address         = "10.0.0.1"
        private_address = "10.0.0.1"
        ssh_user        = "root"
        architecture    = "amd64"
      },
      {
        name            = "b"
        role            = "worker"
        address         = "10.0.0.2"
        private_address = "10.0.0.2"
        ssh_user        = "root"
        architecture    = "amd64"
        edge            = true
      },
      {
        name            = "c"
        role            = "worker"
        address         = "10.0.0.3"
        private_address = "10.0.0.3"
        ssh_user        = "root"
        architecture    = "amd64"
        edge            = true
      },
    ]
  }
  expect_failures = [var.machines]
}

run "edge_control_plane" {
  command = plan
  variables {
    cluster = "rack"
    machines = [
      {
        name            = "a"
        role            = "control-plane"
        address         = "10.0.0.1"
        private_address = "10.0.0.1"
        ssh_user        = "root"
        architecture    = "amd64"
        edge            = true
      },
      {
        name            = "b"
        role            = "worker"
        address         = "10.0.0.2"
        private_address = "10.0.0.2"
        ssh_user        = "root"
        architecture    = "amd64"
        edge            = true
      },
    ]
  }
  expect_failures = [var.machines]
}

run "bad_cluster" {
  command = plan
  variables {
    cluster = "-rack"
    machines = [
      {
        name            = "a"
        role            = "control-plane"
        address         = "10.0.0.1"
        private_address = "10.0.0.1"
        ssh_user        = "root"
        architecture    = "amd64"
      },
      {
        name            = "b"
        role            = "worker"
        address         = "10.0.0.2"
        private_address = "10.0.0.2"
        ssh_user        = "root"
        architecture    = "amd64"
        edge            = true
      },
    ]
  }
  expect_failures = [var.cluster]
}
