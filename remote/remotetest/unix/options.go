package unix

import "strings"

// Parsed is a command line taken apart.
type Parsed struct {
	Flags map[string]bool
	Value map[string]string
	List  map[string][]string // every value of options that may be repeated
	Args  []string
}

// Has tells whether one of the options without a value was given.
func (o Parsed) Has(names ...string) bool {
	for _, n := range names {
		if o.Flags[n] {
			return true
		}
	}
	return false
}

// Options parses like getopt with "+": options end at the first operand. flags are letters without
// a value; valued holds letters with one, each followed by a colon; long maps long names to
// letters. An option that is in none of them is not simulated.
func (p *Proc) Options(flags, valued string, long map[string]string) Parsed {
	return p.Parse(p.Argv[1:], flags, valued, long, false)
}

// Anywhere is [Proc.Options] for programs that take options after operands, too.
func (p *Proc) Anywhere(flags, valued string, long map[string]string) Parsed {
	return p.Parse(p.Argv[1:], flags, valued, long, true)
}

// Parse takes any words apart as [Proc.Options] does, or, if mixed, as [Proc.Anywhere] does.
func (p *Proc) Parse(args []string, flags, valued string, long map[string]string, mixed bool) Parsed {
	o := Parsed{map[string]bool{}, map[string]string{}, map[string][]string{}, nil}
	set := func(k, v string) {
		o.Value[k] = v
		o.List[k] = append(o.List[k], v)
	}
	takes := func(k string) bool { return strings.Contains(valued, k+":") || len(k) > 1 && strings.HasSuffix(k, ":") }
	for len(args) > 0 {
		a := args[0]
		switch {
		case a == "--":
			o.Args = append(o.Args, args[1:]...)
			return o
		case strings.HasPrefix(a, "--"):
			name, v, given := strings.Cut(a[2:], "=")
			k, ok := long[name]
			if !ok {
				p.Unsupported("option --" + name)
			}
			args = args[1:]
			if k = strings.TrimPrefix(k, "-"); !takes(k) {
				if given && v == "false" {
					continue
				}
				o.Flags[strings.TrimSuffix(k, ":")] = true
				continue
			}
			if !given {
				if len(args) == 0 {
					p.Fatalf(2, "option --%s needs an argument", name)
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
							p.Fatalf(2, "option requires an argument -- '%s'", k)
						}
						v, args = args[0], args[1:]
					}
					set(k, v)
					break
				}
				if !strings.Contains(flags, k) {
					p.Unsupported("option -" + k)
				}
				o.Flags[k] = true
			}
		case mixed:
			o.Args, args = append(o.Args, a), args[1:]
		default:
			o.Args = append(o.Args, args...)
			return o
		}
	}
	return o
}
