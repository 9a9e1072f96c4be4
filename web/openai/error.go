package openai

import (
	"net/http"

	"github.com/realm-webgpu/realm/web/service"
)

// ErrorResponse is what a client gets in place of an answer, or in the middle of a
// stream: https://platform.openai.com/docs/guides/error-codes.
type ErrorResponse struct {
	Error Error `json:"error"`
}

// Error says what went wrong.
type Error struct {
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    *string `json:"code"`
}

// NewError returns the error as clients read it. Its code is the service's.
func NewError(e *service.Error) ErrorResponse {
	return StatusError(e.Code.Status(), e)
}

// StatusError is NewError for a status of HTTP's own, such as 405.
func StatusError(status int, e *service.Error) ErrorResponse {
	out := Error{Message: e.Message, Type: errorType(status)}
	if e.Param != "" {
		out.Param = &e.Param
	}
	if e.Code != "" {
		code := string(e.Code)
		out.Code = &code
	}
	return ErrorResponse{out}
}

// errorType returns OpenAI's type of an error.
func errorType(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "authentication_error"
	case http.StatusForbidden:
		return "permission_error"
	case http.StatusTooManyRequests:
		return "rate_limit_error"
	}
	if status >= http.StatusInternalServerError {
		return "server_error"
	}
	return "invalid_request_error"
}
