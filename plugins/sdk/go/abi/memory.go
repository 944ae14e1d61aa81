// Package abi is the boundary between a Go plugin and the host: the canonical ABI of the contract's
// functions, by hand, for stock Go. Authors use package caplet; nothing here is for them.
package abi

import "unsafe"

// What the host hands over lies in chunks of memory that Go's collector knows nothing of. The host may ask
// for memory while no Go code may run: before the runtime has begun, and in the middle of a call of an
// import, where collecting garbage would call imports. Asking the runtime's break for memory is safe at all
// of these times, and the chunks are used again by the next invocation.

//go:linkname sbrk runtime.sbrk
func sbrk(n uintptr) unsafe.Pointer

const chunkBytes = 256 << 10

type chunk struct {
	base, size uintptr
}

// chunks has no slice, which would have to grow by Go's allocator.
var chunks [256]chunk
var nChunks, current int
var used uintptr

// base is what was handed out before the first invocation, to the adapter of WASI: it stays.
var baseChunk int
var baseUsed uintptr
var begun bool

func allocate(size, align uintptr) unsafe.Pointer {
	for {
		if current < nChunks {
			at := (chunks[current].base + used + align - 1) &^ (align - 1)
			if at+size <= chunks[current].base+chunks[current].size {
				used = at + size - chunks[current].base
				return unsafe.Pointer(at)
			}
			if current+1 < nChunks {
				current, used = current+1, 0
				continue
			}
		}
		grow(size + align)
	}
}

func grow(size uintptr) {
	size = (max(size, chunkBytes) + 65535) &^ 65535
	base := sbrk(size)
	if base == nil || nChunks == len(chunks) {
		trap()
	}
	chunks[nChunks] = chunk{uintptr(base), size}
	current, used = nChunks, 0
	nChunks++
}

// trap ends the instance where nothing else can be done.
func trap() {
	var nowhere *int
	*nowhere = 0
}

//go:wasmexport cabi_realloc
func cabiRealloc(old unsafe.Pointer, oldSize, align, newSize uint32) unsafe.Pointer {
	fresh := allocate(uintptr(newSize), uintptr(align))
	if oldSize > 0 {
		copy(unsafe.Slice((*byte)(fresh), newSize), unsafe.Slice((*byte)(old), min(oldSize, newSize)))
	}
	return fresh
}

// begin is called first in every export.
func begin() {
	if !begun {
		begun = true
		baseChunk, baseUsed = current, used
	}
}

// release gives back what the invocation was handed.
func release() {
	current, used = baseChunk, baseUsed
}
