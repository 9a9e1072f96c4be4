package engine

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/realm-webgpu/realm/engine/model"
)

// EmbedOptions say how hidden states become embeddings. The zero value does what the
// model was made for.
type EmbedOptions struct {
	// Pooling, unless nil, takes the place of the model's own, Config().Pooling.
	Pooling *model.Pooling
	// Raw leaves embeddings as long as they are. Without, they have the Euclidean
	// length 1, so that the cosine of two is their scalar product.
	Raw bool
	// Tenant, unless nil, is whose work it is.
	Tenant *Tenant
}

// Embed returns the embedding of a text [1][EmbeddingLength], or with PoolingNone
// that of each of its tokens [n][EmbeddingLength], from the hidden states after the
// last norm. Any model has them; those of one that was made for text say less about
// what texts have in common than those of one that was trained for it.
//
// Errors: ErrEmpty, ErrToken, ErrOption for a pooling that there is none of, a
// ContextError for a text that is longer than the context (or, where the model reads
// in both directions, than a step of the device), ErrClosed, kv.ErrPages, those of
// the device, and ctx.Err().
func (m *Model) Embed(ctx context.Context, tokens []int32, o EmbedOptions) ([][]float32, error) {
	rows, err := m.embed(ctx, tokens, o)
	if err != nil {
		return nil, fmt.Errorf("engine: embed: %w", err)
	}
	return rows, nil
}

func (m *Model) embed(ctx context.Context, tokens []int32, o EmbedOptions) ([][]float32, error) {
	config := m.model.Config()
	pooling := config.Pooling
	if o.Pooling != nil {
		pooling = *o.Pooling
	}
	switch pooling {
	case model.PoolingNone, model.PoolingMean, model.PoolingCLS, model.PoolingLast:
	default:
		return nil, fmt.Errorf("%v: %w", pooling, ErrOption)
	}
	switch n := len(tokens); {
	case n == 0:
		return nil, ErrEmpty
	case config.Bidirectional && n > m.core.Chunk():
		return nil, &ContextError{Need: n, Limit: m.core.Chunk()}
	}
	s, err := m.sequenceOf(o.Tenant)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if err := s.Append(tokens...); err != nil {
		return nil, err
	}
	rows, err := s.hiddenStates(ctx)
	if err != nil {
		return nil, err
	}
	rows = pool(rows, pooling)
	if !o.Raw {
		for _, row := range rows {
			normalize(row)
		}
	}
	return rows, nil
}

// hiddenStates reads the tokens and returns their states [n][EmbeddingLength]. That
// all are made costs little: there is no product with a vocabulary.
func (s *Sequence) hiddenStates(ctx context.Context) ([][]float32, error) {
	run := s.model.engine.Start(ctx, Request{Sequence: s, Hidden: true, Each: true})[0]
	defer run.Cancel()
	var rows [][]float32
	for {
		o, err := run.Next(ctx)
		if err == io.EOF {
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
		rows = append(rows, slices.Clone(o.Hidden))
	}
}

// pool makes the embeddings of a text of its states.
func pool(states [][]float32, pooling model.Pooling) [][]float32 {
	switch pooling {
	case model.PoolingCLS:
		return states[:1]
	case model.PoolingLast:
		return states[len(states)-1:]
	case model.PoolingMean:
		mean := make([]float32, len(states[0]))
		for i := range mean {
			sum := 0.0
			for _, row := range states {
				sum += float64(row[i])
			}
			mean[i] = float32(sum / float64(len(states)))
		}
		return [][]float32{mean}
	}
	return states
}

// normalize divides a row by its Euclidean length. A row of zeros stays one.
func normalize(row []float32) {
	sum := 0.0
	for _, x := range row {
		sum += float64(x) * float64(x)
	}
	if sum == 0 {
		return
	}
	scale := 1 / math.Sqrt(sum)
	for i := range row {
		row[i] = float32(float64(row[i]) * scale)
	}
}
