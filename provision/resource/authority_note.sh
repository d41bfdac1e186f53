# authoritynote DIR prints the digest of the three files of an authority.
authoritynote() { for x in root.crt intermediate.crt intermediate.key; do sha256sum <"$1/$x"; done | sha256sum | cut -c1-64; }
