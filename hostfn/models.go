package hostfn

import (
	"fmt"
	"sync"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/grammar"
)

// NewModel returns a model as guests see it. Its vocabulary for grammars is made
// when the first grammar is. Its draft model, if it is to have one, is set before.
func NewModel(name string, m *engine.Model) *Model {
	return &Model{
		Name:       name,
		Engine:     m,
		Draft:      m.HasDraft(),
		Vocabulary: sync.OnceValue(func() *grammar.Vocabulary { return grammar.NewVocabulary(m.Tokenizer()) }),
	}
}

// oneModel is the only model there is.
type oneModel struct{ *Model }

// OneModel has guests open a model by its name, and as the request's own.
func OneModel(name string, m *engine.Model) Models { return oneModel{NewModel(name, m)} }

// Open implements Models.
func (o oneModel) Open(name string) (*Model, error) {
	if name != "" && name != o.Name {
		return nil, fmt.Errorf("hostfn: model %q: %w", name, ErrNotFound)
	}
	return o.Model, nil
}
