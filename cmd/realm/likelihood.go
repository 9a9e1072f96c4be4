package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/realm-webgpu/realm/engine"
)

// windows are the parts of a text that are read by themselves.
type windows struct {
	ids         []int32
	size, count int // tokens of a window, and how many there are
	bos         int32
	begins      bool // a window begins with bos
}

// newWindows cuts a text, into most windows where that is not 0.
func newWindows(m *engine.Model, text string, size, most int) (*windows, error) {
	w := &windows{ids: m.Encode(text, false), size: size}
	w.count = len(w.ids) / size
	if w.count == 0 {
		return nil, fmt.Errorf("text: %d tokens are less than a window of %d: give a longer text, or a smaller --ctx", len(w.ids), size)
	}
	if most > 0 {
		w.count = min(w.count, most)
	}
	bos, found := m.Tokenizer().BOS()
	if none := m.Encode("", false); found && len(none) > 0 && none[0] == bos {
		w.bos, w.begins = bos, true
	}
	return w, nil
}

// tokens returns those of a window.
func (w *windows) tokens(i int) []int32 {
	tokens := slices.Clone(w.ids[i*w.size : (i+1)*w.size])
	if w.begins {
		tokens[0] = w.bos
	}
	return tokens
}

// measure has models, one or two, read all windows.
func (w *windows) measure(ctx context.Context, models []*engine.Model, m *measurement, progress func(done, total int64)) error {
	for i := range w.count {
		progress(int64(i), int64(w.count))
		if err := w.measureOne(ctx, models, w.tokens(i), m); err != nil {
			return fmt.Errorf("window %d: %w", i, err)
		}
	}
	return nil
}

// measureOne has the models read one window. They foresee the tokens of its second
// half but for the first of that.
func (w *windows) measureOne(ctx context.Context, models []*engine.Model, tokens []int32, m *measurement) error {
	from := len(tokens) / 2
	var next []func() ([]float32, error, bool)
	for _, model := range models {
		sequence, err := model.NewSequence()
		if err != nil {
			return err
		}
		defer sequence.Close()
		if err := sequence.Append(tokens[:len(tokens)-1]...); err != nil {
			return err
		}
		pull, stop := iter.Pull2(sequence.AllLogits(ctx, from))
		defer stop()
		next = append(next, pull)
	}
	rows := make([]distribution, len(models))
	for _, id := range tokens[from+1:] {
		for i, pull := range next {
			logits, err, _ := pull()
			if err != nil {
				return err
			}
			if rows[i], err = newDistribution(logits); err != nil {
				return err
			}
		}
		m.add(id, rows)
	}
	return nil
}

// distribution is the probabilities of the next token.
type distribution struct {
	logits    []float32
	logSumExp float64
}

// errNotFinite says that logits are no numbers to reckon with.
var errNotFinite = errors.New("the model's logits are not finite")

func newDistribution(logits []float32) (distribution, error) {
	largest := float64(slices.Max(logits))
	sum := 0.0
	for _, x := range logits {
		sum += math.Exp(float64(x) - largest)
	}
	d := distribution{logits, largest + math.Log(sum)}
	if math.IsNaN(d.logSumExp) || math.IsInf(d.logSumExp, 0) {
		return d, errNotFinite
	}
	return d, nil
}

// log returns the logarithm of a token's probability.
func (d distribution) log(id int32) float64 { return float64(d.logits[id]) - d.logSumExp }

// top returns the most probable token, the first of equals.
func (d distribution) top() int { return slices.Index(d.logits, slices.Max(d.logits)) }

// divergence returns that of d from base (Kullback and Leibler 1951), in nats: the
// sum of p (log p - log q) with p of base. It is not below 0 but for rounding.
func (d distribution) divergence(base distribution) float64 {
	sum := 0.0
	for id := range int32(len(d.logits)) {
		if p := base.log(id); p > -100 { // what is left out is less than e-100 a token
			sum += math.Exp(p) * (p - d.log(id))
		}
	}
	return max(0, sum)
}

// measurement is what windows add to.
type measurement struct {
	own, base   tally // of -log p
	divergences []float64
	same        int // tokens where the most probable is the same
}

// add adds a token and what the models foresaw: that which is measured, then the
// base where there is one.
func (m *measurement) add(id int32, rows []distribution) {
	m.own.add(-rows[0].log(id))
	if len(rows) == 1 {
		return
	}
	m.base.add(-rows[1].log(id))
	m.divergences = append(m.divergences, rows[0].divergence(rows[1]))
	if rows[0].top() == rows[1].top() {
		m.same++
	}
}

// compare sums up the comparison with a base.
func (m *measurement) compare(base string) *divergenceReport {
	var all, same tally
	for _, x := range m.divergences {
		all.add(x)
	}
	for i := range m.divergences {
		if i < m.same {
			same.add(1)
		} else {
			same.add(0)
		}
	}
	sorted := slices.Sorted(slices.Values(m.divergences))
	return &divergenceReport{
		Model: base, Perplexity: m.base.perplexity(), Mean: all.mean(),
		Median: percentile(sorted, 0.5), P99: percentile(sorted, 0.99), Largest: sorted[len(sorted)-1],
		SameTop: same.mean(),
	}
}

// percentile returns the value that a part of sorted values is below, between two of
// them by their distance.
func percentile(sorted []float64, part float64) float64 {
	at := part * float64(len(sorted)-1)
	i := int(at)
	if i+1 == len(sorted) {
		return sorted[i]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

// tally adds up numbers.
type tally struct {
	n            int
	sum, squares float64
}

func (t *tally) add(x float64) {
	t.n++
	t.sum += x
	t.squares += x * x
}

// estimate is a mean with its standard error.
type estimate struct {
	Value float64 `json:"value"`
	Error float64 `json:"standard_error"`
}

func (e estimate) String() string { return fmt.Sprintf("%.6g ± %.2g", e.Value, e.Error) }

// mean returns the mean, whose error is 0 for fewer than two numbers.
func (t *tally) mean() estimate {
	mean := t.sum / float64(t.n)
	if t.n < 2 {
		return estimate{Value: mean}
	}
	variance := max(0, t.squares/float64(t.n)-mean*mean)
	return estimate{mean, math.Sqrt(variance / float64(t.n-1))}
}

// perplexity returns e to the mean, with the error to first order.
func (t *tally) perplexity() estimate {
	m := t.mean()
	p := math.Exp(m.Value)
	return estimate{p, p * m.Error}
}
