package abi

import "unsafe"

// Reading and writing of the records of the contract in linear memory. Pointers and lengths have four
// bytes each; a text, a list and a pair of texts begin with a pointer.

type area struct{ at unsafe.Pointer }

func newArea(size, align uintptr) area {
	return area{allocate(max(size, 1), align)}
}

func (a area) plus(offset uintptr) unsafe.Pointer { return unsafe.Add(a.at, offset) }

func (a area) u8(offset uintptr) uint8   { return *(*uint8)(a.plus(offset)) }
func (a area) u32(offset uintptr) uint32 { return *(*uint32)(a.plus(offset)) }
func (a area) u64(offset uintptr) uint64 { return *(*uint64)(a.plus(offset)) }

func (a area) setU8(offset uintptr, value uint8)   { *(*uint8)(a.plus(offset)) = value }
func (a area) setU16(offset uintptr, value uint16) { *(*uint16)(a.plus(offset)) = value }
func (a area) setU32(offset uintptr, value uint32) { *(*uint32)(a.plus(offset)) = value }
func (a area) setU64(offset uintptr, value uint64) { *(*uint64)(a.plus(offset)) = value }

// bytes copies what a pointer and a length at a place lead to.
func (a area) bytes(offset uintptr) []byte {
	return copyOf(a.pointer(offset), a.u32(offset+4))
}

func (a area) text(offset uintptr) string {
	return textOf(a.pointer(offset), a.u32(offset+4))
}

func (a area) pointer(offset uintptr) unsafe.Pointer {
	return unsafe.Pointer(uintptr(a.u32(offset)))
}

func copyOf(at unsafe.Pointer, length uint32) []byte {
	bytes := make([]byte, length)
	copy(bytes, unsafe.Slice((*byte)(at), length))
	return bytes
}

func textOf(at unsafe.Pointer, length uint32) string {
	return string(unsafe.Slice((*byte)(at), length))
}

// setText copies a text into memory of the invocation, and writes where it is.
func (a area) setText(offset uintptr, text string) {
	a.setBytes(offset, unsafe.Slice(unsafe.StringData(text), len(text)))
}

func (a area) setBytes(offset uintptr, bytes []byte) {
	to := allocate(uintptr(len(bytes))+1, 1)
	copy(unsafe.Slice((*byte)(to), len(bytes)), bytes)
	a.setU32(offset, uint32(uintptr(to)))
	a.setU32(offset+4, uint32(len(bytes)))
}

// list is a list of records of a size, whose place and length are written; its records are.
func (a area) list(offset uintptr, count int, size, align uintptr) area {
	to := newArea(uintptr(count)*size, align)
	a.setU32(offset, uint32(uintptr(to.at)))
	a.setU32(offset+4, uint32(count))
	return to
}

func (a area) item(at int, size uintptr) area {
	return area{a.plus(uintptr(at) * size)}
}

func (a area) setPairs(offset uintptr, pairs [][2]string) {
	list := a.list(offset, len(pairs), 16, 4)
	for at, pair := range pairs {
		list.item(at, 16).setText(0, pair[0])
		list.item(at, 16).setText(8, pair[1])
	}
}

func (a area) setTexts(offset uintptr, texts []string) {
	list := a.list(offset, len(texts), 8, 4)
	for at, text := range texts {
		list.item(at, 8).setText(0, text)
	}
}

func pairsOf(at unsafe.Pointer, count uint32) [][2]string {
	pairs := make([][2]string, count)
	for place := range pairs {
		item := area{at}.item(place, 16)
		pairs[place] = [2]string{item.text(0), item.text(8)}
	}
	return pairs
}

func (a area) texts(offset uintptr) []string {
	texts := make([]string, a.u32(offset+4))
	for at := range texts {
		texts[at] = area{a.pointer(offset)}.item(at, 8).text(0)
	}
	return texts
}
