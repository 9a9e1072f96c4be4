// Package service answers what tenants ask, whichever way it came: HTTP and the
// WebSocket (packages api and ws) are ways to it, and know nothing of engines.
//
//	answer, err := s.Start(ctx, service.Call{Tenant: t, Model: "atlas", Request: r, Deliver: send})
//	defer answer.Close()
//	result, err := answer.Run()
//
// [Service.Start] finds the model, the adapter and the guest, checks that the tenant
// may use them and has not used up its limits, and waits for a model to be loaded.
// [Answer.Run] runs one instance of the guest, and gives what it writes to Deliver, in
// the parts that OpenAI's streams have: text, reasoning, calls of tools, tokens.
//
// All errors are an [Error], with a code that both ways have.
package service
