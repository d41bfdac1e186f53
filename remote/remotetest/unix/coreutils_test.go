package unix

import "testing"

func TestProgramsDoWhatRealOnesDo(t *testing.T) {
	t.Parallel()
	requireDash(t)
	for name, scripts := range map[string][]string{
		"making": {
			`mkdir a; mkdir a; echo $?; mkdir -p a/b/c a; echo $?; mkdir x/y; echo $?; touch f; mkdir -p f; echo $?; mkdir -p f/g; echo $?; mkdir -m 700 m; mkdir -p -m 0750 p/q; stat -c '%a %F %n' a a/b m p p/q`,
			`umask 077; mkdir -p u/v; stat -c '%a %n' u u/v; mkdir -pm 755 w; stat -c %a w; mkdir; echo $?; mkdir -- -d; ls`,
			`f=$(mktemp ./x.XXXXXX); stat -c '%a %s' "$f"; d=$(mktemp -d ./y.XXXXXX); stat -c '%a %F' "$d"; case $f in ./x.??????) echo name;; esac; mktemp nosuch/x.XXXXXX; echo $?; mktemp ./xx; echo $?; case $(mktemp) in /tmp/tmp.??????????) echo default;; esac`,
			`touch a b; touch -c nosuch; ls; touch nosuch/x; echo $?`,
			`ln -s a l; readlink l; ln -s b l; echo $?; ln -sf b l; readlink l; readlink nosuch; echo $?; touch f; readlink f; echo $?; mkdir d; ln -s ../f d/g; cat d/g; ls d`,
			`echo one >f; ln f g; stat -c '%h %s' f g; echo two >>g; cat f; ln f g; echo $?; ln nosuch h; echo $?; mkdir d; ln d e; echo $?; rm f; stat -c %h g`,
		},
		"moving and removing": {
			`echo 1 >a; mv a b; ls; cat b; echo 2 >c; mv -f c b; cat b; mv nosuch x; echo $?; mkdir d; mv b d; ls d; mkdir g; touch i; mv g i; echo $?; mv i g; ls g`,
			`mkdir -p a/b; mv a a/b; echo $?; mv a/. x; echo $?; echo 1 >f; ln -s f l; echo 2 >n; mv -f n l; readlink l; cat f l; mv f f; echo $?; mv a b c nosuch; echo $?`,
			`touch a b; rm a; ls; rm a; echo $?; rm -f a; echo $?; mkdir -p d/e; touch d/e/f; rm d; echo $?; rm -f d; echo $?; rm -r d; echo $?; ls; rm; echo $?; rm -f; echo $?; ls; ln -s b l; rm l; ls; rm -rf . ; echo $?; ls`,
			`mkdir -p a/b; rmdir a; echo $?; rmdir a/b a; echo $?; rmdir nosuch; echo $?; touch f; rmdir f; echo $?; mkdir d; rm -rf nosuch d; ls`,
			`echo 1 >a; cp a b; cat b; chmod 640 a; cp a c; stat -c %a c; cp -p a d; stat -c %a d; cp nosuch x; echo $?; mkdir s t; touch s/f; cp s u; echo $?; cp -r s u; ls u; cp -pr s t; ls t t/s; cp a t/; ls t; ln -s a l; cp -r l m; readlink m; cp l n; cat n; cp a a; echo $?`,
		},
		"owners and modes": {
			`touch f; for m in 600 0755 4755 1777 u+x go-rwx a=r u=rw,go= +x; do chmod $m f; stat -c %a f; done; mkdir d; chmod 1777 d; stat -c %a d; chmod 600 nosuch; echo $?`,
			`touch f; chown 5:6 f; stat -c '%u:%g' f; chown 7 f; chown :8 f; stat -c '%u:%g' f; chown root:root f; stat -c '%u:%g %U:%G' f; chown nosuch f; echo $?; chown 1 nosuch; echo $?; ln -s f l; chown -h 3:4 l; stat -c '%u:%g %n' l f; mkdir -p d/e; chown -R 11:12 d; stat -c '%u:%g' d d/e`,
			`echo abc >f; stat -c '%a %u %g %s %F %n %h %%' f; mkdir d; stat -c '%F %a' d; : >e; stat -c %F e; ln -s f l; stat -c '%F %N' l; stat -c %a nosuch; echo $?; stat -c '%Y' f >/dev/null; stat -c '%n' f d`,
		},
		"reading": {
			`printf 'a\nb\nc\nd\n' >f; head -n 2 f; head -n2 f; head -2 f; head -n -1 f; head -c 3 f; tail -n 2 f; tail -n +3 f; tail -1 f; tail -c 2 f; tail -c +3 f; head -n 1 <f; tail -n 1 nosuch; echo $?; printf x | head -n 3`,
			`printf 'a b\nc\n' >f; wc -l <f; wc -c <f; wc -l f; cat f nosuch; echo $?; cat; cat - <f; cat f f | wc -l; tee g h <f; cat g`,
			`printf 'b\na\nb\nc\n' | sort; printf 'b\na\nb\n' | sort -u; printf 'B\na\nC\n_\n' | sort; printf '' | sort; printf 'no newline' | sort`,
			`echo 'a:b:c' | cut -d: -f2; echo 'a:b:c' | cut -d: -f1,3; echo 'a:b:c' | cut -d : -f 2-; echo abcdef | cut -c2-4; echo abcdef | cut -c-2,5; echo nodelim | cut -d: -f2; printf 'a\tb\n' | cut -f2; echo abc | cut -c1-64`,
			`echo hello | tr a-y b-z; echo hello | tr -d l; echo 'a  b' | tr -s ' '; echo abc | tr abc xy; echo 'a b' | tr ' ' '\n'; printf 'a\0b' | tr '\0' '|'; echo abc | tr '[:lower:]' '[:upper:]'; echo x-y | tr -- - _`,
			`echo hi >f; sha256sum f; sha256sum <f; cat f | sha256sum | cut -c1-64; sha256sum nosuch; echo $?; touch 'a\b'; sha256sum 'a\b'`,
			`echo a >f; echo a >g; echo b >h; cmp f g; echo $?; cmp f h; echo $?; cmp -s f h; echo $?; cmp -s f nosuch; echo $?; printf ab >i; printf abc >j; cmp i j; echo $?; cmp - f <g; echo $?`,
			`printf 'hello' | base64; seq 1 60 | base64 -w 0; seq 1 60 | base64`,
			`printf abc | dd bs=64k count=1 status=none; printf abcdef | { dd bs=2 count=1 status=none; dd bs=1k count=1 status=none; }; printf '' | dd bs=4 count=1 status=none; echo $?`,
			`(printf one; sleep 0.3; printf two) | while part=$(dd bs=64k count=1 status=none; echo .); [ "$part" != . ]; do echo "$part"; sleep 0.1; done`,
			`seq 3; seq 2 4`,
		},
		"searching": {
			`printf 'foo\nbar\nfoobar\n' >f; grep foo f; grep -c foo f; grep -v foo f; grep -x foo f; grep -q foo f; echo $?; grep -q zzz f; echo $?; grep -F 'o' f; grep -E '^(foo|bar)$' f; grep zzz nosuch; echo $?; grep -s zzz nosuch; echo $?; grep -qs foo nosuch f; echo $?; grep -o o+ f; grep -oE 'o+' f`,
			`printf 'a.c\nabc\n' >f; grep 'a.c' f; grep -F a.c f; grep 'a\.c' f; grep -e abc -e 'a\.' f; grep 'ab*c' f; grep -E 'ab?c' f; grep '[b.]c$' f; cp f g; grep abc f g; grep -h abc f g; printf 'x(y)\n' | grep 'x(y)'; printf 'x+y\n' | grep 'x+y'; printf 'a\n' | grep -c b; echo $?`,
			`mkdir -p d/e; echo needle >d/e/f; echo no >d/g; grep -r needle d; grep -rh needle d; echo $?`,
			`printf 'a\nb\nc\n' >f; sed -n 2p f; sed -n '2,3p' f; sed 2d f; sed '$d' f; sed -n '$p' f; sed 's/b/X/' f; sed -n 's/b/X/p' f; sed '/b/d' f; sed -n '/b/p' f; sed 2q f; echo aaa | sed s/a/b/g; echo a/b | sed 's|/|-|'; echo abc | sed 's/\(a\)\(b\)/\2\1/'; echo abc | sed -E 's/(a)(b)/\2\1/'; echo abc | sed 's/b/[&]/'; echo x | sed -e s/x/y/ -e s/y/z/; sed -n '/a/,/b/p' f; printf 'no nl' | sed s/n/N/`,
			`mkdir -p a/b; touch a/f a/b/g a/b/h.x; find a -type f | sort; find a -type d | sort; find a -name '*.x'; find a -maxdepth 1 | sort; find a -type f ! -name '*.x' | sort; find nosuch; echo $?; find a | sort; find a/ -name g; find . -maxdepth 1 -name a; ln -s a l; find l; find l/ -name g`,
			`mkdir d; touch d/b d/a d/.c; ls d; ls nosuch; echo $?; ls d/a nosuch; ls -d d; ls d d/a; ls -l d/a | cut -c1-12; mkdir e; ls e`,
			`ln -s b a; ln -s c b; readlink -f a; mkdir d; readlink -f d/../d/x; readlink -f nosuch/x; echo $?; cd d; readlink -f ..`,
		},
		"processes": {
			`A=2 env | grep '^A='; env B=3 sh -c 'echo $B'; env nosuch; echo $?; env false; echo $?`,
			`stty size; echo $?; stty sane; echo $?; stty 2>&1 | cut -c1-24; [ -t 0 ] || echo no terminal`,
			`timeout 5 true; echo $?; timeout 5 sh -c 'exit 7'; echo $?; timeout 5 nosuch; echo $?; timeout 0 echo y; timeout; echo $?; timeout x true; echo $?; timeout 5 cat </dev/null; echo $?`,
			`timeout 0.2 sleep 20; echo $?; timeout 0.2 sh -c 'trap "exit 3" TERM; while :; do sleep 0.05; done'; echo $?`,
			`flock -n l echo held; stat -c '%s' l; flock -n l sh -c 'flock -n l echo no; echo $?; flock -n -E 75 l echo no; echo $?'; flock -n l echo free; exec 9>l; flock -n 9; echo $?; flock -n l echo no; echo $?; exec 9>&1; flock -n l echo again; flock -n nosuch/l true; echo $?; flock -n l sh -c 'exit 9'; echo $?`,
			`flock -n l sh -c 'sleep 0.3 & echo left'; flock -n l echo no; echo $?; sleep 0.5; flock -n l echo freed`,
			`id -u; id -un; uname -s; uname; case $(date +%s) in ??????????) echo now;; esac; case $(date +%s.%N) in *.?????????) echo nano;; esac; getent passwd root | cut -d: -f1,3; getent passwd nosuch; echo $?; getent passwd nosuch 0 | cut -d: -f1; getent passwd nosuch root >/dev/null; echo $?; getent group root`,
			`sh -c 'echo $PPID' >/dev/null; cut -d' ' -f1 /proc/self/stat >/dev/null 2>&1; s=$(cut -d' ' -f22 /proc/$$/stat); [ "$s" -gt 0 ] && echo start; cat /proc/$$/comm; tr '\0' ' ' </proc/$$/cmdline | cut -c1-5; [ -d /proc/$$ ] && echo there; [ -e /proc/999999 ]; echo $?`,
			`script -qefc 'echo a; echo b >&2; echo c >f; exit 7' /dev/null </dev/null; echo $?; cat f; script -qc 'exit 7' /dev/null </dev/null; echo $?; SHELL=/bin/sh a='b c' script -qefc 'exec printf "%s\n" "$a"' /dev/null </dev/null | tr '\r' '|'; timeout 0.5 script -qefc 'sleep 20' /dev/null </dev/null >/dev/null; echo $?`,
			`sync; echo $?; touch f; sync f; sync nosuch; echo $?; true; false; echo $?; /bin/true; /usr/bin/false; echo $?; /usr/bin/printf '%s\n' a; /usr/bin/[ a = b ]; echo $?; /bin/sh -c 'echo sh'; nosuch; echo $?`,
			`df -P -k . | head -1 | tr -s " "; df -P -k . | wc -l; df -Pk . | tail -1 | tr -s ' ' | cut -d' ' -f2- | tr -d '0-9' ; df -P nosuch; echo $?; grep -c '^MemTotal:' /proc/meminfo; head -c 0 /proc/net/tcp; head -n 1 /proc/net/route | cut -f1,2`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, s := range scripts {
				compare(t, s)
			}
		})
	}
}
