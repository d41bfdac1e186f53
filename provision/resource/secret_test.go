package resource_test

import (
	"strings"
	"testing"

	. "provision/provision/resource"
)

func TestSecretDiff(t *testing.T) {
	t.Parallel()
	own := &SecretFile{Host: "s", Path: "/d/own", UID: "10", Generate: RandomHex}
	stat := func(sum string) Fact { return yes("stat", "10 400 64", "sum", sum) }
	t.Run("own", func(t *testing.T) {
		t.Parallel()
		runDiff(t, own, []diffCase{
			{Name: "unknown", Facts: facts{own.ID(): unknown("x")}},
			{Name: "no answer"},
			{Name: "missing", Facts: facts{own.ID(): no()}, Want: "add: the file does not exist"},
			{Name: "there", Facts: facts{own.ID(): stat("a")}},
			{Name: "empty", Facts: facts{own.ID(): yes("stat", "10 400 0", "sum", "a")}, Want: "change: the file is empty"},
			{Name: "link", Facts: facts{own.ID(): yes("link", "/d/own")}, Want: "change: it is a symbolic link"},
			{Name: "mode", Facts: facts{own.ID(): yes("stat", "10 444 64", "sum", "a")}, Want: "change: owner and mode are 10 444, should be 10 400"},
			{Name: "owner", Facts: facts{own.ID(): yes("stat", "0 400 64", "sum", "a")}, Want: "change: owner and mode are 0 400"},
			{Name: "hostile stat", Facts: facts{own.ID(): yes("stat", "\x1b[2J 400 64", "sum", "a")}, Want: `change: owner and mode are \x1b[2J 400`},
			{Name: "damaged stat", Facts: facts{own.ID(): yes("stat", "?")}, Want: "change: "},
		})
	})
	copied := &SecretFile{Host: "a", Path: "/d/copy", UID: "10", Source: own.ID()}
	t.Run("copy", func(t *testing.T) {
		t.Parallel()
		runDiff(t, copied, []diffCase{
			{Name: "same", Facts: facts{own.ID(): stat("a"), copied.ID(): stat("a")}},
			{Name: "differs", Facts: facts{own.ID(): stat("b"), copied.ID(): stat("a")}, Want: "change: it differs from s:/d/own"},
			{Name: "source changes", Facts: facts{own.ID(): no(), copied.ID(): stat("a")}, Pending: []ID{own.ID()}, Want: "change: its source on s changes"},
			{Name: "source unknown", Facts: facts{own.ID(): unknown("x"), copied.ID(): stat("a")}},
		})
	})
	given := &SecretFile{Host: "s", Path: "/d/given", UID: "10", GivenDigest: func(nonce string) string { return SaltedDigest(nonce, "v") }}
	given.SetNonce("n")
	t.Run("given", func(t *testing.T) {
		t.Parallel()
		runDiff(t, given, []diffCase{
			{Name: "same", Facts: facts{given.ID(): stat(SaltedDigest("n", "v"))}},
			{Name: "differs", Facts: facts{given.ID(): stat(SaltedDigest("n", "w"))}, Want: "change: the given value differs"},
			{Name: "of another run", Facts: facts{given.ID(): stat(SaltedDigest("m", "v"))}, Want: "change: the given value differs"},
		})
	})
	data, empty, link := VolumeID("s", "data"), yes("stat", "10 400 0", "sum", "a"), yes("link", "/d/key")
	precious := &SecretFile{Host: "s", Path: "/d/key", UID: "10", Precious: data}
	t.Run("precious", func(t *testing.T) {
		t.Parallel()
		runDiff(t, precious, []diffCase{
			{Name: "no data yet", Facts: facts{precious.ID(): no(), data: no()}, Want: "add: the file does not exist"},
			{Name: "data without it", Facts: facts{precious.ID(): no(), data: yes()}, Want: "refuse: the file does not exist, but volume data", Risk: Data},
			{Name: "nobody knows", Facts: facts{precious.ID(): no(), data: unknown("x")}},
			{Name: "both", Facts: facts{precious.ID(): stat("a"), data: yes()}},
			{Name: "empty, no data yet", Facts: facts{precious.ID(): empty, data: no()}, Want: "change: the file is empty"},
			{Name: "empty", Facts: facts{precious.ID(): empty, data: yes()}, Want: "refuse: the file is empty, but volume data", Risk: Data},
			{Name: "empty, nobody knows", Facts: facts{precious.ID(): empty, data: unknown("x")}},
			{Name: "link, no data yet", Facts: facts{precious.ID(): link, data: no()}, Want: "change: it is a symbolic link"},
			{Name: "link", Facts: facts{precious.ID(): link, data: yes()}, Want: "refuse: it is a symbolic link", Risk: Data},
			{Name: "link, nobody knows", Facts: facts{precious.ID(): link, data: unknown("x")}},
		})
		for name, lost := range map[string]Fact{"missing": no(), "empty": empty, "link": link} {
			for know, want := range map[Know]string{Unknown: "is not known", No: "", Yes: ""} {
				got := precious.WhyUnknown(world{Facts: facts{precious.ID(): lost, data: fact(know)}})
				if want == "" && got != "" || !strings.Contains(got, want) {
					t.Errorf("%s, data %s: %q", name, know, got)
				}
			}
		}
		if got := precious.WhyUnknown(world{Facts: facts{precious.ID(): stat("a"), data: unknown("x")}}); got != "" {
			t.Errorf("a key that is there is doubted: %q", got)
		}
	})
}
