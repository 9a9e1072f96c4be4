package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/realm-webgpu/realm/engine"
)

// streamAnswer has a sequence written on and streams the text to w, ending its line,
// also that of a text that an error broke off. It returns the text.
func streamAnswer(ctx context.Context, w io.Writer, sequence *engine.Sequence, o engine.GenerateOptions) (string, error) {
	var text strings.Builder
	var failure error
	for token, err := range sequence.Generate(ctx, o) {
		if err != nil {
			failure = err
			break
		}
		text.WriteString(token.Text)
		if _, err := io.WriteString(w, token.Text); err != nil {
			return text.String(), fmt.Errorf("answer: %w", err)
		}
	}
	if !strings.HasSuffix(text.String(), "\n") && (failure == nil || text.Len() > 0) {
		if _, err := io.WriteString(w, "\n"); err != nil {
			return text.String(), fmt.Errorf("answer: %w", err)
		}
	}
	return text.String(), failure
}
