// Package load asks a server for completions, as many clients at a time would, and
// measures what each sees: over plain HTTP, streams of events, or the WebSocket. It
// knows of servers no more than their API.
package load
