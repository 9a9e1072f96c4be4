package cpu

import (
	"cmp"
	"fmt"

	"github.com/realm-webgpu/realm/engine/device"
)

// kernel is an operation that is ready to run on the rows of a step.
type kernel interface{ run(s *step) }

// base is what kernels that spread over the pool have in common: they embed it,
// and keep the step they are at for their workers.
type base struct {
	arithmetic
	pool  *pool
	lanes []lane
	step  *step
}

// kernel makes the kernel of an operation that Check found good.
func (e *executable) kernel(op device.Op) (kernel, error) {
	b := base{arithmetic: e.device.arithmetic, pool: e.device.pool, lanes: e.lanes}
	switch o := op.(type) {
	case *device.Embed:
		table, err := e.whole("Table", o.Table)
		k := &embed{base: b, out: e.block(o.Out), table: table, cache: e.cache, scale: o.Scale}
		return k, err
	case *device.EmbedPosition:
		table, err := e.whole("Table", o.Table)
		return &embedPosition{base: b, out: e.block(o.Out), table: table}, err
	case *device.RMSNorm:
		weight, err := e.vector("Weight", o.Weight)
		k := &norm{base: b, out: e.block(o.Out), x: e.block(o.X), weight: weight, epsilon: o.Epsilon}
		if o.Residual != nil {
			k.residual = e.block(*o.Residual)
		}
		return k, err
	case *device.LayerNorm:
		weight, err := e.vector("Weight", o.Weight)
		k := &layerNorm{base: b, out: e.block(o.Out), x: e.block(o.X), weight: weight, epsilon: o.Epsilon}
		if o.Residual != nil {
			k.residual = e.block(*o.Residual)
		}
		if o.Bias != nil && err == nil {
			k.bias, err = e.vector("Bias", o.Bias)
		}
		return k, err
	case *device.MatMul:
		weight, err := e.matrix("Weight", o.Weight)
		k := matMul{base: b, out: e.block(o.Out), x: e.operand(e.block(o.X)), weight: weight}
		if o.Bias != nil && err == nil {
			k.bias, err = e.bias(o.Bias)
		}
		if o.Bank != nil && err == nil {
			return e.newAdapted(k, o.Bank)
		}
		return &k, err
	case *device.Rope:
		k := &rope{base: b, op: *o, cache: e.cache}
		k.query, k.key, k.value = e.block(o.Query), e.block(o.Key), e.block(o.Value)
		var err error
		if o.Dimensions > 0 {
			k.table, err = e.vector("Table", o.Table)
		}
		return k, err
	case *device.Attention:
		return &attention{
			base: b, op: *o, out: e.block(o.Out), query: e.block(o.Query), cache: e.cache,
			runs: make([]rowRun, 0, e.program.Rows),
		}, nil
	case *device.GLU:
		k := &glu{base: b, out: e.block(o.Out), gate: e.block(o.Gate), activation: o.Activation}
		if o.Up != nil {
			k.up = e.block(*o.Up)
		}
		return k, nil
	case *device.Experts:
		return e.newExperts(b, o)
	case *device.SoftCap:
		return &softCap{base: b, x: e.block(o.X), limit: o.Cap}, nil
	case *device.Softmax:
		return &softmax{base: b, out: e.block(o.Out), x: e.block(o.X), scale: cmp.Or(o.Scale, 1), causal: o.Causal}, nil
	case *device.Add:
		return &add{base: b, out: e.block(o.Out), x: e.block(o.X), y: e.block(o.Y)}, nil
	case *device.Gather:
		return &gather{base: b, out: e.block(o.Out), x: e.block(o.X)}, nil
	case *device.TopK:
		return &topK{base: b, logits: e.block(o.Logits), k: o.K}, nil
	case *device.Sample:
		return e.newSampler(), nil
	}
	return nil, fmt.Errorf("%T: %w", op, device.ErrUnsupported)
}

func (e *executable) matrix(field string, w device.Weights) (*weights, error) {
	own, err := e.own(field, w)
	if err == nil && own.rowBytes == 0 {
		return nil, fmt.Errorf("%s: a vector where a matrix has to be: %w", field, device.ErrProgram)
	}
	return own, err
}

// whole is matrix for what no slice can stand for.
func (e *executable) whole(field string, w device.Weights) (*weights, error) {
	own, err := e.matrix(field, w)
	if err == nil && own.whole != nil {
		return nil, fmt.Errorf("%s: a slice where a whole matrix has to be: %w", field, device.ErrProgram)
	}
	return own, err
}

func (e *executable) vector(field string, w device.Weights) (*weights, error) {
	own, err := e.own(field, w)
	if err == nil && own.rowBytes > 0 {
		return nil, fmt.Errorf("%s: a matrix where a vector has to be: %w", field, device.ErrProgram)
	}
	if err == nil && own.whole != nil {
		return nil, fmt.Errorf("%s: a slice where a whole vector has to be: %w", field, device.ErrProgram)
	}
	return own, err
}

// bias is vector for what a slice may be too.
func (e *executable) bias(w device.Weights) (*weights, error) {
	own, err := e.own("Bias", w)
	if err == nil && own.rowBytes > 0 {
		return nil, fmt.Errorf("in Bias, a matrix where a vector has to be: %w", device.ErrProgram)
	}
	return own, err
}

func (e *executable) own(field string, w device.Weights) (*weights, error) {
	own, ok := w.(*weights)
	if !ok || own.device != e.device {
		return nil, fmt.Errorf("%s: of another device: %w", field, device.ErrProgram)
	}
	if own.gone() {
		return nil, fmt.Errorf("%s: %w", field, device.ErrClosed)
	}
	e.weights = append(e.weights, own)
	return own, nil
}

// operand makes the input of a product.
func (e *executable) operand(x block) operand {
	return operand{block: x, by: e.device.kernels, activations: &e.activations}
}
