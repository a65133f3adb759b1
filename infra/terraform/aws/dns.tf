# On the machines the endpoint is in /etc/hosts; this record is for clients outside.
resource "aws_route53_record" "endpoint" {
  count = var.zone_id == "" ? 0 : 1

  zone_id = var.zone_id
  name    = var.endpoint
  type    = "A"
  ttl     = 300
  records = [aws_eip.edge.public_ip]
}
