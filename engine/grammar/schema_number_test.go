package grammar_test

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/engine/grammar"
)

// TestNumberRanges compares ranges of numbers with arithmetic, at their ends above all.
func TestNumberRanges(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	decimal := func(places int) string {
		n := r.Int64N(2000) - 1000
		if r.IntN(3) == 0 {
			n = r.Int64N(40) - 20
		}
		text := fmt.Sprintf("%0*d", places+1, max(n, -n))
		if places > 0 {
			text = text[:len(text)-places] + "." + text[len(text)-places:]
		}
		if n < 0 {
			text = "-" + text
		}
		return text
	}
	value := func(text string) *big.Rat {
		v, ok := new(big.Rat).SetString(text)
		if !ok {
			t.Fatal(text)
		}
		return v
	}
	ranges, inside := 0, 0
	for range 400 {
		ends := [2]string{decimal(r.IntN(4)), decimal(r.IntN(4))}
		var keys [2]string
		members := []string{`"type":"number"`}
		for i, names := range [2][2]string{{"minimum", "exclusiveMinimum"}, {"maximum", "exclusiveMaximum"}} {
			if r.IntN(5) > 0 {
				keys[i] = names[r.IntN(2)]
				members = append(members, fmt.Sprintf("%q:%s", keys[i], ends[i]))
			}
		}
		places := -1
		if r.IntN(3) == 0 {
			places = r.IntN(3)
			members = append(members, `"multipleOf":`+[]string{"1", "0.1", "0.01"}[places])
		}
		schema := "{" + strings.Join(members, ",") + "}"
		g, err := grammar.ParseSchema([]byte(schema), grammar.SchemaOptions{})
		if err != nil {
			if !strings.Contains(err.Error(), "no number") {
				t.Errorf("%s: %v", schema, err)
			}
			g = nil
		}
		ranges++
		texts := []string{ends[0], ends[1], ends[0] + "1", ends[1] + "9", "0"}
		for range 40 {
			texts = append(texts, decimal(r.IntN(5)))
		}
		for _, text := range texts {
			v := value(text)
			whole, fraction, pointed := strings.Cut(strings.TrimPrefix(text, "-"), ".")
			if len(whole) > 1 && whole[0] == '0' || v.Sign() == 0 && text[0] == '-' || pointed && fraction == "" {
				continue
			}
			want := places < 0 || len(fraction) <= places
			for i, key := range keys {
				if key == "" {
					continue
				}
				c := v.Cmp(value(ends[i]))
				if i == 1 {
					c = -c
				}
				want = want && (c > 0 || c == 0 && !strings.HasPrefix(key, "exclusive"))
			}
			if got := g != nil && matches(g, text); got != want {
				t.Errorf("%s: %s: %t, want %t", schema, text, got, want)
			}
			if want {
				inside++
			}
		}
	}
	if inside < 1000 {
		t.Errorf("%d numbers of %d ranges are inside", inside, ranges)
	}
}
