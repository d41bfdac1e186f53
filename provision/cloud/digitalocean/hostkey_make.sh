# key: the host key file, born: the key that the droplet was made with. This prints the key that is to be shown: a new one, or the one
# that an earlier run has made.
if [ "$(cut -d' ' -f1,2 "$key.pub")" = "$born" ]; then
	[ -s "$key.provision.pub" ] || { rm -f "$key.provision"; ssh-keygen -q -t ed25519 -N '' -C "$(uname -n)" -f "$key.provision" </dev/null; }
	cat "$key.provision.pub"
else
	cat "$key.pub"
fi
