"""A provider's refusal becomes one of few kinds, its message kept, its secrets not."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from serving.dispatch.failures import from_event, from_status, redacted, retry_after_s


def refused(status, **error):
    return from_status(status, {}, json.dumps({"error": error}).encode())


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (400, "invalid_request", False),
        (401, "authentication", True),
        (403, "permission", True),
        (404, "not_found", True),
        (408, "timeout", True),
        (418, "invalid_request", False),
        (422, "invalid_request", False),
        (429, "rate_limit", True),
        (500, "upstream", True),
        (502, "upstream", True),
        (503, "overloaded", True),
        (504, "timeout", True),
        (529, "overloaded", True),
        (302, "upstream", True),
    ],
)
def test_the_status_says_what_kind_it_is(status, kind, retryable):
    error = refused(status, message="told")
    assert (error.kind, error.retryable, error.message) == (kind, retryable, "told")


@pytest.mark.parametrize("code", ["context_length_exceeded", "content_filter"])
def test_openais_codes_name_what_another_deployment_would_refuse_too(code):
    error = refused(400, message="told", code=code)
    assert error.kind in ("context_length", "content_filter")
    assert not error.retryable


@pytest.mark.parametrize(
    "body", [b"", b"<html>bad gateway</html>", b"[]", b'{"error": null}', b"\xff\xfe", b"{" * 9_000]
)
def test_a_body_that_says_nothing_still_gives_an_error_with_the_status(body):
    error = from_status(502, {}, body)
    assert error.kind == "upstream"
    assert "502" in error.message


def test_a_bare_string_as_error_is_its_message():
    assert from_status(500, {}, b'{"error": "oh no"}').message == "oh no"


def test_keys_never_come_back_in_messages():
    key = "very-secret-key"
    message = f"Incorrect API key: {key}, sk-proj-abcDEF123456, Authorization: Bearer abc.def"
    told = redacted(message, key)
    for secret in (key, "abcDEF123456", "abc.def"):
        assert secret not in told


def test_a_date_in_retry_after_is_counted_from_now():
    now = datetime(2026, 1, 1, 0, 0, 0, tzinfo=UTC)
    assert retry_after_s({"retry-after": "Thu, 01 Jan 2026 00:00:30 GMT"}, now) == 30.0
    assert retry_after_s({"retry-after": "Wed, 31 Dec 2025 23:00:00 GMT"}, now) == 0.0
    assert retry_after_s({"retry-after": "soon"}, now) is None


def test_an_event_with_an_error_is_one_and_others_are_not():
    assert from_event(b'{"error": {"message": "overloaded", "code": 529}}').kind == "overloaded"
    assert from_event(b'{"choices": []}') is None


@pytest.mark.parametrize(
    ("told", "seconds"), [("nan", None), ("inf", None), ("-5", 0.0), ("1e30", 86_400.0), ("2.5", 2.5)]
)
def test_no_number_in_retry_after_can_do_harm(told, seconds):
    assert retry_after_s({"retry-after": told}) == seconds


@pytest.mark.parametrize(
    ("error", "kind", "retryable"),
    [
        ({"code": "context_length_exceeded"}, "context_length", False),
        ({"type": "invalid_request_error"}, "invalid_request", False),
        ({"type": "rate_limit_error"}, "rate_limit", True),
        ({"code": "rate_limit_exceeded"}, "rate_limit", True),
        ({"type": "overloaded_error"}, "overloaded", True),
        ({"type": "something_new", "code": True}, "upstream", True),
        ({"code": {"a": 1}}, "upstream", True),
    ],
)
def test_an_error_without_a_status_is_known_by_its_name(error, kind, retryable):
    found = from_event(json.dumps({"error": error | {"message": "told"}}).encode())
    assert (found.kind, found.retryable, found.message) == (kind, retryable, "told")


def test_keys_never_come_back_in_codes():
    body = json.dumps({"error": {"message": "m", "param": "my-own-key", "code": "my-own-key"}}).encode()
    assert "my-own-key" not in str(from_status(400, {}, body, key="my-own-key").body)
