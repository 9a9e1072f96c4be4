// Package openai tests the binary with OpenAI's own client for Go. It is a package of
// its own because that client takes minutes to compile.
package openai
