package main

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/model"
	"github.com/realm-webgpu/realm/engine/quantize"
	"github.com/realm-webgpu/realm/shaders/quant"
)

// The types of flags that package pflag does not have. What Set refuses is a
// usage error.

// sizeValue is a number of bytes, such as 512MiB or 4GB.
type sizeValue int64

func (v *sizeValue) Set(s string) error {
	n, err := humanize.ParseBytes(s)
	if err == nil && n > math.MaxInt64 {
		err = strconv.ErrRange
	}
	if err != nil {
		return errors.New("want a size such as 512MiB or 4GB")
	}
	*v = sizeValue(n)
	return nil
}

func (v *sizeValue) String() string {
	if *v == 0 {
		return ""
	}
	return humanize.IBytes(uint64(*v))
}

func (v *sizeValue) Type() string { return "SIZE" }

// countValue is a number from 0 up.
type countValue int

func (v *countValue) Set(s string) error {
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		return fmt.Errorf("want a number from 0 to %d", math.MaxInt32)
	}
	*v = countValue(n)
	return nil
}

func (v *countValue) String() string { return strconv.Itoa(int(*v)) }
func (v *countValue) Type() string   { return "N" }

// cacheTypeValue is how keys and values are kept.
type cacheTypeValue device.CacheType

func (v *cacheTypeValue) Set(s string) error {
	for _, t := range []device.CacheType{device.CacheF16, device.CacheF32} {
		if strings.EqualFold(s, t.String()) {
			*v = cacheTypeValue(t)
			return nil
		}
	}
	return fmt.Errorf("want %v or %v", device.CacheF16, device.CacheF32)
}

func (v *cacheTypeValue) String() string { return device.CacheType(*v).String() }
func (v *cacheTypeValue) Type() string   { return "TYPE" }

// poolingValue is how states become an embedding.
type poolingValue struct {
	model.Pooling
	set bool
}

func (v *poolingValue) Set(s string) error {
	for _, p := range []model.Pooling{model.PoolingMean, model.PoolingCLS, model.PoolingLast, model.PoolingNone} {
		if strings.EqualFold(s, p.String()) {
			*v = poolingValue{p, true}
			return nil
		}
	}
	return fmt.Errorf("want %v, %v, %v or %v", model.PoolingMean, model.PoolingCLS, model.PoolingLast, model.PoolingNone)
}

func (v *poolingValue) String() string {
	if !v.set {
		return ""
	}
	return v.Pooling.String()
}

func (v *poolingValue) Type() string { return "POOLING" }

// formatValue is a weight format.
type formatValue struct{ *quant.Format }

func (v *formatValue) Set(s string) error {
	f, ok := quant.ByName(s)
	if !ok {
		return fmt.Errorf("want one of %s", formatNames())
	}
	v.Format = f
	return nil
}

func (v *formatValue) String() string {
	if v.Format == nil {
		return ""
	}
	return v.Name
}

func (v *formatValue) Type() string { return "FORMAT" }

func formatNames() string {
	var names []string
	for _, f := range quant.All() {
		names = append(names, f.Name)
	}
	return strings.Join(names, " ")
}

// mixValue is a mix of weight formats.
type mixValue struct{ quantize.Mix }

func (v *mixValue) Set(s string) error {
	m, ok := quantize.MixByName(s)
	if !ok {
		return fmt.Errorf("want one of %s", mixNames())
	}
	v.Mix = m
	return nil
}

func (v *mixValue) String() string { return v.Name }
func (v *mixValue) Type() string   { return "TYPE" }

func mixNames() string {
	var names []string
	for _, m := range quantize.Mixes() {
		names = append(names, m.Name)
	}
	return strings.Join(names, " ")
}

// overridesValue are formats for the names of tensors: PATTERN=FORMAT, many times.
type overridesValue []quantize.Override

func (v *overridesValue) Set(s string) error {
	at := strings.LastIndex(s, "=")
	if at <= 0 {
		return errors.New(`want PATTERN=FORMAT, such as "ffn_down=Q6_K"`)
	}
	names, err := regexp.Compile(s[:at])
	if err != nil {
		return err
	}
	var format formatValue
	if err := format.Set(s[at+1:]); err != nil {
		return err
	}
	*v = append(*v, quantize.Override{Names: names, Format: format.Format})
	return nil
}

func (v *overridesValue) String() string {
	var all []string
	for _, o := range *v {
		all = append(all, o.Names.String()+"="+o.Format.Name)
	}
	return strings.Join(all, " ")
}

func (v *overridesValue) Type() string { return "PATTERN=FORMAT" }

// biasValue is what is added to the logits of tokens: ID=BIAS, many times.
type biasValue map[int32]float32

func (v *biasValue) Set(s string) error {
	id, bias, ok := strings.Cut(s, "=")
	n, errID := strconv.ParseInt(id, 10, 32)
	x, errBias := strconv.ParseFloat(bias, 32)
	if !ok || errID != nil || errBias != nil {
		return errors.New("want ID=BIAS, such as 42=-1.5 or 42=-inf")
	}
	if *v == nil {
		*v = biasValue{}
	}
	(*v)[int32(n)] = float32(x)
	return nil
}

func (v *biasValue) String() string {
	if len(*v) == 0 {
		return ""
	}
	return fmt.Sprint(map[int32]float32(*v))
}

func (v *biasValue) Type() string { return "ID=BIAS" }
