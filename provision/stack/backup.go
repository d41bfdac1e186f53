package stack

import (
	"path"
	"regexp"
	"strings"

	"provision/files/generation"
	"provision/inventory/strict"
)

// Backup says how the database, the artifacts and the stack's secrets are backed up.
type Backup struct {
	// Enabled says whether there are backups.
	Enabled bool `toml:"enabled"`
	// Repository is the directory on the server host that the backups are in, encrypted; without it one below /var/backups.
	Repository string `toml:"repository"`
	// At is the time of day of the server host at which a backup is made: "03:30".
	At string `toml:"at"`
	// Verify says when a new backup is loaded into a database of its own and compared: "daily" (each of them), "weekly" or "never".
	Verify string `toml:"verify"`
	// Keep says which backups stay.
	Keep Keep `toml:"keep"`
	// Image of restic, which stores them.
	Image string `toml:"image"`
}

// Keep says of how many days, weeks and months the newest backup stays.
type Keep struct {
	// Daily is of how many days.
	Daily int `toml:"daily"`
	// Weekly is of how many weeks.
	Weekly int `toml:"weekly"`
	// Monthly is of how many months.
	Monthly int `toml:"monthly"`
}

// When a backup is verified.
const (
	VerifyDaily  = "daily"
	VerifyWeekly = "weekly"
	VerifyNever  = "never"
)

var (
	timeOfDay = regexp.MustCompile(`^([01][0-9]|2[0-3]):[0-5][0-9]$`)
	// directoryName is a directory that needs no quotes anywhere.
	directoryName = regexp.MustCompile(`^/[A-Za-z0-9._/@+-]+$`)
)

// backup are the rules of [backup].
func (c checker) backup(s *Stack) {
	b := &s.Backup
	if r := b.Repository; r != "" {
		switch {
		case !directoryName.MatchString(r) || path.Clean(r) != r:
			c.Add("backup.repository", strict.Show(r)+" is not a directory", `an absolute path of letters, digits, dots, dashes and underscores: "/mnt/backups/prefect"`)
		case strings.HasPrefix(r+"/", s.Names().Backups()+"/") && r != s.Names().Backups()+"/repository":
			c.Add("backup.repository", "is where provision works with backups", "leave it out, or name another directory")
		case strings.HasPrefix(r+"/", s.Names().Dir()+"/"):
			c.Add("backup.repository", "is within the stack's own directory, where what does not belong there is removed", `for example "/mnt/backups/prefect"`)
		}
	}
	if !timeOfDay.MatchString(b.At) {
		c.Add("backup.at", strict.Show(b.At)+" is not a time of day", `hours and minutes: "03:30"`)
	}
	c.OneOf("backup.verify", b.Verify, VerifyDaily, VerifyWeekly, VerifyNever)
	for key, n := range map[string]int{"daily": b.Keep.Daily, "weekly": b.Keep.Weekly, "monthly": b.Keep.Monthly} {
		if n < 0 || n > 1000 {
			c.Add("backup.keep."+key, "must be 0 to 1000", "")
		}
	}
	if b.Keep.Daily+b.Keep.Weekly+b.Keep.Monthly <= 0 {
		c.Add("backup.keep", "would keep no backup", "write enabled = false, if there shall be none")
	}
	c.image("backup.image", b.Image)
	b.Enabled = b.Enabled && !s.Postgres.URL.Set() // who runs a database elsewhere backs it up
}

// repository is the directory of the backups.
func (s *Stack) repository() string {
	if s.Backup.Repository != "" {
		return s.Backup.Repository
	}
	return s.Names().Backups() + "/repository"
}

// backups is what the rendered stack is told of them; nil if there are none.
func (s *Stack) backups() *generation.Backup {
	if !s.Backup.Enabled {
		return nil
	}
	return &generation.Backup{Repository: s.repository(), Keep: generation.Keep(s.Backup.Keep)}
}
