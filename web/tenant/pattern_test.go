package tenant

import (
	"regexp"
	"strings"
	"testing"
)

func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		patterns, name string
		want           bool
	}{
		{"", "atlas", false},
		{"*", "atlas", true},
		{"*", "", true},
		{"*", "org/model", true},
		{"atlas", "atlas", true},
		{"atlas", "atlas2", false},
		{"atlas", "Atlas", false},
		{"qwen* atlas", "qwen3-0.6b", true},
		{"qwen*", "org/qwen3", false},
		{"*/qwen*-q4", "org/qwen3-q4", true},
		{"a?c", "abc", true},
		{"a?c", "ac", false},
		{"a*b*c", "aXbYbZc", true},
		{"a*b*c", "aXbYbZ", false},
		{"**", "x", true},
		{"[a-z]", "a", false},
	} {
		if got := Patterns(strings.Fields(c.patterns)).Match(c.name); got != c.want {
			t.Errorf("%q of %q: %v", c.name, c.patterns, got)
		}
	}
}

// TestMatchIsQuick holds a pattern that is made to be slow to the product of lengths.
func TestMatchIsQuick(t *testing.T) {
	if match(strings.Repeat("*a", 100)+"b", strings.Repeat("a", 10_000)) {
		t.Error("matched")
	}
}

// FuzzMatch compares with regular expressions.
func FuzzMatch(f *testing.F) {
	f.Add("a*b?c", "axxbyc")
	f.Add("**", "")
	f.Add("*?*", "é")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if len(pattern) > 64 || len(name) > 256 || strings.ToValidUTF8(pattern+name, "") != pattern+name {
			t.Skip()
		}
		// A ? is one byte, so that bytes are compared as letters of Latin-1.
		latin := func(s string) string {
			var b strings.Builder
			for i := range len(s) {
				b.WriteRune(rune(s[i]))
			}
			return b.String()
		}
		expression := regexp.QuoteMeta(latin(pattern))
		expression = strings.ReplaceAll(strings.ReplaceAll(expression, `\*`, `.*`), `\?`, `.`)
		want := regexp.MustCompile(`(?s)\A` + expression + `\z`).MatchString(latin(name))
		if got := match(pattern, name); got != want {
			t.Errorf("%q of %q: %v, want %v", name, pattern, got, want)
		}
	})
}

func TestAdapterRules(t *testing.T) {
	a := &Tenant{Settings: Settings{Adapters: Patterns{"terse", "atlas:pi*", "*:shared"}}}
	for _, c := range []struct {
		model, adapter string
		want           bool
	}{
		{"atlas", "terse", true}, {"other", "terse", true}, {"atlas", "pirate", true},
		{"other", "pirate", false}, {"other", "shared", true}, {"atlas", "secret", false},
	} {
		if got := a.AllowsAdapter(c.model, c.adapter); got != c.want {
			t.Errorf("%s of %s: %v", c.adapter, c.model, got)
		}
	}
	for _, c := range []struct{ setting, model, want string }{
		{"", "atlas", ""}, {"pirate", "atlas", "pirate"}, {"atlas:pirate", "atlas", "pirate"}, {"atlas:pirate", "other", ""},
	} {
		a.DefaultAdapter = c.setting
		if got := a.AdapterFor(c.model); got != c.want {
			t.Errorf("default %q of %s: %q", c.setting, c.model, got)
		}
	}
}

// TestLocal has all there is, and no more than the server's limits.
func TestLocal(t *testing.T) {
	l := Local(Limits{Queue: 5, Pages: Unlimited})
	if l.Limits.Queue != 5 || l.Limits.Pages != 0 || l.Admin || !l.AllowsModel("x") || !l.AllowsAdapter("x", "y") || !l.AllowsGuest("z") {
		t.Errorf("%+v", l)
	}
}
