# Only the rule set that tflint carries in itself: the one for AWS cannot be had everywhere, and
# internal/wcctl/terraform/standin checks that module against the provider's own schema.
config {
  call_module_type = "local"
}

plugin "terraform" {
  enabled = true
  preset  = "all"
}

# House style: a file stands for a thing, not for a kind of block.
rule "terraform_standard_module_structure" {
  enabled = false
}
