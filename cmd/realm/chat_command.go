package main

import (
	"context"
	"fmt"
	"strings"
)

// chatCommand is an input that is no question.
type chatCommand struct {
	name     string
	argument string // what comes behind the name, in brackets where it need not; "": nothing
	help     string
	do       func(d *dialogue, ctx context.Context, argument string) error
}

// chatCommands is the table of all there are. The error of a command ends the
// dialogue.
func chatCommands() []chatCommand {
	return []chatCommand{
		{"/help", "", "list the commands", (*dialogue).help},
		{"/save", "FILE", "write the conversation to FILE, as JSON", (*dialogue).saveTo},
		{"/load", "FILE", "go on with that of FILE; a question at its end is answered", (*dialogue).loadFrom},
		{"/system", "[TEXT]", "replace the system message; without TEXT, take it away", (*dialogue).replaceSystem},
		{"/reset", "", "forget all but the system message", (*dialogue).startAnew},
		{"/exit", "", "leave", func(*dialogue, context.Context, string) error { return errExit }},
	}
}

// commandTable lists the commands for people.
func commandTable() string {
	var b strings.Builder
	for _, c := range chatCommands() {
		fmt.Fprintf(&b, "  %-15s %s\n", c.name+" "+c.argument, c.help)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// isCommand reports whether an input is no question.
func isCommand(input string) bool { return strings.HasPrefix(input, "/") }

// completeCommand offers the commands that begin with line.
func completeCommand(line string) []string {
	var names []string
	for _, c := range chatCommands() {
		if line != "" && strings.HasPrefix(c.name, line) {
			names = append(names, c.name)
		}
	}
	return names
}

// command does what a command asks for. What is wrong with it is said.
func (d *dialogue) command(ctx context.Context, input string) error {
	name, argument, _ := strings.Cut(input, " ")
	argument = strings.TrimSpace(argument)
	for _, c := range chatCommands() {
		if c.name != name {
			continue
		}
		switch {
		case c.argument == "" && argument != "":
			d.say("%s stands alone", name)
		case c.argument != "" && c.argument[0] != '[' && argument == "":
			d.say("%s wants a %s", name, c.argument)
		default:
			return c.do(d, ctx, argument)
		}
		return nil
	}
	d.say(`%.40q is no command, /help lists them; a question that begins so goes between %s and %[2]s`, name, fence)
	return nil
}

func (d *dialogue) help(context.Context, string) error {
	d.say("commands:\n%s", commandTable())
	return nil
}

func (d *dialogue) saveTo(_ context.Context, path string) error {
	if err := d.save(path); err != nil {
		d.say("/save: %v", err)
	}
	return nil
}

func (d *dialogue) loadFrom(ctx context.Context, path string) error {
	if err := d.load(ctx, path); err != nil {
		if ctx.Err() != nil {
			return err
		}
		d.say("/load: %v", err)
		return nil
	}
	last := len(d.messages) - 1
	if last < 0 || d.messages[last].Role != roleUser {
		return nil
	}
	question := d.messages[last].Content
	d.messages = d.messages[:last]
	return d.askFor(ctx, question)
}

func (d *dialogue) replaceSystem(_ context.Context, text string) error {
	d.setSystem(text)
	return nil
}

func (d *dialogue) startAnew(context.Context, string) error {
	d.reset()
	return nil
}
