package ui

import (
	"fmt"
	"io"
	"text/tabwriter"

	"provision/provision"
)

// Droplets shows droplets as a table, what else is left in another, and what all of it costs.
func Droplets(w io.Writer, s Style, have *provision.Holdings) {
	if len(have.Droplets)+len(have.Left) == 0 {
		fmt.Fprintln(w, "no droplets")
		return
	}
	if len(have.Droplets) > 0 {
		droplets(w, have.Droplets)
	}
	if len(have.Left) > 0 {
		spares(w, have.Left)
	}
	fmt.Fprintln(w, s.dim(fmt.Sprintf("declared: $%.2f a month; existing: $%.2f; traffic beyond what is included is not in it", have.Declared.Total(), have.Existing.Total())))
}

func droplets(w io.Writer, all []provision.DropletStatus) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tID\tSTATUS\tADDRESS\tRESERVED\tSIZE\tREGION\tMONTHLY\t")
	for _, d := range all {
		id, remark := fmt.Sprint(d.ID), ""
		switch {
		case d.ID == 0:
			id = "-"
		case !d.Declared:
			remark = "not declared"
		case !d.SetUp:
			remark = "not set up yet"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t$%.2f\t%s\n", d.Name, id, d.Status, orDash(d.Address), orDash(d.Reserved), d.Size, d.Region, d.Monthly, remark)
	}
	t.Flush()
}

// spares shows what costs something and may be forgotten.
func spares(w io.Writer, all []provision.Spare) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "KIND\tNAME\tHOST\tDROPLET\tREGION\tMONTHLY\t")
	for _, l := range all {
		droplet := ""
		if l.Droplet != 0 {
			droplet = fmt.Sprint(l.Droplet)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t$%.2f\t%s\n", l.Kind, l.Name, orDash(l.Host), orDash(droplet), orDash(l.Region), l.Monthly, "not declared")
	}
	t.Flush()
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
