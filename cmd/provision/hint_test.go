package main

import "testing"

func TestWithInventory(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]string{
		{"show the differences: provision plan; remove them: provision apply", "on prem.toml", "show the differences: provision plan -i 'on prem.toml'; remove them: provision apply -i 'on prem.toml'"},
		{"provision droplet destroy worker-1, then provision apply", "prod.toml", "provision droplet destroy -i prod.toml worker-1, then provision apply -i prod.toml"},
		{"provision apply -i other.toml", "prod.toml", "provision apply -i other.toml"},
		{"provision apply", "", "provision apply"},
		{"provision apply --help", "prod.toml", "provision apply --help"},
		{"provision applies it", "prod.toml", "provision applies it"},
	} {
		if got := withInventory(c[0], c[1]); got != c[2] {
			t.Errorf("%q, %q: %q", c[0], c[1], got)
		}
	}
}
