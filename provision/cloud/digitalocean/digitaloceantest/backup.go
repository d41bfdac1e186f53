package digitaloceantest

import (
	"slices"
	"strconv"
	"time"
)

// backupPlan is the plan of a body's backup policy: daily where it names none.
func backupPlan(r *request) (string, answer) {
	policy, given := r.body["backup_policy"].(object)
	if !given {
		return "daily", answer{}
	}
	plan, _ := policy["plan"].(string)
	weekday, _ := policy["weekday"].(string)
	hour, hasHour := policy["hour"].(float64)
	switch {
	case plan != "daily" && plan != "weekly":
		return "", invalid("backup_policy.plan must be one of daily, weekly")
	case plan == "weekly" && !slices.Contains([]string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}, weekday):
		return "", invalid("backup_policy.weekday is not a day of the week")
	case hasHour && !slices.Contains([]float64{0, 4, 8, 12, 16, 20}, hour):
		return "", invalid("backup_policy.hour must be one of 0, 4, 8, 12, 16, 20")
	}
	return plan, answer{}
}

// listBackupPolicies are those of all droplets, by their numbers.
func (c *Cloud) listBackupPolicies(*request) answer {
	all := object{}
	for _, d := range c.droplets {
		o := object{"droplet_id": d.ID, "backup_enabled": d.Backups}
		if d.Backups {
			policy := object{"plan": d.BackupPlan, "hour": 4, "window_length_hours": 4, "retention_period_days": 7}
			if d.BackupPlan == "weekly" {
				policy["weekday"], policy["retention_period_days"] = "SUN", 28
			}
			at := c.now().UTC().Truncate(24 * time.Hour).Add(28 * time.Hour)
			o["backup_policy"] = policy
			o["next_backup_window"] = object{"start": at.Format(time.RFC3339), "end": at.Add(4 * time.Hour).Format(time.RFC3339)}
		}
		all[strconv.Itoa(d.ID)] = o
	}
	return ok(object{"policies": all, "links": object{}, "meta": object{"total": len(all)}})
}
