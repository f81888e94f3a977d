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


ANTHROPIC = {"type": "error", "error": {"type": "overloaded_error", "message": "told"}}
MISTRAL = {"object": "error", "message": "told", "type": "invalid_request_message_order", "code": 3230}
VALIDATION = {"detail": [{"loc": ["body", "n"], "msg": "told"}]}
FILTERED = {"code": "content_filter", "innererror": {"code": "ResponsibleAIPolicyViolation"}}


def google(code, status, **fields):
    return {"error": {"code": code, "message": "told", "status": status} | fields}


def coded(code, **fields):
    return {"error": {"message": "told", "code": code} | fields}


@pytest.mark.parametrize(
    ("status", "body", "kind", "retryable"),
    [
        (529, ANTHROPIC, "overloaded", True),
        (400, google(400, "INVALID_ARGUMENT"), "invalid_request", False),
        (
            400,
            google(400, "INVALID_ARGUMENT", details=[{"reason": "API_KEY_INVALID"}]),
            "authentication",
            True,
        ),
        (429, google(429, "RESOURCE_EXHAUSTED"), "rate_limit", True),
        (503, [google(503, "UNAVAILABLE")], "overloaded", True),
        (422, VALIDATION, "invalid_request", False),
        (400, MISTRAL, "invalid_request", False),
        (401, {"message": "told", "request_id": "r"}, "authentication", True),
        (413, coded("rate_limit_exceeded", type="tokens"), "rate_limit", True),
        (403, coded(403, metadata={"reasons": ["x"]}), "content_filter", False),
        (400, coded("data_inspection_failed"), "content_filter", False),
        (400, coded("unsupported_value", param="temperature"), "invalid_request", True),
        (400, coded("unsupported_parameter", param="stop"), "invalid_request", True),
        (400, {"error": FILTERED | {"message": "told"}}, "content_filter", False),
    ],
)
def test_every_providers_shape_is_read(status, body, kind, retryable):
    error = from_status(status, {}, json.dumps(body).encode())
    assert (error.kind, error.retryable, error.message) == (kind, retryable, "told")


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("prompt is too long: 210000 tokens > 200000 maximum", "context_length"),
        ("input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000", "context_length"),
        ("The input token count (1100000) exceeds the maximum number of tokens allowed", "context_length"),
        ("This model's maximum context length is 8192 tokens. However, you requested", "context_length"),
        ("Range of input length should be [1, 30720]", "context_length"),
        ("Content Exists Risk", "content_filter"),
        ("Your credit balance is too low to access the API", "permission"),
        ("temperature must be at most 2", "invalid_request"),
    ],
)
def test_what_only_a_message_tells_is_read_in_a_400_and_nowhere_else(message, kind):
    assert refused(400, message=message).kind == kind
    assert refused(500, message=message).kind == "upstream"


def test_googles_wait_stands_in_the_body():
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"}]
    assert refused(429, message="m", details=details).retry_after_s == 34.5
    assert refused(429, message="m", details=[{"retryDelay": "soons"}]).retry_after_s is None
