package memory64

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/realm-webgpu/realm/e2e/chromium"
	"github.com/realm-webgpu/realm/hostfn/meter"
	"github.com/realm-webgpu/realm/hostfn/wasm"
	"github.com/realm-webgpu/realm/hostfn/wasm/wat"
)

// differentialCount is the variable that says how many generated modules are
// compared, and differentialSeed the first one.
const (
	differentialCount = "REALM_DIFFERENTIAL"
	differentialSeed  = "REALM_DIFFERENTIAL_SEED"
)

// arguments are those of the calls of a module's main, one after the other.
var arguments = [calls][2]int64{{0, 0}, {16, 1}, {0xfff0, 2}, {1 << 32, 3}, {-8, -1}, {1 << 16, 5}}

// base is the value of the global that generated modules import.
const base = 48

// page runs modules in a browser, and says of each what it did.
const page = `(() => {
const calls = %s, base = %dn, fuel = %d;
const kinds = [["memory access out of bounds", "memory"], ["data segment", "memory"], ["unreachable", "unreachable"], ["divide by zero", "division"],
	["table", "table"], ["null function", "table"], ["signature mismatch", "table"], ["element segment", "table"]];
const kind = e => (kinds.find(k => e.message.includes(k[0])) || ["", String(e)])[1];
function run(text) {
	const bytes = Uint8Array.from(atob(text), c => c.charCodeAt(0));
	let module, x;
	try { module = new WebAssembly.Module(bytes); } catch (e) { return "invalid: " + e.message; }
	try {
		x = new WebAssembly.Instance(module, {
			env: {base: new WebAssembly.Global({value: "i64"}, base)}, realm1_meter: {refill: () => 1n << 20n}}).exports;
	} catch (e) { return "no instance"; }
	const said = calls.map(([a, b]) => {
		x.fuel.value = fuel;
		try { return BigInt.asUintN(64, x.main(BigInt(a), b)).toString(16); } catch (e) { return kind(e); }
	});
	const memory = new Uint8Array(x.memory.buffer);
	let hash = 0x811c9dc5;
	for (const b of memory) hash = Math.imul(hash ^ b, 0x01000193);
	said.push(memory.length, (hash >>> 0).toString(16), BigInt.asUintN(64, x.g1.value).toString(16), (x.g2.value >>> 0).toString(16));
	return said.join(" ");
}
return %s.map(run);
})()`

// inBrowser runs modules in Chromium, which has 64-bit memories and tables of its
// own.
func inBrowser(t *testing.T, modules [][]byte) []string {
	t.Helper()
	var texts []string
	for _, m := range modules {
		texts = append(texts, base64.StdEncoding.EncodeToString(m))
	}
	list, _ := json.Marshal(texts)
	var numbers []string
	for _, a := range arguments {
		numbers = append(numbers, fmt.Sprintf("[%dn, %d]", a[0], a[1]))
	}
	said, err := chromedp.Run(chromium.Open(t), chromedp.Evaluate[[]string](fmt.Sprintf(page, "["+strings.Join(numbers, ",")+"]", base, loopFuel, list)))
	if err != nil {
		t.Fatalf("chromium: %v", err)
	}
	if len(said) != len(modules) {
		t.Fatalf("chromium has said %d lines, want %d", len(said), len(modules))
	}
	return said
}

// kinds are the names of traps, by what wazero says.
var kinds = map[string]string{
	"out of bounds memory access": "memory", "invalid table access": "table", "indirect call type mismatch": "table",
	"unreachable": "unreachable", "integer divide by zero": "division",
}

// trace runs a module as the page does.
func trace(s *script, data []byte) string {
	_, compiled, err := s.compile(data)
	if err != nil {
		return "invalid: " + err.Error()
	}
	defer func() { _ = compiled.Close(s.ctx) }()
	m, err := s.runtime.InstantiateModule(s.ctx, compiled, wazero.NewModuleConfig().WithName("").WithStartFunctions())
	if err != nil {
		return "no instance"
	}
	defer func() { _ = m.Close(s.ctx) }()
	var said []string
	for _, a := range arguments {
		m.ExportedGlobal("fuel").(api.MutableGlobal).Set(loopFuel)
		results, err := m.ExportedFunction("main").Call(s.ctx, uint64(a[0]), api.EncodeI32(int32(a[1])))
		if err == nil {
			said = append(said, strconv.FormatUint(results[0], 16))
			continue
		}
		kind := err.Error()
		for text, k := range kinds {
			if strings.Contains(err.Error(), text) {
				kind = k
			}
		}
		said = append(said, kind)
	}
	memory, _ := m.Memory().Read(0, m.Memory().Size())
	hash := uint32(0x811c9dc5)
	for _, b := range memory {
		hash = (hash ^ uint32(b)) * 0x01000193
	}
	return fmt.Sprintf("%s %d %x %x %x", strings.Join(said, " "), len(memory), hash, m.ExportedGlobal("g1").Get(), uint32(m.ExportedGlobal("g2").Get()))
}

