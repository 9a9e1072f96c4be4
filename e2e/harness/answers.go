package harness

import (
	"context"
	"fmt"
	"strings"
)

// What atlas, the model that is built in, is asked first, and what it says.
const (
	france = "What is the capital of France?"
	paris  = "The capital of France is Paris."
)

// same wants a text.
func same(what, got, want string) error {
	if got != want {
		return fmt.Errorf("%s: got %q, want %q", what, got, want)
	}
	return nil
}

func parisCLI(ctx context.Context, r *Rig) error {
	text, err := r.ask(ctx, france)
	if err != nil {
		return err
	}
	return same("realm run", text, paris)
}

func parisHTTP(ctx context.Context, r *Rig) error {
	s, err := r.Serve(ctx, "")
	if err != nil {
		return err
	}
	text, err := s.Ask(ctx, chatPath, asking(france))
	if err != nil {
		return err
	}
	if err := same("chat", text, paris); err != nil {
		return err
	}
	// What the template makes of the question, by hand.
	prompt := "<|im_start|>user\n" + france + "<|im_end|>\n<|im_start|>assistant\n"
	if text, err = s.Ask(ctx, completionPath, params{"prompt": prompt, "temperature": 0}); err != nil {
		return err
	}
	if err := same("completion", text, paris); err != nil {
		return err
	}
	_, err = s.Ask(ctx, chatPath, asking(france).with("model", "nothing"))
	if err := refused(err, "MODEL_NOT_FOUND"); err != nil {
		return fmt.Errorf("a model that there is not: %w", err)
	}
	return s.Stop()
}

func parisSSE(ctx context.Context, r *Rig) error {
	s, err := r.Serve(ctx, "")
	if err != nil {
		return err
	}
	parts := 0
	text, err := s.Stream(ctx, chatPath, asking(france), func(string) { parts++ })
	if err != nil {
		return err
	}
	if err := same("stream", text, paris); err != nil {
		return err
	}
	if parts < 2 {
		return fmt.Errorf("the stream came in %d part", parts)
	}
	r.Note("%d parts", parts)
	return s.Stop()
}

func parisWebSocket(ctx context.Context, r *Rig) error {
	s, err := r.Serve(ctx, "")
	if err != nil {
		return err
	}
	socket, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer socket.close()
	parts, end, err := socket.call("chat", asking(france))
	if err != nil {
		return err
	}
	if err := same("parts", strings.Join(parts, ""), paris); err != nil {
		return err
	}
	if err := same("end", end.Text, paris); err != nil {
		return err
	}
	if len(parts) < 2 || end.Usage.Completion < 2 || end.Finish != "stop" {
		return fmt.Errorf("%d parts, and the end %+v", len(parts), end)
	}
	r.Note("%d parts, %d tokens", len(parts), end.Usage.Completion)
	return s.Stop()
}
