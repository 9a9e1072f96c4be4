package model

import (
	"math"

	"github.com/realm-webgpu/realm/engine/device"
)

// The ways of rope.scaling.type to stretch positions over a longer context.
const (
	ScalingNone     = "none"
	ScalingLinear   = "linear"   // positions divided by Factor (Chen et al. 2023, https://arxiv.org/abs/2306.15595)
	ScalingYaRN     = "yarn"     // low frequencies only (Peng et al. 2023, https://arxiv.org/abs/2309.00071)
	ScalingLongRoPE = "longrope" // each frequency by a factor of its own (Ding et al. 2024, https://arxiv.org/abs/2402.13753)
)

// maxBase bounds rope.freq_base.
const maxBase = 1e15

// Rope is how heads are rotated by position (Su et al. 2021,
// https://arxiv.org/abs/2104.09864).
type Rope struct {
	Mode       device.RopeMode
	Dimensions int     // elements of each head that are rotated, even; 0: none
	Base       float64 // rope.freq_base

	Scaling         string  // one of the Scaling constants
	Factor          float64 // that the context is stretched by; 1: it is not
	OriginalContext int     // tokens before it was stretched
	AttentionFactor float64 // cosines and sines are multiplied by it
	// BetaFast and BetaSlow are the rotations over the original context from which
	// YaRN leaves a frequency alone, and up to which it stretches it in full.
	BetaFast, BetaSlow float64
}

func (r *Rope) read(k *keys, c *Config) {
	r.Dimensions = k.integerOr("rope.dimension_count", c.HeadDim, 2, c.HeadDim)
	if r.Dimensions%2 != 0 {
		k.fail("rope.dimension_count", ErrMetadata, "%d is odd", r.Dimensions)
	}
	r.Base = k.numberOr("rope.freq_base", defaultBase, 1, maxBase)

	k.neutral("rope.dimension_count_swa", r.Dimensions)

	// rope.scale_linear is the name of the factor in files of before scaling had types;
	// 0 says that there is none.
	factor := k.numberOr("rope.scale_linear", 0, minScale, maxScale)
	if r.Factor = k.numberOr("rope.scaling.factor", factor, minScale, maxScale); r.Factor == 0 {
		r.Factor = 1
	}
	scaling := ScalingNone
	if r.Factor != 1 {
		scaling = ScalingLinear
	}
	switch r.Scaling = k.textOr("rope.scaling.type", scaling); r.Scaling {
	case ScalingNone:
		r.Factor = 1
	case ScalingLinear, ScalingYaRN, ScalingLongRoPE:
	default:
		k.fail("rope.scaling.type", ErrUnsupported, "%.64q", r.Scaling)
	}
	r.OriginalContext = k.integerOr("rope.scaling.original_context_length", c.ContextLength, 1, maxContext)
	r.AttentionFactor = k.numberOr("rope.scaling.attn_factor", 1, minScale, maxScale)
	// How much of YaRN there is: all or nothing.
	if r.Scaling == ScalingYaRN {
		k.neutral("rope.scaling.yarn_ext_factor", 1, -1)
	} else {
		k.neutral("rope.scaling.yarn_ext_factor", 0, -1)
	}
	r.BetaFast = k.numberOr("rope.scaling.yarn_beta_fast", 32, minScale, maxScale)
	r.BetaSlow = k.numberOr("rope.scaling.yarn_beta_slow", 1, minScale, maxScale)
	if r.BetaFast < r.BetaSlow {
		k.fail("rope.scaling.yarn_beta_fast", ErrMetadata, "%v is under yarn_beta_slow, %v", r.BetaFast, r.BetaSlow)
	}
}

// plain returns the same rotation with another base, and without scaling.
func (r *Rope) plain(base float64) *Rope {
	return &Rope{Mode: r.Mode, Dimensions: r.Dimensions, Base: base, Scaling: ScalingNone,
		Factor: 1, OriginalContext: r.OriginalContext, AttentionFactor: 1, BetaFast: r.BetaFast, BetaSlow: r.BetaSlow}
}

// frequencies returns the angle in radians that each pair [Dimensions/2] turns by
// from one position to the next. factors [Dimensions/2] divide them; nil: 1.
func (r *Rope) frequencies(factors []float32) []float64 {
	frequencies := make([]float64, r.Dimensions/2)
	first, last := r.ramp()
	for i := range frequencies {
		f := math.Pow(r.Base, -float64(2*i)/float64(r.Dimensions))
		if factors != nil {
			f /= float64(factors[i])
		}
		kept := 0.0 // how much of the frequency is left alone
		if r.Scaling == ScalingYaRN {
			kept = 1 - min(1, max(0, (float64(i)-first)/max(0.001, last-first)))
		}
		frequencies[i] = f*kept + f/r.Factor*(1-kept)
	}
	return frequencies
}

// ramp returns the pairs between which YaRN goes from leaving frequencies alone to
// stretching them in full.
func (r *Rope) ramp() (first, last float64) {
	// pair is that which makes some rotations over the original context.
	pair := func(rotations float64) float64 {
		return float64(r.Dimensions) * math.Log(float64(r.OriginalContext)/(2*math.Pi*rotations)) / (2 * math.Log(r.Base))
	}
	return max(0, math.Floor(pair(r.BetaFast))), min(float64(r.Dimensions-1), math.Ceil(pair(r.BetaSlow)))
}

// magnitude is what cosines and sines are multiplied by. YaRN's part keeps the
// entropy of attention over a longer context what it was; a context that is not
// longer has none.
func (r *Rope) magnitude() float64 {
	if r.Scaling == ScalingYaRN && r.Factor > 1 {
		return r.AttentionFactor * (1 + 0.1*math.Log(r.Factor))
	}
	return r.AttentionFactor
}

// tableBytes returns the size of a table.
func (r *Rope) tableBytes(positions int) int64 { return 4 * int64(positions) * int64(r.Dimensions) }

// table returns [positions][Dimensions/2][cos, sin]. It is computed in float64,
// since the sine of a large angle is lost in less.
func (r *Rope) table(positions int, factors []float32) []float32 {
	frequencies, magnitude := r.frequencies(factors), r.magnitude()
	table := make([]float32, 0, positions*r.Dimensions)
	for p := range positions {
		for _, f := range frequencies {
			sin, cos := math.Sincos(float64(p) * f)
			table = append(table, float32(cos*magnitude), float32(sin*magnitude))
		}
	}
	return table
}
