# Recipes for developers; `just --list` shows them.

# Build the binary.
build:
    go build -o realm ./cmd/realm

# Install what tests need, then check and test everything.
test:
    ./e2e/test

# The conformance suite on every device of this machine, a page among them.
conformance:
    REALM_REQUIRE_GPU=1 go test -run Conformance -v ./engine/device/... ./e2e/page

# A synthetic 134 M model, and its speed.
bench device="auto":
    go run ./e2e/bench/synth -o /tmp/realm-134m.gguf
    go run ./cmd/realm bench -m /tmp/realm-134m.gguf --device {{device}}

# The whole runtime as a page: static files in a folder, which realm takes in with -tags demo.
demo dir="web/demo/dist":
    go run ./web/demo/publish -o {{dir}}
