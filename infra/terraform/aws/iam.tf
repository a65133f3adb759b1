data "aws_partition" "current" {}

locals {
  # Session Manager's least: no run command, no reading of parameters.
  session_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect = "Allow"
      Action = [
        "ssm:UpdateInstanceInformation",
        "ssmmessages:CreateControlChannel",
        "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel",
        "ssmmessages:OpenDataChannel",
      ]
      Resource = "*"
    }]
  })

  photos_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
        Resource = [for prefix in local.photo_prefixes : "${aws_s3_bucket.photos.arn}/${prefix}*"]
      },
      {
        # Asking whether the bucket is there; and S3 says 404, not 403, of a missing object.
        Effect   = "Allow"
        Action   = "s3:ListBucket"
        Resource = aws_s3_bucket.photos.arn
      },
    ]
  })
}

# "control" is short: a role's name has 64 characters at most.
resource "aws_iam_role" "machine" {
  for_each = toset(["control", "worker"])

  name = "${var.cluster}-${var.region}-${each.key}"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ec2.amazonaws.com" }
    }]
  })
}

resource "aws_iam_instance_profile" "machine" {
  for_each = aws_iam_role.machine

  name = each.value.name
  role = each.value.name
}

resource "aws_iam_role_policy" "session" {
  for_each = aws_iam_role.machine

  name   = "session"
  role   = each.value.name
  policy = local.session_policy
}

resource "aws_iam_role_policy" "photos" {
  name   = "photos"
  role   = aws_iam_role.machine["worker"].name
  policy = local.photos_policy
}

# The EBS CSI controller runs on a worker, in the host's network.
resource "aws_iam_role_policy_attachment" "volumes" {
  role       = aws_iam_role.machine["worker"].name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy"
}
