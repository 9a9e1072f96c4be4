package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/guest"
)

func TestChat(t *testing.T) {
	f := newFolder(t)
	f.put("asked.json", []byte(`[{"role":"user","content":"Where is Oslo?"},{"role":"assistant","content":"In Norway."},{"role":"user","content":"`+question+`"}]`))
	f.put("bad.json", []byte(`[{"role":"robot","content":"x"}]`))
	f.put("late.json", []byte(`[{"role":"user","content":"x"},{"role":"system","content":"x"}]`))
	f.put("no.json", []byte(`{`))
	for _, c := range []struct {
		name, stdin string
		args        []string
		want        string // standard output
		said        string // what one of the lines on standard error has; "": there are none
	}{
		{"nothing", "", nil, "", ""},
		{"blank lines", "\n  \n", nil, "", ""},
		{"one question", question + "\n", nil, answer, ""},
		{"no line end", question, nil, answer, ""},
		{"CRLF", question + "\r\n/exit\r\n" + question, nil, answer, ""},
		{"two questions", question + "\n" + question + "\n", nil, answer + answer, ""},
		{"backslash", "What is the capital\\\n of France?", nil, "", ""},
		{"fence", "\"\"\"\n" + question + "\n\"\"\"\n" + question, nil, answer + answer, ""},
		{"fence on one line", `"""` + question + `"""`, nil, answer, ""},
		{"open fence", "\"\"\"" + question, nil, answer, ""},
		{"load and answer", "/load asked.json", nil, answer, ""},
		{"load nothing", "/load nowhere.json\n" + question, nil, answer, "/load: open nowhere.json"},
		{"load a folder", "/load .", nil, "", "/load: "},
		{"load no JSON", "/load no.json", nil, "", "/load: no.json: "},
		{"load a robot", "/load bad.json", nil, "", `message 0: role "robot"`},
		{"load a late system", "/load late.json", nil, "", "message 1: only the first"},
		{"save to nowhere", "/save nowhere/x.json\n" + question, nil, answer, "/save: "},
		{"save without a name", "/save\n" + question, nil, answer, "/save wants a FILE"},
		{"reset with an argument", "/reset all\n" + question, nil, answer, "/reset stands alone"},
		{"no command", "/rest\n" + question, nil, answer, `"/rest" is no command`},
		{"help", "/help", nil, "", "/system [TEXT]"},
		{"max tokens", question, []string{"-n", "3"}, "The capital of\n", "stopped after 3 tokens"},
		{"stop", question, []string{"--stop", " Paris"}, "The capital of France is\n", ""},
		{"too long", strings.Repeat("x ", 600) + "\n" + question, nil, answer, "the context has room for 512: /save it, then /reset"},
		{"context full", question, []string{"--ctx", "24"}, "The capital of France is\n", "the context of 24 tokens is full"},
		{"refused", question, []string{"--template", "{{ raise_exception('not today') }}"}, "", "not today"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := folder{t, f.dir}.good(c.stdin, append([]string{"chat", "--device", "cpu"}, c.args...)...)
			if c.name == "backslash" {
				if strings.Count(o.stdout, "\n") != 1 {
					t.Errorf("printed %q, want one answer", o.stdout)
				}
				return
			}
			if o.stdout != c.want {
				t.Errorf("printed %q, want %q", o.stdout, c.want)
			}
			if c.said == "" && o.stderr != "" || !strings.Contains(o.stderr, c.said) {
				t.Errorf("said %q, want %q in it", o.stderr, c.said)
			}
		})
	}
	f.holds("asked.json", "bad.json", "late.json", "no.json")
}

// TestChatPrefix has nothing read twice that the sequence has read before.
func TestChatPrefix(t *testing.T) {
	f := newFolder(t)
	o := f.good(question+"\nWhere is Oslo?\n/reset\n"+question+"\n", "chat", "--device", "cpu", "-v", "--system", "Be brief.")
	lines := strings.Split(strings.TrimSpace(o.stderr), "\n")
	want := []string{"prompt of 34 tokens, 0 of them read before", "prompt of 59 tokens, 32 of them", "prompt of 34 tokens, 32 of them"}
	if len(lines) != len(want) {
		t.Fatalf("said %q", o.stderr)
	}
	for i := range want {
		if !strings.Contains(lines[i], want[i]) {
			t.Errorf("said %q, want %q in it", lines[i], want[i])
		}
	}
}

func TestChatSave(t *testing.T) {
	f := newFolder(t)
	f.good(question+"\n/system Be <brief>.\n/save it.json\n/reset\n/system\n/save empty.json\n", "chat", "--device", "cpu", "--system", "Be brief.")
	var messages []guest.Message
	if err := json.Unmarshal(f.get("it.json"), &messages); err != nil {
		t.Fatal(err)
	}
	if len(messages) != 3 || messages[0] != (guest.Message{Role: "system", Content: "Be <brief>."}) ||
		messages[1] != (guest.Message{Role: "user", Content: question}) || messages[2].Role != "assistant" || messages[2].Content == "" {
		t.Errorf("saved %+v", messages)
	}
	if text := string(f.get("empty.json")); text != "[]\n" {
		t.Errorf("saved %q, want no messages", text)
	}
	// What was saved is loaded, and is what comes before the next question.
	o := f.good("/load it.json\n/save again.json\n", "chat", "--device", "cpu")
	if o.stdout != "" || o.stderr != "" || string(f.get("again.json")) != string(f.get("it.json")) {
		t.Errorf("printed %q, said %q, saved %s", o.stdout, o.stderr, f.get("again.json"))
	}
	f.holds("it.json", "empty.json", "again.json")
}

// TestChatInterrupted stops an answer, which the conversation survives, and then
// the program while it waits.
func TestChatInterrupted(t *testing.T) {
	f := newFolder(t)
	c := f.command(append([]string{"chat"}, f.endless()...)...)
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := stdin.Write([]byte(question + "\n/save it.json\n/bogus\n")); err != nil {
		t.Fatal(err)
	}
	one := make([]byte, 1)
	if _, err := stdout.Read(one); err != nil {
		t.Fatal(err)
	}
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	for !strings.Contains(said.String(), "no command") {
		if _, err := stderr.Read(one); err != nil {
			t.Fatalf("said %q, then %v", said.String(), err)
		}
		said.Write(one)
	}
	if !strings.HasPrefix(said.String(), "realm: stopped\n") {
		t.Errorf("said %q", said.String())
	}
	var messages []guest.Message
	if err := json.Unmarshal(f.get("it.json"), &messages); err != nil || len(messages) != 2 || messages[1].Content == "" {
		t.Errorf("saved %+v, %v", messages, err)
	}
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	// Between two inputs nothing stands between a signal and the process.
	if err := c.Wait(); err == nil || c.ProcessState.ExitCode() == exitOK {
		t.Errorf("ended with %v", err)
	}
}
