//go:build !unix && !windows

package main

import "os"

func terminal(*os.File) bool { return false }

func colours(*os.File) bool { return false }
