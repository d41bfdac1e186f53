# authorityname DIR prints the name of the authority in DIR. It needs authority_note.sh.
authorityname() { authoritynote "$1" | cut -c1-16; }
