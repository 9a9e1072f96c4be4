package harness

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// streams is how many are under way at a time: as many as batching is for.
const streams = 16

// countries are asked about, each by a stream.
var countries = [streams]string{
	"France", "Norway", "Brazil", "Japan", "Kenya", "Canada", "Italy", "Peru",
	"India", "Egypt", "Spain", "Chile", "Ghana", "Poland", "Greece", "Mexico",
}

// streamed is a text and when it came.
type streamed struct {
	text        string
	first, last time.Time
	err         error
}

func batching(ctx context.Context, r *Rig) error {
	s, err := r.Serve(ctx, "")
	if err != nil {
		return err
	}
	var asked [streams]params
	for i, country := range countries {
		asked[i] = asking("Tell me about "+country+".").with("ignore_eos", true, "max_tokens", 100+10*i)
		if i%2 == 1 { // drawn, from a seed
			asked[i] = asked[i].with("temperature", 0.8, "seed", i)
		}
	}
	var alone, together [streams]streamed
	for i := range asked {
		if alone[i] = s.watch(ctx, asked[i]); alone[i].err != nil {
			return fmt.Errorf("alone: %w", alone[i].err)
		}
	}
	var group sync.WaitGroup
	for i := range asked {
		group.Go(func() { together[i] = s.watch(ctx, asked[i]) })
	}
	group.Wait()
	var wrong []error
	for i, got := range together {
		if got.err != nil {
			wrong = append(wrong, fmt.Errorf("stream %d: %w", i+1, got.err))
		} else if err := same(fmt.Sprintf("stream %d beside the others", i+1), got.text, alone[i].text); err != nil {
			wrong = append(wrong, err)
		}
	}
	if len(wrong) > 0 {
		return errors.Join(wrong...)
	}
	most := overlap(together[:])
	if most < 2 {
		return errors.New("the streams came one after the other")
	}
	r.Note("up to %d streams were under way at a time", most)
	return s.Stop()
}

// watch streams an answer and notes when it came.
func (s *Server) watch(ctx context.Context, p params) streamed {
	var w streamed
	w.text, w.err = s.Stream(ctx, chatPath, p, func(string) {
		w.last = time.Now()
		if w.first.IsZero() {
			w.first = w.last
		}
	})
	return w
}

// overlap returns how many texts were under way at a time, at most: between their first
// and their last parts.
func overlap(all []streamed) int {
	most := 0
	for _, at := range all {
		n := 0
		for _, other := range all {
			if !other.first.After(at.first) && other.last.After(at.first) {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}
