package remotetest

import "strings"

// parsed is a command line taken apart.
type parsed struct {
	flags map[string]bool
	value map[string]string
	list  map[string][]string // every value of options that may be repeated
	args  []string
}

func (o parsed) has(names ...string) bool {
	for _, n := range names {
		if o.flags[n] {
			return true
		}
	}
	return false
}

// options parses like getopt with "+": options end at the first operand. flags are letters without
// a value; valued holds letters with one, each followed by a colon; long maps long names to
// letters. An option that is in none of them is not simulated.
func (p *proc) options(flags, valued string, long map[string]string) parsed {
	return p.parse(p.argv[1:], flags, valued, long, false)
}

// anywhere is options for programs that take options after operands, too.
func (p *proc) anywhere(flags, valued string, long map[string]string) parsed {
	return p.parse(p.argv[1:], flags, valued, long, true)
}

func (p *proc) parse(args []string, flags, valued string, long map[string]string, mixed bool) parsed {
	o := parsed{map[string]bool{}, map[string]string{}, map[string][]string{}, nil}
	set := func(k, v string) {
		o.value[k] = v
		o.list[k] = append(o.list[k], v)
	}
	takes := func(k string) bool { return strings.Contains(valued, k+":") || len(k) > 1 && strings.HasSuffix(k, ":") }
	for len(args) > 0 {
		a := args[0]
		switch {
		case a == "--":
			o.args = append(o.args, args[1:]...)
			return o
		case strings.HasPrefix(a, "--"):
			name, v, given := strings.Cut(a[2:], "=")
			k, ok := long[name]
			if !ok {
				p.unsupported("option --" + name)
			}
			args = args[1:]
			if k = strings.TrimPrefix(k, "-"); !takes(k) {
				if given && v == "false" {
					continue
				}
				o.flags[strings.TrimSuffix(k, ":")] = true
				continue
			}
			if !given {
				if len(args) == 0 {
					p.fatalf(2, "option --%s needs an argument", name)
				}
				v, args = args[0], args[1:]
			}
			set(strings.TrimSuffix(k, ":"), v)
		case len(a) > 1 && a[0] == '-':
			args = args[1:]
			for i := 1; i < len(a); i++ {
				k := a[i : i+1]
				if strings.Contains(valued, k+":") {
					v := a[i+1:]
					if v == "" {
						if len(args) == 0 {
							p.fatalf(2, "option requires an argument -- '%s'", k)
						}
						v, args = args[0], args[1:]
					}
					set(k, v)
					break
				}
				if !strings.Contains(flags, k) {
					p.unsupported("option -" + k)
				}
				o.flags[k] = true
			}
		case mixed:
			o.args, args = append(o.args, a), args[1:]
		default:
			o.args = append(o.args, args...)
			return o
		}
	}
	return o
}
