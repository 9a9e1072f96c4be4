package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/engine/gguf"
)

// repository has a hub answer for ORG/REPO with these files.
func (o *origin) repository(t *testing.T, name string, files map[string][]byte) {
	t.Helper()
	var tree []map[string]any
	for path, data := range files {
		o.put("/"+name+"/resolve/main/"+path, data)
		entry := map[string]any{"type": "file", "path": path, "oid": strings.Repeat("a", 40), "size": len(data)}
		if len(data) > 1000 {
			entry["lfs"] = map[string]any{"oid": sha(data), "size": len(data), "pointerSize": 135}
		}
		tree = append(tree, entry)
	}
	tree = append(tree, map[string]any{"type": "directory", "path": "sub.gguf", "oid": "x", "size": 0})
	body, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	o.put("/api/models/"+name+"/tree/main", body)
}

func TestHub(t *testing.T) {
	o, r := newOrigin(t), newRig(t)
	r.options.Hub = o.URL
	q4, q8, odd := model(t, 1000, 4), model(t, 100_000, 8), model(t, 2000, 9)
	split, wrong := shards(t, 3, 1000), shards(t, 2, 1000)
	o.repository(t, "org/Repo-GGUF", map[string][]byte{
		"Repo-Q4_K_M.gguf": q4,
		"Repo-Q8_0.gguf":   q8,
		"odd name, with 100% + ünicode-IQ2_M.gguf": odd,
		"BF16/Repo-BF16-00001-of-00003.gguf":       split[0],
		"BF16/Repo-BF16-00002-of-00003.gguf":       split[1],
		"BF16/Repo-BF16-00003-of-00003.gguf":       split[2],
		"gone-F16-00001-of-00002.gguf":             wrong[0],
		"mixed-F32-00001-of-00002.gguf":            wrong[1],
		"mixed-F32-00002-of-00002.gguf":            wrong[0],
		"mmproj-F16.gguf":                          q4,
		"Repo.imatrix.gguf":                        q4,
		"README.md":                                []byte("hello"),
		"a/Twice-Q5_0.gguf":                        q4,
		"b/Twice-Q5_0.gguf":                        q8,
	})
	for _, c := range []struct {
		ref, name string
		want      [][]byte
	}{
		{"hf.co/org/Repo-GGUF:Q4_K_M", "hf.co/org/Repo-GGUF:Q4_K_M", [][]byte{q4}},
		{"huggingface.co/org/Repo-GGUF:q8_0", "hf.co/org/Repo-GGUF:Q8_0", [][]byte{q8}},
		{"https://huggingface.co/org/Repo-GGUF:Repo-Q8_0.gguf", "hf.co/org/Repo-GGUF:Q8_0", [][]byte{q8}},
		{"hf.co/org/Repo-GGUF:IQ2_M", "hf.co/org/Repo-GGUF:IQ2_M", [][]byte{odd}},
		{"hf.co/org/Repo-GGUF:bf16", "hf.co/org/Repo-GGUF:BF16", split},
		{"hf.co/org/Repo-GGUF:b/twice-q5_0", "hf.co/org/Repo-GGUF:b/Twice-Q5_0", [][]byte{q8}},
	} {
		if m := r.good(c.ref, c.want...); m.Name != c.name {
			t.Errorf("%s: name %q", c.ref, m.Name)
		}
	}
	m, err := r.Find("hf.co/org/Repo-GGUF:BF16")
	if err != nil || m.Architecture != "qwen3" || m.Parameters != 3000 {
		t.Errorf("model %+v, %v", m, err)
	}
	f, err := gguf.OpenSplit(r.Paths(m)...)
	if err != nil || len(f.Tensors) != 3 {
		t.Errorf("opened: %v", err)
	} else {
		f.Close()
	}
	for _, c := range []struct {
		ref  string
		want error
		text string
	}{
		{"hf.co/org/Repo-GGUF", ErrAmbiguous, "there are BF16, Q4_K_M, Q8_0, a/Twice-Q5_0, b/Twice-Q5_0, F16, F32, IQ2_M"},
		{"hf.co/org/Repo-GGUF:Q5_0", ErrAmbiguous, "there are a/Twice-Q5_0, b/Twice-Q5_0"},
		{"hf.co/org/Repo-GGUF:Q6_K", ErrNoFile, "BF16, Q4_K_M, Q8_0"},
		{"hf.co/org/Repo-GGUF:K_M", ErrNoFile, "Q4_K_M"},
		{"hf.co/org/Repo-GGUF:F16", ErrNoFile, "shard 2 of 2 is missing in the repository"},
		{"hf.co/org/Repo-GGUF:F32", gguf.ErrShard, "hf.co/org/Repo-GGUF:F32"},
		{"hf.co/org/nowhere:Q4_0", errAny, "hf.co/org/nowhere:Q4_0: " + o.URL + "/api/models/org/nowhere/tree/main?recursive=true: 404 Not Found: it is not there, or not for everyone: HF_TOKEN"},
	} {
		_, err := r.pull(c.ref)
		if err == nil || c.want != errAny && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: error %v, want %q", c.ref, err, c.text)
		}
	}
	r.left()
}

