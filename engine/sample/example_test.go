package sample_test

import (
	"fmt"

	"github.com/realm-webgpu/realm/engine/sample"
)

// A step of generation: the short list first, the whole row where it is not enough.
func Example() {
	const vocab = 6
	sampler, err := sample.New(sample.Spec{Temperature: 1, Seed: 5}, vocab, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	prompt := []int32{3, 1}
	if err := sampler.Accept(prompt...); err != nil {
		fmt.Println(err)
		return
	}

	// What the device computed, and what it reads back at first.
	row := []float32{0.5, 4, 3, -2, 2.5, 0}
	list := sample.List{IDs: []int32{1, 2}, Logits: []float32{4, 3}, LogSumExp: 4.4959}

	for position := len(prompt); position < len(prompt)+6; position++ {
		from := "list"
		token, _, ok := sampler.Candidates(list, nil, uint64(position))
		if !ok {
			from = "row"
			if token, _, err = sampler.Row(row, nil, uint64(position)); err != nil {
				fmt.Println(err)
				return
			}
		}
		if err := sampler.Accept(token); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(token, "from the", from)
	}
	// Output:
	// 4 from the row
	// 2 from the list
	// 2 from the list
	// 1 from the list
	// 5 from the row
	// 2 from the list
}

// The log-probabilities of the model, whatever the sampler makes of them.
func ExampleSampler_TopLogprobs() {
	sampler, err := sample.New(sample.Spec{}, 4, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	top, err := sampler.TopLogprobs(nil, []float32{0, 2, 1, 2}, 3)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, t := range top {
		fmt.Printf("%d %.3f\n", t.Token, t.Logprob)
	}
	// Output:
	// 1 -0.918
	// 3 -0.918
	// 2 -1.918
}

// A grammar allows two tokens; the better one is taken.
func ExampleMask() {
	sampler, err := sample.New(sample.Spec{}, 5, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	mask := sample.NewMask(5)
	mask.Allow(0)
	mask.Allow(4)
	token, _, err := sampler.Row([]float32{1, 5, 4, 3, 2}, mask, 0)
	fmt.Println(token, err)
	// Output: 4 <nil>
}
