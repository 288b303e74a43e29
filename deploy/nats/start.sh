#!/bin/sh
# Starts nats-server with these arguments, such as -c /etc/nats/single.conf. The server
# reads each value of the environment as a piece of its configuration: 12345 and 10k are
# numbers to it, yes is a truth value, and $HOME is a variable. In single quotes each is
# the text that it is.
set -eu
for name in $(env | sed -n 's/^\(NATS_[A-Z0-9_]*\)=.*/\1/p'); do
	eval "[ \"\${$name+set}\" ]" || continue # a line of another one's value
	eval "value=\$$name"
	case $name=$value in
	NATS_TLS_VERIFY=*) continue ;; # a truth value
	*_PASSWORD=)
		echo "start.sh: $name is empty: set a password" >&2
		exit 2 ;;
	*\'*)
		echo "start.sh: $name has a single quote, which nats-server cannot read there: set it without one" >&2
		exit 2 ;;
	esac
	export "$name='$value'"
done
# Variables that the files need and the environment lacks: the server's own message names only
# the variable.
conf=
for arg in "$@"; do
	case $arg in *.conf) conf=$arg ;; esac
done
if [ -r "$conf" ]; then
	included() { (cd "$(dirname "$conf")" && sed -n 's/^ *include *\([a-z.-]*\) *$/\1/p' "$@"); } # each is beside it
	files=$(included "$(basename "$conf")")
	[ -z "$files" ] || files="$files $(included $files)"
	for name in $(cd "$(dirname "$conf")" && sed 's/#.*//' "$(basename "$conf")" $files | grep -o '\$NATS_[A-Z0-9_]*' | sort -u); do
		eval "[ \"\${${name#\$}+set}\" ]" || {
			echo "start.sh: ${name#\$} is not set, and $conf needs it: set it in the environment (docs/scale.md, docs/secure.md)" >&2
			exit 2
		}
	done
fi
# $NATS_STORE is quoted by now.
eval "store=${NATS_STORE:-}"
if [ -n "$store" ] && ! { mkdir -p "$store" && [ -w "$store" ]; }; then
	echo "start.sh: NATS_STORE is $store, which user $(id -u) cannot write: mount a volume there, and give it to this user" >&2
	exit 2
fi
exec nats-server "$@"
