package scorecache_test

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/klauspost/compress/zstd"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/scorecache"
	"mirrorfleet/shared/scoring/tokens"
)

func TestAValueGivesBackWhatTheFetchGave(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.cache()
	for name, e := range map[string]*scorecache.Entry{
		"figures": entry(), "no files": {}, "no file that can be read": {Malformed: []job.Malformed{{Item: "file 1", Error: "x"}}},
		"figures without files": {Tokens: &tokens.Figures{}},
	} {
		k := key()
		k.Head = name
		if b.look(c, k) != nil {
			t.Fatalf("%s: the first look found something", name)
		}
		c.Keep(b.ctx, k, *e)
		got := b.look(b.cache(), k)
		if got == nil {
			t.Fatalf("%s: not there", name)
		}
		if diff := cmp.Diff(e, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if want, got := asJSON(t, e), asJSON(t, got); want != got {
			t.Errorf("%s: got %s, want the same bytes %s", name, got, want)
		}
	}
}

// Whatever the figures follow from, a change of it is another key.
func TestEveryPartOfTheKeyCounts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.cache().Keep(b.ctx, key(), *entry())
	for _, c := range []struct {
		name   string
		key    func(*scorecache.Key)
		scorer string
		hit    bool
	}{
		{"the same", func(*scorecache.Key) {}, "1-grammars", true},
		{"names of repositories have no case", func(k *scorecache.Key) { k.Repository = "A/B" }, "1-grammars", true},
		{"another repository", func(k *scorecache.Key) { k.Repository = "a/c" }, "1-grammars", false},
		{"another number", func(k *scorecache.Key) { k.Number = 8 }, "1-grammars", false},
		{"another head", func(k *scorecache.Key) { k.Head = "h2" }, "1-grammars", false},
		{"another base", func(k *scorecache.Key) { k.Base = "m2" }, "1-grammars", false},
		{"head and base the other way round", func(k *scorecache.Key) { k.Head, k.Base = k.Base, k.Head }, "1-grammars", false},
		{"other weights or languages without nodes", func(k *scorecache.Key) { k.Weights = "w2" }, "1-grammars", false},
		{"other grammars", func(*scorecache.Key) {}, "1-others", false},
		{"another scorer version", func(*scorecache.Key) {}, "2-grammars", false},
		{"no head", func(k *scorecache.Key) { k.Head = "" }, "1-grammars", false},
		{"no base", func(k *scorecache.Key) { k.Base = "" }, "1-grammars", false},
		{"a separator in a text", func(k *scorecache.Key) { k.Head, k.Base = "h1\"\n\"m1", "" }, "1-grammars", false},
	} {
		k := key()
		c.key(&k)
		cache := b.cache(func(cfg *scorecache.Config) { cfg.Scorer = c.scorer })
		if hit := b.look(cache, k) != nil; hit != c.hit {
			t.Errorf("%s: hit %v, want %v", c.name, hit, c.hit)
		}
	}
	if scorecache.Base("merge", "base") != "merge" || scorecache.Base("", "base") != "base" {
		t.Error("texts are of the merge base where it is known, else of the base")
	}
}

func TestWhatIsNotKept(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.cache()
	timedOut := tokens.TimedOut([]tokens.File{{Filename: "a.go"}})
	late := tokens.Figures{Files: []tokens.FileFigures{{Filename: "a.go", Method: tokens.MethodTreeDiff, OutOfTime: true}}}
	// Names without a pattern: more than one message may be, even compressed.
	noise, names := rand.NewChaCha8([32]byte{}), make([]byte, 700)
	huge := &scorecache.Entry{}
	for range 2000 {
		_, _ = noise.Read(names)
		huge.Malformed = append(huge.Malformed, job.Malformed{Item: hex.EncodeToString(names)})
	}
	unknown := key()
	unknown.Base = ""
	for _, x := range []struct {
		name  string
		key   scorecache.Key
		entry *scorecache.Entry
	}{
		{"figures that ran out of a budget", key(), &scorecache.Entry{Tokens: &timedOut}},
		{"figures of a text that took too long to parse", key(), &scorecache.Entry{Tokens: &late}},
		{"more than one message may be", key(), huge},
		{"of commits that nobody names", unknown, entry()},
	} {
		c.Keep(b.ctx, x.key, *x.entry)
		if b.look(c, x.key) != nil {
			t.Errorf("%s: it is there", x.name)
		}
	}
	if n := b.log.Count("cannot be used") + b.log.Count("cannot be read"); n != 0 {
		t.Errorf("%d lines of trouble logged, want none", n)
	}
}

