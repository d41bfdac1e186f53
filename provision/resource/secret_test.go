package resource

import (
	"strings"
	"testing"
)

func TestSecretDiff(t *testing.T) {
	t.Parallel()
	own := &SecretFile{Host: "s", Path: "/d/own", UID: "10", Generate: RandomHex}
	stat := func(sum string) Fact { return yes("stat", "10 400 64", "sum", sum) }
	t.Run("own", func(t *testing.T) {
		t.Parallel()
		runDiff(t, own, []diffCase{
			{name: "unknown", facts: facts{own.ID(): unknown("x")}},
			{name: "no answer"},
			{name: "missing", facts: facts{own.ID(): no()}, want: "add: the file does not exist"},
			{name: "there", facts: facts{own.ID(): stat("a")}},
			{name: "empty", facts: facts{own.ID(): yes("stat", "10 400 0", "sum", "a")}, want: "change: the file is empty"},
			{name: "link", facts: facts{own.ID(): yes("link", "/d/own")}, want: "change: it is a symbolic link"},
			{name: "mode", facts: facts{own.ID(): yes("stat", "10 444 64", "sum", "a")}, want: "change: owner and mode are 10 444, should be 10 400"},
			{name: "owner", facts: facts{own.ID(): yes("stat", "0 400 64", "sum", "a")}, want: "change: owner and mode are 0 400"},
			{name: "hostile stat", facts: facts{own.ID(): yes("stat", "\x1b[2J 400 64", "sum", "a")}, want: `change: owner and mode are \x1b[2J 400`},
			{name: "damaged stat", facts: facts{own.ID(): yes("stat", "?")}, want: "change: "},
		})
	})
	copied := &SecretFile{Host: "a", Path: "/d/copy", UID: "10", Source: own.ID()}
	t.Run("copy", func(t *testing.T) {
		t.Parallel()
		runDiff(t, copied, []diffCase{
			{name: "same", facts: facts{own.ID(): stat("a"), copied.ID(): stat("a")}},
			{name: "differs", facts: facts{own.ID(): stat("b"), copied.ID(): stat("a")}, want: "change: it differs from s:/d/own"},
			{name: "source changes", facts: facts{own.ID(): no(), copied.ID(): stat("a")}, pending: []ID{own.ID()}, want: "change: its source on s changes"},
			{name: "source unknown", facts: facts{own.ID(): unknown("x"), copied.ID(): stat("a")}},
		})
	})
	given := &SecretFile{Host: "s", Path: "/d/given", UID: "10", GivenDigest: func(nonce string) string { return SaltedDigest(nonce, "v") }, nonce: "n"}
	t.Run("given", func(t *testing.T) {
		t.Parallel()
		runDiff(t, given, []diffCase{
			{name: "same", facts: facts{given.ID(): stat(SaltedDigest("n", "v"))}},
			{name: "differs", facts: facts{given.ID(): stat(SaltedDigest("n", "w"))}, want: "change: the given value differs"},
			{name: "of another run", facts: facts{given.ID(): stat(SaltedDigest("m", "v"))}, want: "change: the given value differs"},
		})
	})
	data, empty, link := VolumeID("s", "data"), yes("stat", "10 400 0", "sum", "a"), yes("link", "/d/key")
	precious := &SecretFile{Host: "s", Path: "/d/key", UID: "10", Precious: data}
	t.Run("precious", func(t *testing.T) {
		t.Parallel()
		runDiff(t, precious, []diffCase{
			{name: "no data yet", facts: facts{precious.ID(): no(), data: no()}, want: "add: the file does not exist"},
			{name: "data without it", facts: facts{precious.ID(): no(), data: yes()}, want: "refuse: the file does not exist, but volume data", risk: Data},
			{name: "nobody knows", facts: facts{precious.ID(): no(), data: unknown("x")}},
			{name: "both", facts: facts{precious.ID(): stat("a"), data: yes()}},
			{name: "empty, no data yet", facts: facts{precious.ID(): empty, data: no()}, want: "change: the file is empty"},
			{name: "empty", facts: facts{precious.ID(): empty, data: yes()}, want: "refuse: the file is empty, but volume data", risk: Data},
			{name: "empty, nobody knows", facts: facts{precious.ID(): empty, data: unknown("x")}},
			{name: "link, no data yet", facts: facts{precious.ID(): link, data: no()}, want: "change: it is a symbolic link"},
			{name: "link", facts: facts{precious.ID(): link, data: yes()}, want: "refuse: it is a symbolic link", risk: Data},
			{name: "link, nobody knows", facts: facts{precious.ID(): link, data: unknown("x")}},
		})
		for name, lost := range map[string]Fact{"missing": no(), "empty": empty, "link": link} {
			for know, want := range map[Know]string{Unknown: "is not known", No: "", Yes: ""} {
				got := precious.Doubt(world{facts: facts{precious.ID(): lost, data: fact(know)}})
				if want == "" && got != "" || !strings.Contains(got, want) {
					t.Errorf("%s, data %s: %q", name, know, got)
				}
			}
		}
		if got := precious.Doubt(world{facts: facts{precious.ID(): stat("a"), data: unknown("x")}}); got != "" {
			t.Errorf("a key that is there is doubted: %q", got)
		}
	})
}