// TestHubOnly: where there is one model, it need not be named.
func TestHubOnly(t *testing.T) {
	o, r := newOrigin(t), newRig(t)
	r.options.Hub = o.URL + "/"
	data := model(t, 1000, 1)
	o.repository(t, "org/one", map[string][]byte{"tiny.gguf": data, "mmproj-tiny-F16.gguf": data})
	o.repository(t, "org/none", map[string][]byte{"model.safetensors": data})
	if m := r.good("hf.co/org/one", data); m.Name != "hf.co/org/one:tiny" {
		t.Errorf("name %q", m.Name)
	}
	if _, err := r.pull("hf.co/org/none:Q4_0"); !errors.Is(err, ErrNoFile) {
		t.Errorf("error %v", err)
	}
	r.options.Hub = "ftp://nowhere"
	if _, err := r.pull("hf.co/org/one"); !errors.Is(err, ErrReference) {
		t.Errorf("error %v", err)
	}
}

// TestListing has hubs list what they should not.
func TestListing(t *testing.T) {
	data := model(t, 1000, 1)
	entry := func(path string) string {
		return fmt.Sprintf(`{"type":"file","path":%q,"size":%d,"lfs":{"oid":"%s","size":%d}}`, path, len(data), sha(data), len(data))
	}
	for _, c := range []struct {
		name, body, link string
		want             error
	}{
		{"up", "[" + entry("../../../x-Q4_0.gguf") + "]", "", ErrProtocol},
		{"absolute", "[" + entry("/etc/x-Q4_0.gguf") + "]", "", ErrProtocol},
		{"up within", "[" + entry("a/../../x-Q4_0.gguf") + "]", "", ErrProtocol},
		{"bad hash", strings.ReplaceAll("["+entry("x-Q4_0.gguf")+"]", sha(data), "../../x"), "", ErrProtocol},
		{"hash of another", strings.ReplaceAll("["+entry("x-Q4_0.gguf")+"]", sha(data), strings.Repeat("1", 64)), "", ErrHash},
		{"another size", strings.ReplaceAll("["+entry("x-Q4_0.gguf")+"]", fmt.Sprint(len(data)), "7"), "", ErrProtocol},
		{"negative size", `[{"type":"file","path":"x-Q4_0.gguf","size":-1}]`, "", ErrProtocol},
		{"a size beyond any disk", `[{"type":"file","path":"x-Q4_0.gguf","size":1152921504606846976}]`, "", ErrSpace},
		{"no JSON", "<html>", "", ErrProtocol},
		{"an object", `{"error":"no"}`, "", ErrProtocol},
		{"a page elsewhere", "[]", `<https://127.0.0.1:1/x>; rel="next"`, ErrProtocol},
		{"pages without end", "[]", `</api/models/org/repo/tree/main>; rel="next"`, ErrProtocol},
		{"nothing", "[]", "", ErrNoFile},
		{"too long", "[" + strings.Repeat(" ", maxListingBytes) + "]", "", ErrProtocol},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, r := newOrigin(t), newRig(t)
			r.options.Hub = o.URL
			o.put("/org/repo/resolve/main/x-Q4_0.gguf", data)
			o.put("/api/models/org/repo/tree/main", []byte(c.body))
			o.answer = func(w http.ResponseWriter, r *http.Request, _ int) bool {
				if c.link != "" {
					w.Header().Set("Link", c.link)
				}
				return false
			}
			_, err := r.pull("hf.co/org/repo:Q4_0")
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), "hf.co/org/repo") && !strings.Contains(err.Error(), o.URL) {
				t.Errorf("error %v, want %v", err, c.want)
			}
			r.left()
		})
	}
}

// TestPages reads a listing of many pages.
func TestPages(t *testing.T) {
	o, r := newOrigin(t), newRig(t)
	r.options.Hub = o.URL
	data := model(t, 1000, 1)
	o.repository(t, "org/repo", map[string][]byte{"x-Q4_0.gguf": data})
	o.answer = func(w http.ResponseWriter, r *http.Request, n int) bool {
		if !strings.HasPrefix(r.URL.Path, "/api/") || r.URL.Query().Get("cursor") != "" {
			return false
		}
		w.Header().Set("Link", `<`+o.URL+r.URL.Path+`?cursor=2>; rel="next"`)
		fmt.Fprint(w, `[{"type":"file","path":"y-Q8_0.gguf","size":1}]`)
		return true
	}
	r.good("hf.co/org/repo:Q4_0", data)
}

