#!/bin/sh
# Runs a command if each password of the environment can stand in an address, such as
# nats://worker:PASSWORD@nats:4222, as compose.yaml writes them. One that cannot is named,
# and not shown.
set -eu
LC_ALL=C
for name in $(env | sed -n 's/^\([A-Z_][A-Z0-9_]*_PASSWORD\)=.*/\1/p'); do
	eval "[ \"\${$name+set}\" ]" || continue # a line of another one's value
	eval "value=\$$name"
	case $value in
	'' | *[!A-Za-z0-9._~-]*)
		echo "$name is empty, or has other characters than letters, digits and . _ ~ -" >&2
		echo "Set another one in deploy/.env, such as what this prints: openssl rand -hex 24" >&2
		exit 2 ;;
	esac
done
unset name value
exec "$@"
