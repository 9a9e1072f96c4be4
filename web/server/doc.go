// Package server is Realm as a server: what a configuration says, running. It opens the
// engine, the database of tenants and the models, puts the ways to them together - HTTP,
// the WebSocket, the pages - listens, takes over a configuration that has changed, and
// ends without cutting anyone short who is quick enough.
package server
