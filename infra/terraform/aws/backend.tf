terraform {
  # Bucket, key and region come from wcctl (spec.aws.stateBucket). Where no bucket is named, wcctl
  # overrides this with the local backend and the state stays in .wastecoach/.
  backend "s3" {
    encrypt      = true
    use_lockfile = true
  }
}
