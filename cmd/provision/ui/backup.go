package ui

import (
	"fmt"
	"strings"
	"time"

	"provision/provision"
)

// Backup is a line about a backup.
func Backup(s Style, b provision.Backup) string {
	verdict := b.Verdict
	switch b.Verdict {
	case provision.BackupProved:
		verdict = s.green(fmt.Sprintf("%-8s", verdict))
	case provision.BackupFailed:
		verdict = s.red(fmt.Sprintf("%-8s", verdict))
	default:
		verdict = s.yellow(fmt.Sprintf("%-8s", verdict))
	}
	id := b.ID
	if len(id) > shortID {
		id = id[:shortID]
	}
	line := []string{id, b.Made.Format("2006-01-02 15:04Z"), verdict, Count(int(b.Rows), "row"), size(b.Bytes)}
	if b.RestoreSeconds > 0 {
		line = append(line, "restored in "+(time.Duration(b.RestoreSeconds)*time.Second).String())
	}
	if b.Kind != "" {
		line = append(line, b.Kind)
	}
	if b.Why != "" {
		line = append(line, b.Why)
	}
	return strings.Join(line, "  ")
}

// shortID is how much of an id is shown, and enough to name a backup.
const shortID = 8

// oldBackup is when a backup is older than those that are made each day should be.
const oldBackup = 36 * time.Hour

// backups is the line of status about them; "" where there is nothing to say.
func backups(s Style, b *provision.BackupStatus, now time.Time) string {
	switch {
	case b == nil:
		return ""
	case b.Off:
		return s.yellow("backups:") + " none are made ([backup] enabled = false)"
	case b.Newest == nil && b.Failed == "":
		return s.yellow("backups:") + " none yet; to make one: provision backup"
	}
	label, text := s.green("backups:"), "none that can be used"
	if b.Newest != nil {
		text = "the newest is " + Backup(s, *b.Newest)
	}
	if b.Newest == nil || now.Sub(b.Newest.Made) > oldBackup {
		label = s.red("backups:")
	}
	if b.Failed != "" {
		label = s.red("backups:")
		text += "; the last one failed at " + b.Failed
	}
	if b.SameDisk {
		text += "; on the disk of the data, which they do not survive"
	}
	return label + " " + text
}