// TestToken shows the token to the hub, and to no one that the hub redirects to.
func TestToken(t *testing.T) {
	const token = "hf_secret"
	o, elsewhere, r := newOrigin(t), newOrigin(t), newRig(t)
	r.options.Hub, r.options.Token = o.URL, " "+token+"\n"
	data := model(t, 100_000, 1)
	o.repository(t, "org/private", map[string][]byte{"x-Q4_0.gguf": data})
	elsewhere.put("/blob", data)
	o.answer = func(w http.ResponseWriter, r *http.Request, _ int) bool {
		switch {
		case r.URL.Path == "/stolen":
			return false
		case r.Header.Get("Authorization") != "Bearer "+token:
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return true
		case strings.HasSuffix(r.URL.Path, "/x-Q4_0.gguf"):
			http.Redirect(w, r, elsewhere.URL+"/blob", http.StatusFound)
			return true
		}
		return false
	}
	r.good("hf.co/org/private:Q4_0", data)
	if len(elsewhere.tokens) == 0 || slices.ContainsFunc(elsewhere.tokens, func(s string) bool { return s != "" }) {
		t.Errorf("the other host was shown %q", elsewhere.tokens)
	}

	// From another host there is no way back to where the token counts.
	o.put("/stolen", data)
	elsewhere.answer = func(w http.ResponseWriter, r *http.Request, _ int) bool {
		http.Redirect(w, r, o.URL+"/stolen", http.StatusFound)
		return true
	}
	o.mu.Lock()
	o.asked, o.tokens = nil, nil
	o.mu.Unlock()
	r.good(elsewhere.URL+"/model.gguf", data)
	if i := slices.IndexFunc(o.tokens, func(s string) bool { return s != "" }); i >= 0 {
		t.Errorf("%s came with the token", o.asked[i])
	}

	// A URL of the hub itself is opened by it.
	o.answer = nil
	o.mu.Lock()
	o.tokens = nil
	o.mu.Unlock()
	r.good(o.URL+"/org/private/resolve/main/x-Q4_0.gguf", data)
	if len(o.tokens) == 0 || slices.Contains(o.tokens, "") {
		t.Errorf("the hub was shown %q", o.tokens)
	}

	// A file that is listed for all, and is not for all.
	o.answer = func(w http.ResponseWriter, r *http.Request, _ int) bool {
		if strings.HasPrefix(r.URL.Path, "/api/") {
			return false
		}
		w.WriteHeader(403)
		return true
	}
	o.repository(t, "org/gated", map[string][]byte{"x-Q4_0.gguf": model(t, 1000, 7)})
	if _, err := r.pull("hf.co/org/gated:Q4_0"); err == nil || !strings.Contains(err.Error(), "403 Forbidden: it is not there, or the token in HF_TOKEN") {
		t.Errorf("error %v", err)
	}

	// A token that opens nothing.
	o.answer = func(w http.ResponseWriter, _ *http.Request, _ int) bool { w.WriteHeader(401); return true }
	if _, err := r.pull("hf.co/org/private:Q4_0"); err == nil || !strings.Contains(err.Error(), "the token in HF_TOKEN does not open it") || strings.Contains(err.Error(), token) {
		t.Errorf("error %v", err)
	}
}

func TestLabel(t *testing.T) {
	for stem, want := range map[string]string{
		"Llama-3.2-1B-Instruct-Q4_K_M":        "Q4_K_M",
		"Llama-3.2-1B-Instruct-f16":           "f16",
		"qwen2.5-0.5b-instruct-q4_0":          "q4_0",
		"llama-2-7b.Q5_K_S":                   "Q5_K_S",
		"Model.i1-IQ2_XXS":                    "IQ2_XXS",
		"DeepSeek-R1-UD-Q2_K_XL":              "UD-Q2_K_XL",
		"Q4_K_M/Model-Q4_K_M":                 "Q4_K_M",
		"gpt-oss-20b-MXFP4":                   "MXFP4",
		"bitnet-TQ1_0":                        "TQ1_0",
		"Phi-3-mini-4k-instruct-q4":           "q4",
		"Phi-3-mini-4k-instruct-fp16":         "fp16",
		"Qwen3-8B":                            "Qwen3-8B",
		"mistral-7b-v0.1":                     "mistral-7b-v0.1",
		"Llama-Q4_K_M-imat":                   "Q4_K_M",
		"model-Q4_0_4_4":                      "Q4_0_4_4",
		"ggml-model-q8_0":                     "q8_0",
		"BF16":                                "BF16",
		"model_q6_k":                          "q6_k",
		"Llama-3.2-1B-Instruct-Q4_K_M-bf16":   "bf16",
		"gemma-3-1b-it-qat-q4_0":              "q4_0",
		"tinyllama-1.1b-chat-v1.0.Q3_K_L":     "Q3_K_L",
		"stories260K":                         "stories260K",
		"a/b/c/SmolLM2-135M-Instruct-Q8_0":    "Q8_0",
		"Mixtral-8x7B-Instruct-v0.1-IQ3_M-v2": "IQ3_M",
	} {
		if got := label(stem); got != want {
			t.Errorf("%s: %q, want %q", stem, got, want)
		}
	}
}
