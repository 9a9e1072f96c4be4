package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// kills is how often the server is killed.
const kills = 3

// long is an answer that takes a while.
var long = params{"prompt": "The", "temperature": 0, "ignore_eos": true, "max_tokens": 450}

func crash(ctx context.Context, r *Rig) error {
	files := newFiles()
	defer files.Close()
	name, err := r.Run(ctx, "pull", files.URL+"/globe.gguf")
	if err != nil {
		return err
	}
	if _, err := r.Run(ctx, "tenant", "create", "acme"); err != nil {
		return err
	}
	key, err := r.Run(ctx, "key", "create", "acme")
	if err != nil {
		return err
	}
	config := fmt.Sprintf(leisurely+"[[models]]\nname = 'globe'\nsource = '%s'\n", name)
	var counted used
	for range kills {
		if counted, err = r.killed(ctx, config, key, counted); err != nil {
			return err
		}
	}
	// The last time it ends as it should, with all that it has counted.
	s, err := r.Serve(ctx, config)
	if err != nil {
		return err
	}
	s.Key = key
	if err := s.wants(ctx, asking(france), paris); err != nil {
		return fmt.Errorf("after the last kill: %w", err)
	}
	if err := s.Stop(); err != nil {
		return err
	}
	after, err := r.used(ctx)
	if err != nil {
		return err
	}
	if after.Requests != counted.Requests+1 || after.CompletionTokens <= counted.CompletionTokens {
		return fmt.Errorf("usage was %+v, and %+v after one more answer", counted, after)
	}
	text, err := r.ask(ctx, france, "-m", name)
	if err != nil {
		return err
	}
	r.Note("killed %d times; %d answers of %d tokens are counted", kills, after.Requests, after.CompletionTokens)
	return same("the model that was pulled", text, paris)
}

// killed starts a server of what another left behind, has it answer, waits until that is
// counted, and kills it in the middle of the next answer. It returns what is counted.
func (r *Rig) killed(ctx context.Context, config, key string, before used) (used, error) {
	s, err := r.Serve(ctx, config)
	if err != nil {
		return used{}, err
	}
	s.Key = key
	if err := s.wants(ctx, asking(france), paris); err != nil {
		return used{}, err
	}
	stranger := Client{Base: s.URL, Key: key[:len(key)-1] + "!"}
	if _, err := stranger.Ask(ctx, chatPath, asking(france)); refused(err, "UNAUTHORIZED") != nil {
		return used{}, refused(err, "UNAUTHORIZED")
	}
	var counted used
	err = s.Wait("the answer is counted", func() (bool, error) {
		counted, err = r.used(ctx)
		return counted.Requests > before.Requests, err
	})
	if err != nil {
		return used{}, err
	}
	if counted.CompletionTokens <= before.CompletionTokens {
		return used{}, fmt.Errorf("usage was %+v, and %+v after one more answer", before, counted)
	}
	parts := 0
	_, err = s.Stream(ctx, completionPath, long, func(string) {
		if parts++; parts == 3 {
			s.Kill()
		}
	})
	if !errors.Is(err, errBroken) {
		return used{}, fmt.Errorf("the stream of a server that was killed ended with %v after %d parts", err, parts)
	}
	return counted, nil
}

// used is what realm usage counts.
type used struct {
	Requests         int64
	CompletionTokens int64 `json:"completion_tokens"`
}

// used asks the database, as an operator would, while a server has it.
func (r *Rig) used(ctx context.Context) (used, error) {
	text, err := r.Run(ctx, "usage", "acme", "--json")
	if err != nil {
		return used{}, err
	}
	var report struct{ Total used }
	return report.Total, errors.Join(json.Unmarshal([]byte(text), &report), ctx.Err())
}

func crashPull(ctx context.Context, r *Rig) error {
	files := newFiles()
	defer files.Close()
	files.stall(true)
	pull := r.Command(ctx, "pull", files.URL+"/large.gguf")
	if err := pull.Start(); err != nil {
		return err
	}
	stalled := files.stalled(ctx)
	_ = pull.Process.Kill() // it may have ended, which Wait tells
	if err := errors.Join(stalled, pull.Wait()); err == nil || stalled != nil {
		return fmt.Errorf("a download that was killed on its way: %w", err)
	}
	list, err := r.Run(ctx, "list")
	if err != nil {
		return err
	}
	if err := same("realm list after that", list, ""); err != nil {
		return err
	}
	files.stall(false)
	name, err := r.Run(ctx, "pull", files.URL+"/large.gguf")
	if err != nil {
		return err
	}
	sent := files.sent.Load()
	r.Note("the second time %d of %d bytes were sent", sent, large)
	if sent >= large {
		return errors.New("the download did not go on where it was")
	}
	text, err := r.ask(ctx, france, "-m", name)
	if err != nil {
		return err
	}
	return same("the model that was pulled", text, paris)
}
