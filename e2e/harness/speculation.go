package harness

import (
	"context"
	"fmt"
)

// The counters of drafts.
const (
	draftedMetric  = `vllm:spec_decode_num_draft_tokens_total{model_name="atlas"}`
	acceptedMetric = `vllm:spec_decode_num_accepted_tokens_total{model_name="atlas"}`
)

// speculated are texts to be made with drafts and without. The second one repeats itself
// soon, which is what drafts from the text live on.
var speculated = []params{
	{"messages": asking("Tell me about Brazil.")["messages"], "temperature": 0},
	{"messages": asking("Tell me about Norway.")["messages"], "temperature": 0, "ignore_eos": true, "max_tokens": 200},
	{"messages": asking(france)["messages"], "temperature": 0.9, "seed": 7, "max_tokens": 60},
}

func speculation(ctx context.Context, r *Rig) error {
	s, err := r.Serve(ctx, "")
	if err != nil {
		return err
	}
	var plain []string
	for _, p := range speculated {
		text, err := s.Ask(ctx, chatPath, p)
		if err != nil {
			return err
		}
		plain = append(plain, text)
	}
	drafted, accepted, err := s.drafts()
	if err != nil {
		return err
	}
	if drafted > 0 || accepted > 0 {
		return fmt.Errorf("without drafts %g tokens were drafted and %g accepted", drafted, accepted)
	}
	for _, mode := range []string{"lookup", "model"} {
		for i, p := range speculated {
			text, err := s.Ask(ctx, chatPath, p.with("speculative", mode))
			if err != nil {
				return err
			}
			if err := same("with drafts by "+mode, text, plain[i]); err != nil {
				return err
			}
		}
		moreDrafted, moreAccepted, err := s.drafts()
		if err != nil {
			return err
		}
		d, a := moreDrafted-drafted, moreAccepted-accepted
		if d <= 0 || a <= 0 || a > d {
			return fmt.Errorf("by %s %g tokens were drafted and %g of them accepted", mode, d, a)
		}
		r.Note("%s: %g of %g drafted tokens accepted", mode, a, d)
		drafted, accepted = moreDrafted, moreAccepted
	}
	return s.Stop()
}

// drafts returns the counters of drafts; what is not counted yet is 0.
func (s *Server) drafts() (drafted, accepted float64, err error) {
	if drafted, err = s.Metric(draftedMetric); err != nil {
		return 0, 0, err
	}
	accepted, err = s.Metric(acceptedMetric)
	return max(0, drafted), max(0, accepted), err
}
