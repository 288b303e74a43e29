#!/bin/sh
# Starts Redis with the users of users.acl: the passwords of the two roles come from the
# environment, and stand in no argument and no file. More arguments are redis-server's.
set -eu
hash() { printf %s "$1" | sha256sum | cut -d ' ' -f 1; }
producer=$(hash "${REDIS_PRODUCER_PASSWORD:?}")
worker=$(hash "${REDIS_WORKER_PASSWORD:?}")
unset REDIS_PRODUCER_PASSWORD REDIS_WORKER_PASSWORD
users=$(mktemp) # readable by its owner alone
sed -e "s/#PRODUCER/#$producer/" -e "s/#WORKER/#$worker/" "$(dirname "$0")/users.acl" > "$users"
exec redis-server --save "" --appendonly no --maxmemory 64mb --maxmemory-policy noeviction --aclfile "$users" "$@"
