package jinja

import (
	"encoding/json"
	"errors"
	"os"
	"testing"
)

// The texts and errors of testdata/language.json are those of Jinja2; testdata/reference.py makes
// them from testdata/language.txt.
func TestLanguage(t *testing.T) {
	content, err := os.ReadFile("testdata/language.json")
	if err != nil {
		t.Fatal(err)
	}
	var reference struct {
		Variables json.RawMessage
		Cases     []struct {
			Source string
			Text   *string
			Raised string
			Error  string
		}
	}
	if err := json.Unmarshal(content, &reference); err != nil {
		t.Fatal(err)
	}
	variables := decodeVariables(t, reference.Variables)
	kinds := map[string]error{"undefined": ErrUndefined, "syntax": ErrSyntax, "type": ErrType}
	for _, test := range reference.Cases {
		got, err := render(test.Source, variables)
		var raised *RaisedError
		switch {
		case test.Text != nil && err != nil:
			t.Errorf("%s\n got error %v\nwant %q", test.Source, err, *test.Text)
		case test.Text != nil && got != *test.Text:
			t.Errorf("%s\n got %q\nwant %q", test.Source, got, *test.Text)
		case test.Raised != "" && (!errors.As(err, &raised) || raised.Message != test.Raised):
			t.Errorf("%s\n got %q, %v\nwant the exception %q", test.Source, got, err, test.Raised)
		case test.Error != "" && !errors.Is(err, kinds[test.Error]):
			t.Errorf("%s\n got %q, %v\nwant the error %q", test.Source, got, err, test.Error)
		}
	}
}

func decodeVariables(t testing.TB, text []byte) map[string]any {
	t.Helper()
	value, err := FromJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	variables := make(map[string]any)
	d := value.(*Dict)
	for i, key := range d.keys {
		variables[key.(string)] = d.values[i]
	}
	return variables
}

func render(source string, variables map[string]any) (string, error) {
	template, err := Parse(source)
	if err != nil {
		return "", err
	}
	return template.Render(variables, DefaultLimits())
}
