terraform {
  # Only the built-in provider is used, so init downloads nothing.
  required_version = ">= 1.11.0"
}
