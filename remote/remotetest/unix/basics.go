package unix

// Programs maps names to what they do. A program can be run only where its file is.
func Programs() map[string]func(*Proc) int {
	as := func(builtin string) func(*Proc) int {
		return func(p *Proc) int { return newShell(p, "sh", nil).invokeBuiltin(builtin) }
	}
	return map[string]func(*Proc) int{
		"sh": shellMain, "bash": shellMain, "dash": shellMain,
		"true": func(*Proc) int { return 0 }, "false": func(*Proc) int { return 1 },
		"test": as("test"), "[": as("["), "printf": as("printf"), "echo": as("echo"), "pwd": as("pwd"), "kill": as("kill"),

		"cat": catMain, "tee": teeMain, "head": headMain, "tail": tailMain, "wc": wcMain, "tr": trMain, "cut": cutMain, "sort": sortMain,
		"sha256sum": sumMain, "cmp": cmpMain,
		"base64": base64Main, "seq": seqMain, "grep": grepMain, "sed": sedMain,
		"dd": ddMain, "stty": sttyMain,

		"mkdir": mkdirMain, "mktemp": mktempMain, "mv": mvMain, "rm": rmMain, "rmdir": rmdirMain, "ln": lnMain, "cp": cpMain,
		"chmod": chmodMain, "chown": chownMain, "stat": statMain, "touch": touchMain, "ls": lsMain, "find": findMain,
		"readlink": readlinkMain, "sync": syncMain, "df": dfMain, "tar": tarMain,

		"date": dateMain, "id": idMain, "uname": unameMain,
		"ss": ssMain, "getent": getentMain,
		"env": envMain, "timeout": timeoutMain, "sleep": sleepMain,
		"flock": flockMain, "script": scriptMain,
	}
}

// invokeBuiltin runs the program that does what a builtin does.
func (s *shell) invokeBuiltin(name string) int {
	return builtin(name)(s, append([]string{name}, s.p.Argv[1:]...))
}
