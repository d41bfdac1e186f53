# below: Docker's repository, families: a word ID=MANAGER:PATH:FIELD per family, where FIELD of os-release names the release, only: not empty
# where Docker's repository is the only way to Docker, distro: a word ID:VERSION per release that has packages of its own. This is
# the body of a function, as are look_MANAGER.
[ -r /etc/os-release ] || return
ID='' VERSION_ID='' m='' there='' t=''
. /etc/os-release
for f in $families; do case $f in "$ID="*) m=${f#*=} ;; esac; done
[ -n "$m" ] || return
p=${m#*:}
eval "c=\${${m##*:}:-}"
c=${c%%.*} b=$below/${p%:*}
case " $distro " in *" $ID:$VERSION_ID "*) only='' ;; esac
"look_${m%%:*}"
[ -z "$t" ] || rm -rf "$t"