// environment makes a script in which generated modules find what they import.
func environment(t testing.TB, e engine) *script {
	t.Helper()
	s, err := newScript(e)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	env, err := wat.Read(fmt.Sprintf(`(module (global (export "base") i64 (i64.const %d)))`, base))
	if err != nil {
		t.Fatal(err)
	}
	if s.instances["env"], err = s.instantiate(env[0]); err != nil {
		t.Fatal(err)
	}
	return s
}

// noise are the bytes that a module is generated from.
func noise(seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 64))
	data := make([]byte, 2048)
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	return data
}

// number reads a variable that is a number.
func number(t *testing.T, name string, value int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return value
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// TestDifferential compares what generated modules do here, lowered and metered,
// with what they do in a browser, as they are; and there, with fuel and without.
func TestDifferential(t *testing.T) {
	first, count := number(t, differentialSeed, 1), number(t, differentialCount, 200)
	var modules [][]byte
	for i := range count {
		modules = append(modules, generate(noise(uint64(first+i))))
	}
	all := modules
	for _, m := range modules {
		metered, err := meter.Meter(m)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, metered)
	}
	said := inBrowser(t, all)
	want := said[:count]
	for i, line := range said[count:] {
		if line != want[i] {
			t.Errorf("seed %d: metered, the browser says\n%s, and without\n%s", first+i, line, want[i])
		}
	}
	seen := map[string]int{}
	for _, line := range want {
		if strings.HasPrefix(line, "no ") || strings.HasPrefix(line, "invalid") {
			line, _, _ = strings.Cut(line, ":")
			seen[line]++
			continue
		}
		for _, word := range strings.Fields(line)[:calls] {
			if _, err := strconv.ParseUint(word, 16, 64); err == nil {
				word = "result"
			}
			seen[word]++
		}
	}
	t.Logf("%d modules: %v", count, seen)
	if seen["result"] < count/2 || seen["memory"] < count/2 || seen["invalid"] > 0 {
		t.Errorf("the modules are no good ones: %v", seen)
	}
	for _, e := range engines {
		t.Run(e.path(), func(t *testing.T) {
			s := environment(t, e)
			for i, m := range modules {
				if got := trace(s, m); got != want[i] {
					t.Errorf("seed %d:\n%s, the browser says\n%s", first+i, got, want[i])
				}
			}
		})
	}
}

// FuzzGenerated lowers modules that are valid: they stay so.
func FuzzGenerated(f *testing.F) {
	for seed := range uint64(4) {
		f.Add(noise(seed))
	}
	s := environment(f, engine{interpreter: true, metered: true})
	f.Fuzz(func(t *testing.T, data []byte) {
		_, compiled, err := s.compile(generate(data))
		if err != nil {
			t.Fatal(err)
		}
		_ = compiled.Close(s.ctx)
	})
}

// FuzzLower lowers any bytes: an error says where, and what is taken is a module,
// valid or not, that has no 64-bit memory any more.
func FuzzLower(f *testing.F) {
	for seed := range uint64(2) {
		f.Add(generate(noise(seed)))
	}
	for _, text := range []string{
		`(module (memory i64 1) (func (param i64) (result i32) (i32.load (local.get 0))))`,
		`(module (memory i64 65536 0x1_0000_0000_0000) (data (i64.const -1) "x"))`,
		`(module (table i64 0x1000_0000_0000 funcref) (func (drop (table.get (i32.const 0)))))`,
		`(module (memory i64 1) (func br 9 i32.load))`,
	} {
		data, err := wat.Module(text)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	s := environment(f, engine{interpreter: true})
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := Lower(data)
		if err != nil {
			if at, ok := err.(*wasm.FormatError); !ok || at.Offset < 0 || at.Offset > len(data) {
				t.Fatalf("an error of no place: %v", err)
			}
			return
		}
		m, err := wasm.Decode(l.Bytes)
		if err != nil {
			t.Fatalf("what was lowered cannot be read: %v", err)
		}
		for _, x := range m.AllMemories() {
			if x.Is64 {
				t.Error("there is a 64-bit memory still")
			}
		}
		for _, x := range m.AllTables() {
			if x.Limits.Is64 {
				t.Error("there is a 64-bit table still")
			}
		}
		if compiled, err := s.runtime.CompileModule(s.ctx, l.Bytes); err == nil {
			_ = compiled.Close(s.ctx)
		}
	})
}
