// Package tenant knows who may use a server, and how much.
//
// A [Store] is an SQLite database of tenants, their keys, their guests and what they
// have used, day by day. Several processes may have it open: a server, and the
// commands that edit it. A server answers from a copy in memory, so that a request
// costs one SHA-256 and one look into a map; the copy is made again within
// [PollInterval] after another process changed something, and at once after a change
// of its own. A database that cannot be read for [StaleLimit] is an error of each
// request: a key that was revoked must not live on.
//
// A [Limiter] has the buckets of requests and tokens a minute, in memory: a server
// that starts again starts with full ones. A [Recorder] counts what is used, and
// writes it every [FlushInterval] and when it is closed: a process that dies loses
// what it counted since the last time.
package tenant
