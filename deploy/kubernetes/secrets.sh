#!/bin/sh
# Prints the secrets that the manifests here name, each made anew:
#
#   deploy/kubernetes/secrets.sh 'postgres://portcullis:PASSWORD@HOST/portcullis' CERTIFICATE.pem KEY.pem | kubectl apply -f -
#
# Once: other keys than those before end every session and make the signing keys in the database unreadable.
set -eu

[ $# -eq 3 ] || { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }

# 32 random bytes in base64url without padding.
key() { head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=\n'; }
# Secrets stand in base64 in a manifest, on one line.
coded() { base64 | tr -d '\n'; }
url=$(printf '%s' "$1" | coded)
certificate=$(coded < "$2")
private=$(coded < "$3")

cat <<END
# With what the edges sign identities for the instances, and with what those seal the signing keys in the database.
apiVersion: v1
kind: Secret
metadata:
  name: keys
  namespace: portcullis
type: Opaque
data:
  assertion.key: $(key | coded)
  sealing.key: $(key | coded)
---
apiVersion: v1
kind: Secret
metadata:
  name: database
  namespace: portcullis
type: Opaque
data:
  url: $url
---
apiVersion: v1
kind: Secret
metadata:
  name: tls
  namespace: portcullis
type: kubernetes.io/tls
data:
  tls.crt: $certificate
  tls.key: $private
END
