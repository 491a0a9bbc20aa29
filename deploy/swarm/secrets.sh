#!/bin/sh
# Makes the secrets that deploy/swarm/stack.yml names, on a manager of the swarm. Those that are there stay as they are.
#
#   deploy/swarm/secrets.sh HOST [CERTIFICATE.pem KEY.pem]
#
# Without a certificate one is made for HOST that no browser trusts: for trying. PORTCULLIS_SECRETS is the prefix of all
# names (default: portcullis), as in the stack file.
set -eu

host=${1:-}
[ -n "$host" ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
prefix=${PORTCULLIS_SECRETS:-portcullis}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

# Nothing of a secret is an argument of a program: those can be read by everybody on this host.
make_secret() { # NAME, its content on standard input
    if docker secret inspect "${prefix}_$1" >/dev/null 2>&1; then
        echo "${prefix}_$1 is there"
        cat >/dev/null
    else
        docker secret create "${prefix}_$1" - >/dev/null
        echo "${prefix}_$1 is made"
    fi
}

# 32 random bytes in base64url without padding.
key() { head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=\n'; }

key | make_secret assertion_key
key | make_secret sealing_key

# Two secrets with the same password: the database's own, and that of those who connect.
if docker secret inspect "${prefix}_pgpass" >/dev/null 2>&1 || docker secret inspect "${prefix}_postgres_password" >/dev/null 2>&1; then
    echo "${prefix}_pgpass and ${prefix}_postgres_password are there"
else
    (umask 077; key > "$work/password")
    make_secret postgres_password < "$work/password"
    { printf '*:*:*:*:'; cat "$work/password"; } | make_secret pgpass
fi

if [ $# -ge 3 ]; then
    make_secret tls_certificate < "$2"
    make_secret tls_key < "$3"
elif ! docker secret inspect "${prefix}_tls_certificate" >/dev/null 2>&1; then
    (umask 077; openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$host" \
        -addext "subjectAltName=DNS:$host" -keyout "$work/tls.key" -out "$work/tls.pem" 2>"$work/openssl") \
        || { cat "$work/openssl" >&2; exit 1; }
    make_secret tls_certificate < "$work/tls.pem"
    make_secret tls_key < "$work/tls.key"
    echo "The certificate is one for trying: give one of your own as the second and third argument."
fi
