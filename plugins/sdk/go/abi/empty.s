// The runtime.sbrk of package abi has no body in Go.
