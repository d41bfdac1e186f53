# key: the host key file. This puts the new key in place, if it is not there yet, and has sshd read it.
if [ -s "$key.provision" ]; then mv -f "$key.provision" "$key"; mv -f "$key.provision.pub" "$key.pub"; sync /etc/ssh; fi
systemctl reload ssh 2>/dev/null || systemctl reload sshd
