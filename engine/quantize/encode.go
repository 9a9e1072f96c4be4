package quantize

import (
	"context"
	"fmt"
	"io"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/realm-webgpu/realm/shaders/quant"
)

// chunk is how many weights are encoded at a time, 1 MiB of float32. Blocks are
// independent of each other and a chunk is a whole number of them in every
// format, so that memory does not grow with the length of a row.
const chunk = 1024 * quant.BlockMax

// Weights gives the weights of a tensor: it fills dst with those from index at
// on, counted over all its rows. It is called from several goroutines at a time,
// always for the same ranges.
type Weights func(dst []float32, at int) error

// Encode writes the first n weights of a tensor to w in a format. They are
// encoded on all cores and written in order; what comes out does not depend on
// the number of cores. It fails with [quant.ErrLength] where n is no whole
// number of blocks, with ctx's error, and with the errors of the format
// (quant.ErrNotFinite, quant.ErrRange), of the weights and of w.
func Encode(ctx context.Context, w io.Writer, to *quant.Format, n int, weights Weights) error {
	return encode(ctx, w, to, n, weights, weighing{})
}

// encode is Encode for weights of different importance.
func encode(ctx context.Context, w io.Writer, to *quant.Format, n int, weights Weights, importance weighing) error {
	if _, err := to.RowBytes(n); err != nil {
		return fmt.Errorf("quantize: encode: %w", err)
	}
	workers := make([]worker, min(runtime.GOMAXPROCS(0), (n+chunk-1)/chunk))
	for at := 0; at < n; {
		group, ctx := errgroup.WithContext(ctx)
		busy := 0
		for ; busy < len(workers) && at < n; busy++ {
			k, start, size := &workers[busy], at, min(chunk, n-at)
			group.Go(func() error { return k.encode(ctx, to, start, size, weights, importance) })
			at += size
		}
		if err := group.Wait(); err != nil {
			return err
		}
		for i := range busy {
			if _, err := w.Write(workers[i].encoded); err != nil {
				return fmt.Errorf("quantize: encode: write: %w", err)
			}
		}
	}
	return nil
}

// worker has the memory for one chunk.
type worker struct {
	weights []float32
	encoded []byte
}

func (k *worker) encode(ctx context.Context, to *quant.Format, start, size int, weights Weights, importance weighing) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("quantize: encode: %w", err)
	}
	bytes, err := to.RowBytes(size)
	if err != nil {
		return fmt.Errorf("quantize: encode: %w", err)
	}
	if cap(k.weights) < size {
		k.weights, k.encoded = make([]float32, size), make([]byte, bytes)
	}
	k.weights, k.encoded = k.weights[:size], k.encoded[:bytes]
	if err := weights(k.weights, start); err != nil {
		return fmt.Errorf("quantize: weights from %d on: %w", start, err)
	}
	for at := 0; at < size; {
		columns, n := importance.next(start+at, size-at)
		part := k.encoded[at/to.BlockElements*to.BlockBytes:]
		part = part[:n/to.BlockElements*to.BlockBytes]
		if err := to.Encode(part, k.weights[at:at+n], columns); err != nil {
			return fmt.Errorf("quantize: weights from %d on: %w", start+at, err)
		}
		at += n
	}
	return nil
}
