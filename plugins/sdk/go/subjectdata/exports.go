package subjectdata

import (
	"unsafe"

	"caplet/abi"
)

//go:wasmexport caplet:plugin/subject-data@0.1.0#describe
func exportedDescribe() unsafe.Pointer { return abi.SubjectDataDescribe() }

//go:wasmexport cabi_post_caplet:plugin/subject-data@0.1.0#describe
func exportedDescribeEnds(unsafe.Pointer) { abi.SubjectDataEnds() }

//go:wasmexport caplet:plugin/subject-data@0.1.0#export
func exportedExport(
	subject unsafe.Pointer, subjectLength uint32, hasCursor uint32, cursor unsafe.Pointer, cursorLength uint32,
) unsafe.Pointer {
	return abi.SubjectDataExport(subject, subjectLength, hasCursor, cursor, cursorLength)
}

//go:wasmexport cabi_post_caplet:plugin/subject-data@0.1.0#export
func exportedExportEnds(unsafe.Pointer) { abi.SubjectDataEnds() }

//go:wasmexport caplet:plugin/subject-data@0.1.0#erase
func exportedErase(subject unsafe.Pointer, subjectLength uint32) unsafe.Pointer {
	return abi.SubjectDataErase(subject, subjectLength)
}

//go:wasmexport cabi_post_caplet:plugin/subject-data@0.1.0#erase
func exportedEraseEnds(unsafe.Pointer) { abi.SubjectDataEnds() }
