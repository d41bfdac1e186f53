# d, next: the directories of the authority and of the one that is to follow.
if [ -f "$d/root.crt" ]; then sum=$({ printf '%s' "$N"; roots "$d" "$next"; } | sha256sum); v sum "${sum%% *}"; yes; else no; fi
