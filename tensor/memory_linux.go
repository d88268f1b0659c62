package tensor

import "syscall"

// hugePages asks for large pages; a refusal costs only speed.
func hugePages(m []byte) { _ = syscall.Madvise(m, syscall.MADV_HUGEPAGE) }
