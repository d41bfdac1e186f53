# statsecret FILE answers for a file with a secret. Its digest is salted with the run's nonce: equal on two hosts in one run,
# useless after.
statsecret() {
	if [ -L "$1" ]; then v link "$1"; yes
	elif [ -f "$1" ]; then
		if st=$(stat -c '%u %a %s %g' "$1" "${1%/*}" 2>&1) && sum=$({ printf '%s' "$N"; cat "$1"; } | sha256sum); then
			v dir "${st#*
}"; st=${st%%
*}; v stat "${st% *}"; v sum "${sum%% *}"; yes
		else unknown "$st"; fi
	elif [ -e "$1" ]; then unknown "$1 exists and is not a file"
	else no; fi
}
