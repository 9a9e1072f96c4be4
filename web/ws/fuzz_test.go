package ws

import (
	"errors"
	"testing"

	"github.com/realm-webgpu/realm/web/openai"
	"github.com/realm-webgpu/realm/web/service"
)

// FuzzFrame: any bytes are a call or an error of the client's, and the parameters of a
// call become a request or such an error.
func FuzzFrame(f *testing.F) {
	for _, text := range []string{
		`{"id":"1","function":"chat","params":{"messages":[{"role":"user","content":"hi"}],"stream":null}}`,
		`{"id":"1","function":"generate","params":{"prompt":["a","b"],"n":2,"stream":false}}`,
		`{"id":"1","function":"cancel","params":{"id":"2"}}`,
		`{"type":"auth","api_key":"rk_x"}`,
		`{"id":"1","function":"chat","params":{}}`,
		`{"id":"1","function":"chat","params":{"stream":tru}}`,
		`[[[[`, `{"id":1}`, "\xff", `null`,
	} {
		f.Add([]byte(text))
	}
	limits := openai.DefaultLimits()
	wanted := func(t *testing.T, err error) {
		var e *service.Error
		if err != nil && (!errors.As(err, &e) || e.Code != service.InvalidRequest || e.Message == "") {
			t.Fatalf("%v", err)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		_, err := readHello(data)
		wanted(t, err)
		x, err := readFrame(data, limits.Depth)
		wanted(t, err)
		if err != nil {
			return
		}
		if x.ID == "" || len(x.ID) > maxID || x.Function == "" {
			t.Fatalf("%+v", x)
		}
		c := call{frame: x}
		params, err := c.params()
		wanted(t, err)
		if err != nil {
			return
		}
		chat, err := openai.ParseChat(params, limits)
		wanted(t, err)
		if err == nil && chat.Stream != c.stream {
			t.Fatalf("stream is %v, and said %v: %s", chat.Stream, c.stream, params)
		}
		_, err = openai.ParseCompletion(params, limits)
		wanted(t, err)
	})
}
