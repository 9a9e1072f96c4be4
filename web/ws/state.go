package ws

import (
	"fmt"
	"strings"

	"github.com/realm-webgpu/realm/web/service"
)

// nothing is the parameters of functions that have none.
type nothing struct{}

// adapters are the adapters of the tenant's models.
type adaptersParams struct {
	Model string `json:"model"` // "": of all
}

type adapters struct {
	Adapters []adapter `json:"adapters"`
}

type adapter struct {
	ID    string `json:"id"` // MODEL:ADAPTER, which model may be
	Model string `json:"model"`
	Name  string `json:"name"` // which adapter may be
}

type models struct {
	Models []model `json:"models"`
}

// health is how the server is.
type health struct {
	Status string `json:"status"` // ok, or draining
	// How busy it is, which tenants are not told of each other.
	Running *int `json:"running,omitempty"`
	Waiting *int `json:"waiting,omitempty"`
}

// metadata is what there is to know beside models.
type metadata struct {
	Version   string     `json:"version"`
	Protocol  int        `json:"protocol"`
	TenantID  string     `json:"tenant_id"`
	Functions []function `json:"functions"`
	Guests    []string   `json:"guests"` // that calls may name
	Device    deviceInfo `json:"device"`
	Limits    limits     `json:"limits"`
}

type deviceInfo struct {
	Backend  string `json:"backend"`
	Name     string `json:"name"`
	Software bool   `json:"software"` // it computes on the CPU
}

type limits struct {
	Frame       int64 `json:"frame_bytes"`
	Calls       int   `json:"calls"`
	Depth       int   `json:"depth"`
	Choices     int   `json:"choices"`
	Stops       int   `json:"stops"`
	TopLogprobs int   `json:"top_logprobs"`
}

// state answers the functions that are known at once; nil for others.
func (c *conn) state(f frame) (any, error) {
	var none nothing
	depth := c.server.live.Load().Limits.Depth
	if f.Function == functionAdapters {
		return c.adapters(f, depth)
	}
	if err := readJSON("params", f.Params, depth, &none); err != nil {
		return nil, err
	}
	switch f.Function {
	case functionModels:
		all, err := c.models()
		return models{all}, err
	case functionHealth:
		return c.health(), nil
	default:
		return c.metadata()
	}
}

func (c *conn) adapters(f frame, depth int) (any, error) {
	var p adaptersParams
	if err := readJSON("params", f.Params, depth, &p); err != nil {
		return nil, err
	}
	all, err := c.server.service.Models(c.tenant)
	if err != nil {
		return nil, err
	}
	out, known := adapters{[]adapter{}}, p.Model == ""
	for _, m := range all {
		known = known || m.ID == p.Model
		if m.Parent != "" && (p.Model == "" || m.Parent == p.Model) {
			out.Adapters = append(out.Adapters, adapter{m.ID, m.Parent, strings.TrimPrefix(m.ID, m.Parent+":")})
		}
	}
	if !known {
		return nil, &service.Error{Code: service.ModelNotFound, Param: "model", Message: fmt.Sprintf("there is no model %q", p.Model)}
	}
	return out, nil
}

func (c *conn) health() health {
	s := c.server.service
	h := health{Status: "ok"}
	if s.Ready() != nil {
		h.Status = "draining"
	}
	if s.Keyless() || c.tenant.Admin() {
		x := s.Snapshot()
		h.Running, h.Waiting = &x.Running, &x.Waiting
	}
	return h
}

func (c *conn) metadata() (metadata, error) {
	s, o := c.server.service, &c.server.options
	guests, err := s.GuestNames(c.tenant)
	if err != nil {
		return metadata{}, err
	}
	d, l := s.Snapshot().Device, c.server.live.Load().Limits
	return metadata{
		Version: o.Version, Protocol: protocol, TenantID: c.tenant.ID(), Functions: functions, Guests: guests,
		Device: deviceInfo{d.Backend, d.Name, d.Software},
		Limits: limits{o.MaxFrame, o.Calls, l.Depth, l.Choices, l.Stops, l.TopLogprobs},
	}, nil
}
