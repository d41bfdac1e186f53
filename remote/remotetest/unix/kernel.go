package unix

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
)

// kernelFiles are /dev and /proc.
func (s *System) kernelFiles() {
	const char = fs.ModeDevice | fs.ModeCharDevice | 0o666
	for _, d := range []string{"null", "zero", "urandom", "full", "tty"} {
		s.Tree.special("/dev/"+d, Node{mode: char, device: d})
	}
	s.Tree.special("/dev/random", Node{mode: char, device: "urandom"})
	s.Tree.special("/dev/shm", Node{mode: fs.ModeDir | fs.ModeSticky | 0o777})
	gen := s.Tree.Generated
	gen("/proc/meminfo", func() string {
		kb := s.MemoryMiB * 1024
		return fmt.Sprintf("MemTotal:       %8d kB\nMemFree:        %8d kB\nMemAvailable:   %8d kB\n", kb, kb*7/10, kb*8/10)
	})
	gen("/proc/uptime", func() string { return "1000.00 4000.00\n" })
	gen("/proc/loadavg", func() string { return "0.00 0.01 0.05 1/123 4567\n" })
	gen("/proc/locks", s.lockTable)
	gen("/proc/sys/kernel/random/boot_id", func() string { s.mu.Lock(); defer s.mu.Unlock(); return s.bootID + "\n" })
	gen("/proc/sys/kernel/random/uuid", func() string { return RandomUUID() + "\n" })
	gen("/proc/sys/kernel/core_pattern", func() string { return "core\n" })
	gen("/proc/sys/fs/suid_dumpable", func() string { return "0\n" })
	gen("/proc/net/tcp", s.tcpTable)
	gen("/proc/net/tcp6", func() string { return tcpHeader })
	gen("/proc/net/route", s.routeTable)
	// Last, because nobody makes a file in /proc.
	if proc, err := s.Tree.find(Cred{}, "/proc", true); err == nil {
		proc.list = s.procDirs
	}
}

// procDirs are the directories of the running processes. The tree's lock is held.
func (s *System) procDirs() map[string]*Node {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]*Node{}
	file := func(content string) *Node {
		return &Node{mode: 0o444, nlink: 1, gen: func() []byte { return []byte(content) }}
	}
	add := func(pid, ppid, pgid int, argv []string, start int64) {
		comm := "?"
		if len(argv) > 0 {
			if comm = path.Base(argv[0]); len(comm) > 15 {
				comm = comm[:15]
			}
		}
		stat := fmt.Sprintf("%d (%s) S %d %d %d 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 %d 2600960 0", pid, comm, ppid, pgid, pgid, start)
		out[strconv.Itoa(pid)] = &Node{mode: fs.ModeDir | 0o555, nlink: 2, children: map[string]*Node{
			"comm": file(comm + "\n"), "stat": file(stat + "\n"),
			"cmdline": file(strings.Join(argv, "\x00") + "\x00"),
			"status":  file(fmt.Sprintf("Name:\t%s\nState:\tS (sleeping)\nPid:\t%d\nPPid:\t%d\n", comm, pid, ppid)),
		}}
	}
	add(1, 0, 1, []string{"/sbin/init"}, 1)
	for pid, p := range s.procs {
		add(pid, p.PPID, p.pgid, p.Argv, p.start.UnixMilli()/10)
	}
	for i, p := range s.Ports {
		add(firstOwner+i, 1, firstOwner+i, []string{p.Process}, 100)
	}
	return out
}

// firstOwner is the number of the process that listens on the first port.
const firstOwner = 399

// listening are the TCP ports that something listens on, with its process.
func (s *System) listening() []Port {
	if s.Published == nil {
		return s.Ports
	}
	return slices.Concat(s.Ports, s.Published())
}

const tcpHeader = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"

func (s *System) tcpTable() string {
	out := tcpHeader
	for i, p := range s.listening() {
		out += fmt.Sprintf("%4d: 00000000:%04X 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 %d 1 0000000000000000 100 0 0 10 0\n", i, p.Number, 20000+i)
	}
	return out
}

func (s *System) routeTable() string {
	out := "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
	out += "eth0\t00000000\t010013C6\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
	if s.Routes == nil {
		return out
	}
	for _, r := range s.Routes() {
		dev, cidr, _ := strings.Cut(r, " ")
		if p, err := netip.ParsePrefix(cidr); err == nil && p.Addr().Is4() {
			a := p.Masked().Addr().As4()
			mask := ^uint32(0) << (32 - p.Bits())
			out += fmt.Sprintf("%s\t%02X%02X%02X%02X\t00000000\t0001\t0\t0\t0\t%02X%02X%02X%02X\t0\t0\t0\n", dev, a[3], a[2], a[1], a[0],
				byte(mask), byte(mask>>8), byte(mask>>16), byte(mask>>24))
		}
	}
	return out
}

// RandomUUID is a fresh one.
func RandomUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	x := hex.EncodeToString(b[:])
	return strings.Join([]string{x[:8], x[8:12], x[12:16], x[16:20], x[20:]}, "-")
}
