//go:build (!amd64 && !arm64) || purego

package scan

func ssd(a *SSD) { ssdGeneric(a) }

func selective(a *Selective) { selectiveGeneric(a) }
