#!/bin/sh
# Takes a backup into a new folder of DIR, and keeps KEEP of them, the new one included:
#   backup.sh DIR KEEP
# A folder has the time as its name. Folders with other names are left alone.
set -eu
dir=$1 keep=$2
for name in $(ls -r "$dir" | grep -E '^[0-9]{8}T[0-9]{6}Z$'); do # the newest first
	if [ -f "$dir/$name/manifest.json" ]; then
		keep=$((keep - 1))
		[ "$keep" -le 0 ] || continue
	# Without a manifest it is no backup. Another job may be writing it, for six hours at most
	# (activeDeadlineSeconds in backup.yaml).
	elif [ -z "$(find "$dir/$name" -prune -mmin +720)" ]; then
		continue
	fi
	echo "removing $dir/$name"
	rm -rf "$dir/$name/manifest.json" "$dir/$name" # from its first file on it is no backup
done
# With the scores: a fleet that is restored without them fetches every file again.
exec producer backup "$dir/$(date -u +%Y%m%dT%H%M%SZ)" --scores
