"""The component's export around an author's `subject_data` module: a part of `caplet_component`, when the
plugin has such a module."""

from typing import Any

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports import subject_data as wire

from caplet.subject_data import BadCursor, Failed, Holding
from caplet.subject_data import SubjectData as Answers
from subject_data import subject_data as _subject_data

_ANSWERS: Answers = _subject_data

# Said when the component is built: a person must not be told that something was erased that was not.
for _holding in _ANSWERS.holdings:
    if _holding.work is None:
        raise TypeError(f"the holding `{_holding.name}` needs one of `delete`, `anonymise` and `keep`")


class SubjectData(exports.SubjectData):
    """Answers for the personal data that the plugin keeps."""

    def describe(self) -> list[wire.Holding]:
        return [
            wire.Holding(it.name, it.summary, it.purpose, it.retention, _erasure(it))
            for it in _ANSWERS.holdings
        ]

    def export(self, subject: str, cursor: str | None) -> wire.Page:
        try:
            return wire.Page(*_ANSWERS.export(subject, cursor))
        except BadCursor:
            raise Err(wire.Error_Cursor()) from None
        except Failed as failed:
            raise Err(wire.Error_Failed(str(failed))) from None

    def erase(self, subject: str) -> wire.Step:
        try:
            erased, more = _ANSWERS.erase(subject)
        except Failed as failed:
            raise Err(wire.Error_Failed(str(failed))) from None
        done = [wire.Erased(it.holding, it.deleted, it.anonymised, it.kept) for it in erased]
        return wire.Step(done, more)


def _erasure(holding: Holding) -> Any:
    if holding.erasing == "keep":
        return wire.Erasure_Keep(holding.reason)
    return wire.Erasure_Delete() if holding.erasing == "delete" else wire.Erasure_Anonymise()
