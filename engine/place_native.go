//go:build !js

package engine

// inPage is true of an engine in a browser's page, where an adapter is missing for
// one of several reasons, which the error has.
const inPage = false

// seeDevices says where a notice's reader finds more.
const seeDevices = "; see realm devices"
