package engine

const (
	inPage     = true
	seeDevices = "" // there is no command
)
