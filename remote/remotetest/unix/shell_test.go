package unix

import "testing"

func TestShellDoesWhatDashDoes(t *testing.T) {
	t.Parallel()
	requireDash(t)
	for name, scripts := range map[string][]string{
		"variables": {
			`x=1; echo $x "$x" '$x' ${x}y ${n:-d} ${n-d} ${x:+s} ${#x}; y=a/b/c; echo ${y%/*} ${y%%/*} ${y#*/} ${y##*/}`,
			`echo ${n:=5}; echo $n; unset n; echo "[$n]"; : ${n?gone}; echo not reached`,
			`set -u; echo ${n:-ok}; echo $n; echo not reached`,
			`x='a  b'; echo $x "$x"; set -- $x; echo $#; set -- "$x" c; echo $# "$1" "$2"; shift; echo $1; echo "$@" "$*"`,
			`IFS=,; y=1,2,3; set -- $y; echo $# $2; z="$*"; echo $z; unset IFS; echo "$*"`,
			`A=1 sh -c 'echo $A'; echo "[$A]"; export B=2; sh -c 'echo $B'; A=3 true; echo "[$A]"; A=4 :; echo "[$A]"`,
			`readonly R=1; R=2; echo not reached`,
			`x=$((1 + 2 * 3)); echo $x $((x % 4)) $((x > 3)) $((x << 2)) $((010)) $((0x1f)); i=0; i=$((i + 1)); echo $i $((-x)) $((!x))`,
			`echo {a,b} {1..3} x{; echo "a{b,c}"`,
			`x=~; case $x in /*) echo home;; esac; echo "~"`,
			`x='*'; echo "$x"; touch b a .c; echo *; echo $x; echo [ab]; echo "*" \* z*; set -f; echo *`,
			`mkdir -p d/e d/f; touch d/e/1 d/f/2; echo d/*/*; echo d/*/; cd d; echo */1`,
			`x='it'\''s "a"'; echo "$x" it\'s; y=a\ b\$c\\d; echo "$y"; case 'a*' in a\*) echo star;; esac; echo "${n:-a\b}" "${y%\\*}" ${n:-x\ y}; z=a\
b; echo $z "a\
b"; touch '\a'; echo \\*; x=ü\é; echo "$x"`,
			`x='a*b*c'; echo "${x%'*'*}" "${x%"*c"}" "${x%\**}" ${x#a\*} "${x#"a*"}"; y='[x]/z'; echo ${y#'[x]'} ${y##*/} "${y%/*}"`,
			`printf '%s\n' "$0"; echo $#; echo $?; false; echo $?; [ -n "$$" ] && echo pid`,
			`x=abc; x=$x$x; echo "${x}" ${x%c} "${x%"c"}" ${x%b*} '${x}'`,
		},
		"errexit": {
			`set -e; false; echo not reached`,
			`set -e; false || true; echo a; false && true; echo b; ! true; echo c; if false; then :; fi; echo d; while false; do :; done; echo e`,
			`set -e; f() { false; echo in; }; f || echo caught; echo end; f; echo not reached`,
			`set -e; ! { false; true; }; echo end`,
			`set -e; x=$(false); echo not reached`,
			`set -e; x=$(false) || echo caught; y=$(false; echo still); echo "[$y]"`,
			`set -e; echo $(false) a; if x=$(false); then echo y; else echo n; fi`,
			`set -e; (false; echo in) || echo caught; (exit 3); echo not reached`,
			`set -e; false | true; echo a; true | false; echo not reached`,
			`set -e; { false; echo x; } || echo c; for i in 1 2; do false || continue; done; echo e; [ 1 = 2 ]; echo not reached`,
			`set -e; f() { return 3; }; if f; then :; else echo $?; fi; f; echo not reached`,
			`set -e; sh -c 'exit 7'; echo not reached`,
			`set -eu; t=$(mktemp -d ./XXXXXX); trap 'rm -rf "$t"; echo cleaned' EXIT; test -d "$t"; false; echo not reached`,
			`set -e; eval false || echo caught; case x in x) false;; esac; echo not reached`,
			`set -e; x=1; [ $x = 2 ] && echo no; echo reached; until [ $x = 1 ]; do :; done; echo end`,
		},
		"flow": {
			`for i in 1 2 3; do for j in a b; do [ $j = b ] && continue 2; [ $i = 3 ] && break 2; echo $i$j; done; done; echo $?`,
			`i=0; while [ $i -lt 3 ]; do i=$((i+1)); [ $i = 2 ] && continue; echo $i; done; until [ $i = 0 ]; do i=$((i-1)); done; echo $i`,
			`case abc in b*) echo 1;; a?c) echo 2;; *) echo 3;; esac; case "a b" in "a b") echo q;; esac; case x in y) ;; esac; echo $?; case '*' in \*) echo star;; esac`,
			`case "$(printf 'a\nb')" in *b*) echo in;; esac; x='a*'; case 'a*' in "$x") echo lit;; esac; case abc in $x) echo pat;; esac; case a-b in [!x]-[a-c]) echo set;; esac`,
			`f() { local x=1 y; y=2; g; echo $x $y; }; g() { x=5; }; x=0 y=0; f; echo $x $y`,
			`f() { echo "$# $1"; shift; echo "$@"; return 4; echo no; }; f a 'b c' d; echo $?; echo "$#"`,
			`f() { for i in "$@"; do echo "[$i]"; done; }; f a 'b c' ''; f() { for i; do echo $i; done; }; f x y`,
			`if false; then echo a; elif true; then echo b; else echo c; fi; if true; then :; fi; echo $?; if false; then :; fi; echo $?`,
			`(exit 3); echo $?; (x=1; cd /; echo $x); echo "[$x]"; pwd; { echo a; exit 4; }; echo no`,
			`f() { (exit 5) || return; echo no; }; f; echo $?; true && false || echo or; false && echo no; echo $?`,
			"while read -r l; do case $l in stop) break;; esac; echo \"$l\"; done <<E\na\n  b c\nstop\nd\nE\necho end",
			`eval 'x=1; echo $x'; eval "echo \$x" '$x'; echo 'echo sourced $1; return 3' >f; . ./f; echo $?`,
			`exit 300`, `exit`, `false; exit`, `return 3 2>/dev/null; echo $?`,
			`while :; do break; done; echo $?; for i in; do echo no; done; echo $?; f() { while true; do return 2; done; }; f; echo $?`,
			`nosuchcommand 2>/dev/null; echo $?; ./nosuch 2>/dev/null; echo $?; touch f; ./f 2>/dev/null; echo $?; mkdir d; ./d 2>/dev/null; echo $?`,
			`echo 'echo script $0 $1' >s; chmod +x s; ./s arg; printf '#!/bin/sh\nexit 9\n' >t; chmod 755 t; ./t; echo $?`,
		},
		"pipes and redirections": {
			`echo a | cat; echo a | { read x; echo "got $x"; }; echo b | while read -r l; do q=1; done; echo "[$q]"`,
			`printf 'a\nb\n' | while read -r l; do echo "<$l>"; done | sort; exit 3 | true; echo $?; true | exit 4; echo $?`,
			`echo out; echo err >&2; { echo a; echo b >&2; } 2>&1 | sort; (echo c >&2) 2>/dev/null; echo d >f 2>&1; cat f`,
			"echo a >f; echo b >>f; cat <f; cat <f >g; wc -l <g; : >f; cat f; cat f g - <<E\n$((1+1)) $(echo sub) \\$x\nE\ncat <<'E'\n$((1+1)) $(echo sub)\nE\ncat <<-E\n\ttab $0\n\tE\n",
			`exec 3>f; echo three >&3; exec 3>&-; cat f; exec 4<f; read x <&4; echo $x; { echo five >&5; } 5>g; cat g`,
			`exec 3>&1; x=$(echo captured; echo through >&3); echo "[$x]"; exec 2>&1; echo err >&2; exec >f; echo filed; cat f >&3`,
			`echo a >nosuch/f; echo $?; cat <nosuch; echo $?; : >nosuch/f; echo not reached`,
			`(: >nosuch/f; echo no); echo $?; { echo x >nosuch/f; } 2>/dev/null || echo failed; echo y >nosuch/f && echo no; echo z`,
			`set -C; echo a >f; echo b >f; echo $?; echo c >|f; cat f; echo d >>f; cat f; set +C; echo e >f; cat f`,
			`f() { echo in; echo err >&2; }; f >a 2>b; cat a b; if true; then echo x; fi >c; cat c; for i in 1 2; do echo $i; done >d; cat d; while read l; do echo "<$l>"; done <d`,
			`x=$(printf 'a\n\n\n'); echo "[$x]"; echo "$(echo "a  b")" $(echo "a  b"); echo "x$(exit 3)y" $?; y=$(exit 5); echo $?`,
			"echo `echo a`; echo \"`echo \\`echo nested\\``\"; echo \"$(echo \"in $(echo deep)\")\"",
			`yes_() { while :; do echo y; done; }; yes_ | head -n 2; seq 100000 | head -n 1; echo $?`,
			`cat </dev/null; echo x >/dev/null; head -c 4 /dev/zero | tr '\0' z; echo e 2>/dev/stdout >/dev/null; echo s >/dev/stderr; (echo t >/dev/stderr) 2>&1`,
			"read a b <<E\n  one two  three  \nE\n" + `echo "[$a][$b]"; printf 'no newline' | { read x; echo "$? $x"; }; printf 'a\\b\\\nc\n' | { read x; echo "$x"; }; printf 'a\\b\n' | { read -r x; echo "$x"; }`,
			`echo 'a:b::c:' | { IFS=: read -r w x y z; echo "[$w][$x][$y][$z]"; }; echo 'a|b c|d' | { IFS='|' read -r x y; echo "$x/$y"; }; echo ' x ' | { IFS= read -r x; echo "[$x]"; }`,
			`<f || echo missing; >f; ls; 2>g ls nosuch; cat g | wc -l`,
		},
		"builtins": {
			`printf '%s|' a b c; printf '\n%d %5d|%-5s|%05d %x %o\n' 5 6 ab 42 255 8; printf '%b' 'a\tb\n'; printf '\0' | tr '\0' z; printf '%%\n'; printf 'a\\b\101\n'; printf '%s\n'; printf '%s %s\n' a b c; printf '%c%c\n' ab c`,
			`echo 'a\tb\nc'; echo -n x; echo; echo -e x; echo "a\\b"; echo 'x\\y'`,
			`umask; umask 077; umask; touch f; mkdir d; stat -c '%a %n' f d; (umask 022; mkdir e; stat -c %a e); umask; echo >g; stat -c %a g`,
			`test a; echo $?; test; echo $?; [ ]; echo $?; [ a = a ] && [ a != b ] && [ ! a = b ] && echo ok; [ 1 -lt 2 -a 2 -ge 2 ] && echo and; [ 1 -gt 2 -o 2 -ne 3 ] && echo or; [ \( a = a \) ]; echo $?; [ ! "" ]; echo $?`,
			`[ x -eq 1 ]; echo $?; [ -n ]; echo $?; [ a b ]; echo $?; [ = ]; echo $?; [ ! = ! ]; echo $?; [ -z "" -a -n x ]; echo $?; [ "(" = "(" ]; echo $?`,
			`touch f; mkdir d; ln -s f l; ln -s nosuch b; sleep 0.05; echo x >s; for t in -e -f -d -L -h -s -r -w -x; do for n in f d l b s nosuch; do [ $t $n ] && printf '%s %s\n' $t $n; done; done; [ f -ef l ]; echo $?; [ s -nt f ]; echo $?; [ f -ot s ]; echo $?; [ s -nt nosuch ]; echo $?`,
			`cd /; pwd; cd /nosuch; echo $?; cd /tmp && cd - && cd /usr/bin && cd ..; pwd; cd; mkdir -p a/b; ln -s a/b l; cd l; pwd; cd ..; ls`,
			`command -v cat; command -v cd; command -v nosuch; echo $?; f() { :; }; command -v f; command -v if; command echo hi; command nosuch 2>/dev/null; echo $?`,
			`trap 'echo bye $?' EXIT; (trap 'echo sub' EXIT; exit 2); echo $?; exit 3`,
			`trap 'echo bye' EXIT; trap - EXIT; (exit 1); trap '' HUP; trap 'echo term' TERM; kill -TERM $$; echo after`,
			`trap 'echo int; exit 5' INT; kill -INT $$; echo not reached`, `(kill $$; sleep 1); echo not reached`,
			`sh -c 'kill -9 $$'; echo $?; sh -c 'kill -TERM $$'; echo $?; kill -0 $$; echo $?; kill -0 999999 2>/dev/null; echo $?`,
			`sleep 0.05 & p=$!; kill -0 $p && echo alive; wait $p; echo $?; (exit 3) & wait $!; echo $?; (exit 4) & wait; echo $?; wait 999999; echo $?`,
			`sleep 30 & kill $!; wait $!; echo $?; x=$(sleep 0.02; echo late) ; echo $x; { sleep 0.02; echo bg; } & wait; echo fg`,
			`set -- a b; set x; echo $# $1; set --; echo $#; set -eu; echo $-; set +e; false; echo on; set -- -a; echo $1; shift 2; echo no`,
			`unset nosuch; x=1; unset x; echo "[$x]"; f() { :; }; unset -f f; f 2>/dev/null; echo $?; export X; X=5; sh -c 'echo [$X]'; unset X; sh -c 'echo [$X]'`,
			`exec echo replaced; echo not reached`, `exec nosuch; echo not reached`, `(exec true; echo no); echo $?; sh -c 'exec sh -c "echo \$0 \$1" a b'`,
			`sh -e -c 'false; echo no'; echo $?; sh -c 'echo $0 $1 $#' n a b; echo 'echo from stdin; read x; echo "[$x]"' | sh; printf 'echo $1\n' | sh -s arg; sh -c 'if'; echo $?; echo ')' | sh; echo $?`,
			`printf 'cat\nhello\n' | sh; printf '{ cat\n} </dev/null\necho next\n' | sh`,
			`x=5; readonly x; (x=6; echo no); echo $?; : $(echo side >f); cat f; true >g; ls; ulimit -c 0; echo $?`,
			`[ -t 1 ]; echo $?; [ -e "" ]; echo $?; [ -n "a b" ]; echo $?; x=; [ $x = a ]; echo $?; [ "$x" = a ]; echo $?`,
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
