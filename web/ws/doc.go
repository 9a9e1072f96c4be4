// Package ws answers tenants over a WebSocket: JSON in text frames, many calls on one
// connection. docs/websocket.md has the messages.
//
// A connection has a goroutine that reads, one that writes, and one for each call that
// is under way. What is to be sent waits in a queue of so many bytes. A call never waits
// for a reader: one that lets the queue run full is dropped, and the batch has not
// noticed.
package ws
