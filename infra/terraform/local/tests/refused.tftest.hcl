# Each run has one fault that the module must refuse.
variables {
  cluster        = "lab"
  wcctl          = "/bin/true"
  state_dir      = "/var/lib/wastecoach/lab"
  authorized_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ7 me@here"
  reservations = {
    "lab-control-plane" = { id = "a1", ssh_port = 20022, api_port = 26443 }
    "lab-worker-1"      = { id = "b1", ssh_port = 20122 }
    "lab-worker-2"      = { id = "c1", ssh_port = 20222 }
  }
}

run "bad_cluster" {
  command = plan
  variables {
    cluster = "-lab"
  }
  expect_failures = [var.cluster]
}

run "relative_program" {
  command = plan
  variables {
    wcctl = "wcctl"
  }
  expect_failures = [var.wcctl]
}

run "relative_state" {
  command = plan
  variables {
    state_dir = ".wastecoach"
  }
  expect_failures = [var.state_dir]
}

run "no_worker" {
  command = plan
  variables {
    workers = 0
  }
  expect_failures = [var.workers]
}

run "half_a_worker" {
  command = plan
  variables {
    workers = 1.5
  }
  expect_failures = [var.workers]
}

run "host_bits" {
  command = plan
  variables {
    subnet = "10.77.0.1/24"
  }
  expect_failures = [var.subnet]
}

run "ipv6" {
  command = plan
  variables {
    subnet = "fd00::/64"
  }
  expect_failures = [var.subnet]
}

run "small_subnet" {
  command = plan
  variables {
    subnet = "10.77.0.0/29"
  }
  expect_failures = [var.subnet]
}

run "small_disk" {
  command = plan
  variables {
    disk_gib = 1
  }
  expect_failures = [var.disk_gib]
}

run "no_key" {
  command = plan
  variables {
    authorized_key = "ssh-ed25519"
  }
  expect_failures = [var.authorized_key]
}

run "two_keys" {
  command = plan
  variables {
    authorized_key = "ssh-ed25519 AAAA\nssh-ed25519 BBBB"
  }
  expect_failures = [var.authorized_key]
}

run "bad_architecture" {
  command = plan
  variables {
    architecture = "x86_64"
  }
  expect_failures = [var.architecture]
}

run "too_few_reservations" {
  command = plan
  variables {
    workers = 3
  }
  expect_failures = [var.reservations]
}

run "no_ssh_port" {
  command = plan
  variables {
    reservations = {
      "lab-control-plane" = { id = "a1", ssh_port = 20022, api_port = 26443 }
      "lab-worker-1"      = { id = "b1", ssh_port = 0 }
      "lab-worker-2"      = { id = "c1", ssh_port = 20222 }
    }
  }
  expect_failures = [var.reservations]
}

run "no_api_port" {
  command = plan
  variables {
    reservations = {
      "lab-control-plane" = { id = "a1", ssh_port = 20022 }
      "lab-worker-1"      = { id = "b1", ssh_port = 20122 }
      "lab-worker-2"      = { id = "c1", ssh_port = 20222 }
    }
  }
  expect_failures = [var.reservations]
}
