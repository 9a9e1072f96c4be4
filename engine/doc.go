// Package engine runs language models: it opens a device, loads models onto
// it, and reads and writes sequences of tokens.
//
//	e, err := engine.Open(engine.Options{})
//	f, err := gguf.Open("model.gguf")
//	m, err := e.Load(ctx, f, engine.LoadOptions{})
//	s, err := m.NewSequence()
//	err = s.Append(m.Encode("Once upon a time", true)...)
//	for t, err := range s.Generate(ctx, engine.GenerateOptions{MaxTokens: 100}) {
//		fmt.Print(t.Text)
//	}
//
// # Same text every time
//
// What a model says depends on the device, the tokens, the sampling and its
// seed, and on nothing else: not on how a prompt was cut into steps, not on
// other sequences, not on whether tokens were read before. Greedy text of one
// device is the same from run to run.
//
// # Concurrency
//
// An Engine and a Model may be used from many goroutines; their sequences take
// turns on the device, a step each. A Sequence is for one goroutine at a time;
// a call that finds it in use fails with [ErrBusy].
//
// # Adapters
//
// [Model.LoadAdapter] puts a LoRA adapter on the device, and [Sequence.UseAdapter] has a
// sequence go by it. Sequences of many adapters, and of none, ride in the same steps.
//
// # Two steps in flight
//
// While the host waits for the token of one step, the device works on the
// next, which takes that token where the device left it. At most one step is
// thrown away when a text ends. Sampling that needs the host (penalties, biases,
// typical_p, a nucleus wider than the candidates that come back) goes a step at
// a time and draws the same tokens.
package engine