// An answer that may still change leaves a sighting and no scores, until its
// scores are kept.
func TestSightings(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.cache()
	sighting := scorecache.Sighting{Digest: "d1", At: time.Date(2026, 6, 1, 12, 0, 0, 5, time.UTC)}
	nothing, err := c.Look(b.ctx, key())
	b.must(err)
	c.Remember(b.ctx, key(), nothing, sighting)
	found, err := b.cache().Look(b.ctx, key())
	b.must(err)
	ignore := cmpopts.IgnoreUnexported(scorecache.Found{})
	if diff := cmp.Diff(scorecache.Found{Sighting: &sighting}, found, ignore); diff != "" {
		t.Errorf("remembered (-want +got):\n%s", diff)
	}
	later := scorecache.Sighting{Digest: "d2", At: sighting.At.Add(time.Hour)}
	c.Remember(b.ctx, key(), found, later)
	again, err := c.Look(b.ctx, key())
	b.must(err)
	if diff := cmp.Diff(scorecache.Found{Sighting: &later}, again, ignore); diff != "" {
		t.Errorf("another answer (-want +got):\n%s", diff)
	}
	c.Keep(b.ctx, key(), *entry())
	for name, looked := range map[string]scorecache.Found{"nothing": nothing, "a sighting": found} {
		c.Remember(b.ctx, key(), looked, sighting) // by whoever looked before the entry was kept
		kept, err := c.Look(b.ctx, key())
		b.must(err)
		if diff := cmp.Diff(scorecache.Found{Entry: entry()}, kept, ignore); diff != "" {
			t.Errorf("kept, and remembered by who had found %s (-want +got):\n%s", name, diff)
		}
	}
}

// A value that cannot be read is absent: logged once, overwritten.
func TestUnreadableValuesCountAsAbsent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.cache()
	whole, err := scorecache.Encode(stored(key()), scorecache.Found{Entry: entry()})
	b.must(err)
	plain, err := zstdDecode(whole)
	b.must(err)
	version := func(n string) []byte {
		return zstdEncode(bytes.Replace(plain, []byte(`"version":2`), []byte(`"version":`+n), 1))
	}
	flipped := bytes.Clone(whole)
	flipped[len(flipped)/2] ^= 0x10
	for _, x := range []struct {
		name  string
		value []byte
	}{
		{"empty", nil},
		{"rubbish", []byte("rubbish")},
		{"cut", whole[:len(whole)/2]},
		{"a flipped bit", flipped},
		{"an older version", version("1")},
		{"a later version", version("3")},
		{"another pull request's", whole}, // stored under another head below
		{"no JSON inside", zstdEncode([]byte("rubbish"))},
		{"another shape", zstdEncode([]byte(`{"version":2,"tokens":7}`))},
		{"more than it may be", zstdEncode(bytes.Repeat([]byte(" "), 17<<20))},
	} {
		k := key()
		k.Head = x.name
		_, err := b.bucket.Put(b.ctx, stored(k).ID(), x.value)
		b.must(err)
		if b.look(c, k) != nil {
			t.Errorf("%s: taken for a value", x.name)
		}
		c.Keep(b.ctx, k, *entry())
		if b.look(c, k) == nil {
			t.Errorf("%s: not overwritten", x.name)
		}
	}
	if n := b.log.Count("cannot be read"); n != 1 {
		t.Errorf("logged %d times, want once", n)
	}
}

// Made once: they are dear, and the fuzzer asks often.
var (
	packer, _   = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	unpacker, _ = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
)

func zstdDecode(data []byte) ([]byte, error) { return unpacker.DecodeAll(data, nil) }

func zstdEncode(data []byte) []byte { return packer.EncodeAll(data, nil) }

func TestConfigNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for want, change := range map[string]func(*scorecache.Config){
		"Bucket":  func(c *scorecache.Config) { c.Bucket = nil },
		"Scorer":  func(c *scorecache.Config) { c.Scorer = "" },
		"Timeout": func(c *scorecache.Config) { c.Timeout = -1 },
	} {
		cfg := scorecache.Config{Bucket: b.bucket, Scorer: "s"}
		change(&cfg)
		if _, err := scorecache.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error that names %s", err, want)
		}
	}
}

// Whatever lies in the bucket: no panic, and what is read is of its key and
// of this version, so that it reads the same again.
func FuzzDecode(f *testing.F) {
	k := stored(key())
	whole, err := scorecache.Encode(k, scorecache.Found{Entry: entry()})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{whole, whole[:20], nil, []byte("{"), zstdEncode([]byte(`{"version":2}`))} {
		f.Add(seed, false)
	}
	plain, _ := zstdDecode(whole)
	f.Add(plain, true)
	f.Fuzz(func(t *testing.T, data []byte, pack bool) {
		if pack { // behind the checksum
			data = zstdEncode(data)
		}
		e, err := scorecache.Decode(k, data)
		if (e == scorecache.Found{}) != (err != nil) {
			t.Fatalf("got %v and %v, want something or an error", e, err)
		}
		if err != nil {
			return
		}
		again, err := scorecache.Encode(k, e)
		if err != nil {
			t.Fatal(err)
		}
		e2, err := scorecache.Decode(k, again)
		if err != nil {
			t.Fatal(err)
		}
		if asJSON(t, e) != asJSON(t, e2) {
			t.Errorf("got %s, then %s", asJSON(t, e), asJSON(t, e2))
		}
	})
}
