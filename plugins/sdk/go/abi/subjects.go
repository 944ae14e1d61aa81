package abi

import "unsafe"

// The interface subject-data. Its exports are in package subjectdata, so that a component has them when its plugin
// imports that package, and not otherwise; what they do is here.

// What erasing a subject does to a holding.
const (
	Delete = iota
	Anonymise
	Keep
)

// Holding, SubjectPage, Erased and Step are the records of the contract.
type Holding struct {
	Name, Summary, Purpose, Retention string
	Erasure                           uint8
	// Reason is why records are kept, if they are.
	Reason string
}

// SubjectPage is a part of what is kept about a subject. Next is empty on the last page.
type SubjectPage struct {
	Holding string
	Items   []byte
	Next    string
}

// Erased is what was done to the records of a holding.
type Erased struct {
	Holding                   string
	Deleted, Anonymised, Kept uint64
}

// Step is what a step of an erasure did.
type Step struct {
	Holdings []Erased
	More     bool
}

// Refusal is why a call did nothing: it does not know the cursor, or failed for a reason.
type Refusal struct {
	IsCursor bool
	Reason   string
}

// What the exports call. Package subjectdata sets them. The cursor is empty on the first page.
var (
	Holdings      func() []Holding
	ExportSubject func(subject, cursor string) (SubjectPage, *Refusal)
	EraseSubject  func(subject string) (Step, *Refusal)
)

// SubjectDataDescribe, SubjectDataExport, SubjectDataErase and SubjectDataEnds are the bodies of the exports.
func SubjectDataDescribe() unsafe.Pointer {
	begin()
	result, holdings := newArea(8, 4), Holdings()
	list := result.list(0, len(holdings), 44, 4)
	for at, holding := range holdings {
		item := list.item(at, 44)
		item.setText(0, holding.Name)
		item.setText(8, holding.Summary)
		item.setText(16, holding.Purpose)
		item.setText(24, holding.Retention)
		item.setU8(32, holding.Erasure)
		item.setText(36, holding.Reason)
	}
	return result.at
}

func SubjectDataExport(
	subject unsafe.Pointer, subjectLength uint32, hasCursor uint32, cursor unsafe.Pointer, cursorLength uint32,
) unsafe.Pointer {
	begin()
	from := ""
	if hasCursor != 0 {
		from = textOf(cursor, cursorLength)
	}
	result := newArea(32, 4)
	page, refusal := ExportSubject(textOf(subject, subjectLength), from)
	if refusal != nil {
		return refusal.lower(result)
	}
	result.setU8(0, 0)
	result.setText(4, page.Holding)
	result.setBytes(12, page.Items)
	result.setU8(20, 0)
	if page.Next != "" {
		result.setU8(20, 1)
		result.setText(24, page.Next)
	}
	return result.at
}

func SubjectDataErase(subject unsafe.Pointer, subjectLength uint32) unsafe.Pointer {
	begin()
	result := newArea(16, 4)
	step, refusal := EraseSubject(textOf(subject, subjectLength))
	if refusal != nil {
		return refusal.lower(result)
	}
	result.setU8(0, 0)
	list := result.list(4, len(step.Holdings), 32, 8)
	for at, erased := range step.Holdings {
		item := list.item(at, 32)
		item.setText(0, erased.Holding)
		item.setU64(8, erased.Deleted)
		item.setU64(16, erased.Anonymised)
		item.setU64(24, erased.Kept)
	}
	result.setU8(12, 0)
	if step.More {
		result.setU8(12, 1)
	}
	return result.at
}

func SubjectDataEnds() { release() }

func (r *Refusal) lower(result area) unsafe.Pointer {
	result.setU8(0, 1)
	result.setU8(4, 1)
	if r.IsCursor {
		result.setU8(4, 0)
	}
	result.setText(8, r.Reason)
	return result.at
}
