package quantize

import "errors"

// ErrImportance is a file that has no importance of columns in it, or one for
// other matrices than the model's.
var ErrImportance = errors.New("bad importance matrix")
