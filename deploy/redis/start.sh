#!/bin/sh
# Starts Redis with the users of users.acl: the passwords of the two roles come from the
# environment, and stand in no argument and no file. More arguments are redis-server's.
# TLS, and no port without TLS, if the environment names these files:
#   REDIS_TLS_CERT, REDIS_TLS_KEY   this server's certificate and its key, as PEM files
#   REDIS_TLS_CA                    the CA of the clients' certificates
#   REDIS_TLS_VERIFY                yes: every client shows a certificate of that CA (default)
set -eu
for name in REDIS_PRODUCER_PASSWORD REDIS_WORKER_PASSWORD; do
	eval "[ -n \"\${$name:-}\" ]" || { echo "start.sh: $name is empty: set a password" >&2; exit 2; }
done
if [ -n "${REDIS_TLS_CERT:-}${REDIS_TLS_KEY:-}${REDIS_TLS_CA:-}" ]; then
	for name in REDIS_TLS_CERT REDIS_TLS_KEY REDIS_TLS_CA; do
		eval "file=\${$name:-}"
		[ -r "$file" ] || { echo "start.sh: $name is '$file', which cannot be read: name a PEM file, or set none of the three" >&2; exit 2; }
	done
	set -- --port 0 --tls-port 6379 --tls-cert-file "$REDIS_TLS_CERT" --tls-key-file "$REDIS_TLS_KEY" \
		--tls-ca-cert-file "$REDIS_TLS_CA" --tls-auth-clients "${REDIS_TLS_VERIFY:-yes}" "$@"
fi
hash() { printf %s "$1" | sha256sum | cut -d ' ' -f 1; }
producer=$(hash "$REDIS_PRODUCER_PASSWORD")
worker=$(hash "$REDIS_WORKER_PASSWORD")
unset REDIS_PRODUCER_PASSWORD REDIS_WORKER_PASSWORD
users=$(mktemp) # readable by its owner alone
sed -e "s/#PRODUCER/#$producer/" -e "s/#WORKER/#$worker/" "$(dirname "$0")/users.acl" > "$users"
exec redis-server --save "" --appendonly no --maxmemory 64mb --maxmemory-policy noeviction --aclfile "$users" "$@"
