"""Refuses the subjects that SNS refuses; the base takes any.

A subject is ASCII, begins with a letter, a digit or a punctuation mark, holds no line break or other control character
(API reference of Publish) and has 1 to 100 characters: the reference says fewer than 100, SNS was seen to take 100
(getmoto/moto issue 1503) and to refuse an empty one (localstack issue 597). An empty one in a form is there all the
same, so blank values count.
"""

from __future__ import annotations

import re
from collections import defaultdict
from urllib.parse import parse_qs, urlencode
from xml.sax.saxutils import escape

from localaws import ministack_names as base
from localaws.extensions import Answer, Request, Response

_SUBJECT = re.compile(r"[!-~][ -~]{0,99}")
_ENTRY = re.compile(r"PublishBatchRequestEntries\.member\.(\d+)\.(.+)")
MAX_ENTRIES = 10
_REASON = "Invalid parameter: Subject"

Form = dict[str, list[str]]


class SnsSubjects:
    """Looks at the subjects of Publish, and at those of PublishBatch one by one."""

    service = "sns"

    async def handle(self, request: Request) -> Response | None:
        """Refuse what SNS refuses; of a batch only the entries concerned."""
        if request.operation not in ("Publish", "PublishBatch"):
            return None
        form = {**request.query, **parse_qs(request.body.decode(errors="replace"), keep_blank_values=True)}
        if request.operation == "PublishBatch":
            return await _without_the_refused(request, form)
        return None if _is_sound(form.get("Subject")) else _response(base.SNS_ERROR("InvalidParameter", _REASON, 400))


async def _without_the_refused(request: Request, form: Form) -> Response | None:
    entries: dict[int, Form] = defaultdict(dict)
    rest: Form = {}
    for name, value in form.items():
        if found := _ENTRY.fullmatch(name):
            entries[int(found[1])][found[2]] = value
        else:
            rest[name] = value
    refused = [entry for _, entry in sorted(entries.items()) if not _is_sound(entry.get("Subject"))]
    if not refused or len(entries) > MAX_ENTRIES:  # the whole is refused
        return None
    failed = "".join(
        f"<member><Id>{escape(entry.get('Id', [''])[0])}</Id><Code>InvalidParameter</Code><Message>{_REASON}</Message>"
        "<SenderFault>true</SenderFault></member>"
        for entry in refused
    )
    sound = [entry for _, entry in sorted(entries.items()) if entry not in refused]
    if not sound:
        result = f"<PublishBatchResult><Successful/><Failed>{failed}</Failed></PublishBatchResult>"
        return _response(base.SNS_XML(200, "PublishBatchResponse", result))
    # The base counts entries from 1 and stops at the first number that is missing.
    for number, entry in enumerate(sound, 1):
        rest |= {f"PublishBatchRequestEntries.member.{number}.{name}": value for name, value in entry.items()}
    body = urlencode(rest, doseq=True).encode()
    status, headers, answer = await base.SNS(request.method, request.path, dict(request.headers), body, {})
    return Response(status, answer.replace(b"<Failed>", b"<Failed>" + failed.encode(), 1), headers)


def _is_sound(subject: list[str] | None) -> bool:
    return subject is None or _SUBJECT.fullmatch(subject[0]) is not None


def _response(answer: Answer) -> Response:
    status, headers, body = answer
    return Response(status, body, headers)
