//go:build !unix && !windows

package loader

import (
	"errors"
	"os"
)

// mapFile says that this system has no mappings, so that files are read.
func mapFile(*os.File, int) (data []byte, unmap func() error, err error) {
	return nil, nil, errors.ErrUnsupported
}
